package s3source

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// tencentCredentials reads what SCF sets anew with each invocation.
func tencentCredentials(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     os.Getenv("TENCENTCLOUD_SECRETID"),
		SecretAccessKey: os.Getenv("TENCENTCLOUD_SECRETKEY"),
		SessionToken:    os.Getenv("TENCENTCLOUD_SESSIONTOKEN"),
		Source:          "environment",
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Credentials{}, transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
			"TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY are not set; give the function an execution role that may read the bucket")
	}
	return c, nil
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
