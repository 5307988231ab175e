// Package secret reads secrets that are given by reference: ssm:/name (an AWS
// SSM parameter, decrypted), secretsmanager:id[#json-key] and file:/path. The
// AWS clients are made only when such a reference is there.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// lookupTimeout bounds one look-up. Lambda limits a start to 10 s; the 2 s that remain
// are for the rest of the start (a guess).
const lookupTimeout = 8 * time.Second

// Resolve returns the secret that value is or refers to, trimmed of white space
// at its ends. The error says why it cannot be read, never what was read.
func Resolve(ctx context.Context, value transfer.Secret) (transfer.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	kind, name, _ := strings.Cut(value.Reveal(), ":")
	var text string
	var err error
	switch kind {
	case "file":
		text, err = file(name)
	case "ssm":
		text, err = parameter(ctx, name)
	case "secretsmanager":
		text, err = managed(ctx, name)
	default:
		return value, nil
	}
	if err != nil {
		return transfer.Secret{}, err
	}
	if text = strings.TrimSpace(text); text == "" {
		return transfer.Secret{}, fmt.Errorf("refers to %s:%s, which is empty", kind, name)
	}
	return transfer.NewSecret(text), nil
}

func file(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("refers to a file that cannot be read: %w", err)
	}
	return string(b), nil
}

func parameter(ctx context.Context, name string) (string, error) {
	cfg, err := credentials(ctx, "ssm")
	if err != nil {
		return "", err
	}
	out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("refers to the SSM parameter %s, which cannot be read: %s; the function needs ssm:GetParameter (and kms:Decrypt) on it", name, reason(err))
	}
	return aws.ToString(out.Parameter.Value), nil
}

func managed(ctx context.Context, name string) (string, error) {
	id, key, keyed := strings.Cut(name, "#")
	cfg, err := credentials(ctx, "secretsmanager")
	if err != nil {
		return "", err
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return "", fmt.Errorf("refers to the secret %s, which cannot be read: %s; the function needs secretsmanager:GetSecretValue (and kms:Decrypt) on it", id, reason(err))
	}
	text := aws.ToString(out.SecretString)
	if !keyed {
		return text, nil
	}
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil {
		return "", fmt.Errorf("refers to the key %s of the secret %s, which is not a JSON object", key, id)
	}
	value, ok := fields[key].(string)
	if !ok {
		return "", fmt.Errorf("refers to the key %s of the secret %s, which has no such text", key, id)
	}
	return value, nil
}

// credentials reads the AWS_* settings. Without this look for credentials the first request
// would fail, with an error of the machine's metadata service.
func credentials(ctx context.Context, kind string) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	switch {
	case err != nil:
		return cfg, fmt.Errorf("is a reference of %s:, and the AWS_* settings cannot be used: %s", kind, reason(err))
	case cfg.Region == "":
		return cfg, fmt.Errorf("is a reference of %s:, which needs a region; set AWS_REGION", kind)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, fmt.Errorf("is a reference of %s:, which needs AWS credentials, and there are none that can be used; give the function a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", kind)
	}
	return cfg, nil
}

// reason is an SDK error's code, or what became of the connection.
func reason(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return transfer.Cause(err)
}
