package staging_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

func TestMain(m *testing.M) {
	os.Unsetenv("AWS_CA_BUNDLE")
	// A server keeps a connection for half a second that it closes, longer than goleak waits.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const bucket = "staging"

// serve puts a server on loopback and an SDK client before it.
func serve(t *testing.T, configure func(*staging.Server)) (*staging.Server, *s3.Client) {
	t.Helper()
	s := staging.New(bucket)
	if configure != nil {
		configure(s)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); web.Close() })
	return s, s3.New(s3.Options{
		BaseEndpoint:     aws.String(web.URL),
		Region:           "us-east-1",
		UsePathStyle:     true,
		Credentials:      credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		HTTPClient:       web.Client(),
		RetryMaxAttempts: 1,
		// What config.LoadDefaultConfig sets: uploads arrive in aws-chunked framing with a CRC32 trailer.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
}

// wantCode checks that err is the store's error of that code and status.
func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &answer) {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
	if api.ErrorCode() != code || answer.HTTPStatusCode() != status {
		t.Fatalf("got %d %s, want %d %s", answer.HTTPStatusCode(), api.ErrorCode(), status, code)
	}
}

func read(t *testing.T, c *s3.Client, in *s3.GetObjectInput) (*s3.GetObjectOutput, []byte, error) {
	t.Helper()
	in.Bucket = aws.String(bucket)
	out, err := c.GetObject(context.Background(), in)
	if err != nil {
		return nil, nil, err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	return out, body, err
}

func put(t *testing.T, s *staging.Server, key, body string) {
	t.Helper()
	if err := s.Put(bucket, key, "text/plain", []byte(body)); err != nil {
		t.Fatal(err)
	}
}
