package s3source

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// tencentCredentials reads what SCF sets anew with each invocation. Each may be a
// reference, which resolve looks up; nil leaves it as it is.
func tencentCredentials(resolve func(context.Context, transfer.Secret) (transfer.Secret, error)) aws.CredentialsProviderFunc {
	return func(ctx context.Context) (aws.Credentials, error) {
		values := [3]string{os.Getenv("TENCENTCLOUD_SECRETID"), os.Getenv("TENCENTCLOUD_SECRETKEY"), os.Getenv("TENCENTCLOUD_SESSIONTOKEN")}
		for i, name := range [3]string{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"} {
			if resolve == nil || values[i] == "" {
				continue
			}
			value, err := resolve(ctx, transfer.NewSecret(values[i]))
			if err != nil {
				return aws.Credentials{}, transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "%s %v", name, err)
			}
			values[i] = value.Reveal()
		}
		if values[0] == "" || values[1] == "" {
			return aws.Credentials{}, transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
				"TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY are not set; give the function an execution role that may use the bucket")
		}
		return aws.Credentials{AccessKeyID: values[0], SecretAccessKey: values[1], SessionToken: values[2], Source: "environment"}, nil
	}
}

// Credentials returns what the store signs its requests with, or an *transfer.Error of
// Kind Denied.
func (s *Store) Credentials(ctx context.Context) (aws.Credentials, error) {
	return s.cfg.Credentials.Retrieve(ctx)
}

// credentialErrors turns a failure to find credentials into Denied, with advice.
type credentialErrors struct{ aws.CredentialsProvider }

// Retrieve returns the credentials or an *transfer.Error of Kind Denied.
func (p credentialErrors) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
			"there are no AWS credentials; give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return c, err
}
