package s3source

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Open reads the newest content of ref, with one GET. The body reopens itself
// where the connection breaks off, and fails with Corrupt when the object was
// replaced meanwhile. ETag and CRC64 are the store's own words; MD5 is set where
// S3's ETag is one.
func (s *Store) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	out, fault := s.get(ctx, ref, &s3.GetObjectInput{})
	if fault != nil {
		return nil, fault
	}
	if out.ContentLength == nil {
		out.Body.Close()
		return nil, &transfer.Error{Stage: transfer.Open, Kind: transfer.Denied,
			What: s.name() + " does not say how long the object is, and COS wants to know beforehand; have it send Content-Length"}
	}
	obj := &transfer.Object{
		Size:        *out.ContentLength,
		ETag:        unquote(out.ETag),
		ContentType: contentType(out.ContentType),
	}
	switch s.scheme {
	case transfer.S3:
		obj.MD5 = md5(ref.Bucket, obj.ETag, out)
	case transfer.COS:
		obj.CRC64 = crc64(out)
	}
	body := resume.New(ctx, out.Body, obj.Size, s.reopener(ref, obj.ETag, obj.Size), resume.Options{})
	obj.Body, obj.Resumes = body, body.Resumes
	return obj, nil
}

// Stat returns the ETag of the newest content of ref.
func (s *Store) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	etag, fault := s.head(ctx, ref, s.grants().read)
	if fault != nil {
		return "", fault
	}
	return etag, nil
}

func (s *Store) head(ctx context.Context, ref transfer.Ref, grant string) (etag string, fault *transfer.Error) {
	fault = s.call(ctx, ref, grant, func(c *s3.Client) error {
		out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &ref.Bucket, Key: &ref.Key})
		if err == nil {
			etag = unquote(out.ETag)
		}
		return err
	})
	return etag, fault
}

func (s *Store) get(ctx context.Context, ref transfer.Ref, in *s3.GetObjectInput) (out *s3.GetObjectOutput, fault *transfer.Error) {
	in.Bucket, in.Key = &ref.Bucket, &ref.Key
	fault = s.call(ctx, ref, s.grants().read, func(c *s3.Client) (err error) {
		out, err = c.GetObject(ctx, in)
		return err
	})
	return out, fault
}

// reopener reads the rest of the same content: If-Match and the answer's own ETag
// and range say that it is the same, also where a store knows only one of them.
func (s *Store) reopener(ref transfer.Ref, etag string, size int64) resume.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		if etag == "" {
			return nil, changed("the source broke off, and without an ETag it cannot be read on; it is read again from its start")
		}
		out, fault := s.get(ctx, ref, &s3.GetObjectInput{
			Range:   aws.String(fmt.Sprintf("bytes=%d-", offset)),
			IfMatch: aws.String(`"` + etag + `"`),
		})
		if fault != nil {
			return nil, fault
		}
		rest := fmt.Sprintf("bytes %d-%d/%d", offset, size-1, size)
		switch {
		case unquote(out.ETag) != etag:
			out.Body.Close()
			return nil, changed(changedWhat)
		case aws.ToString(out.ContentRange) != rest && offset != 0:
			out.Body.Close()
			return nil, changed("the source broke off, and " + s.name() + " did not send the rest that was asked for; it is read again from its start")
		}
		return out.Body, nil
	}
}

const changedWhat = "the object changed while it was read; it is read again from its start"

func changed(what string) *transfer.Error {
	return &transfer.Error{Stage: transfer.Open, Kind: transfer.Corrupt, What: what}
}

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// contentType drops what stores answer for objects that were put without a type.
func contentType(t *string) string {
	switch strings.ToLower(aws.ToString(t)) {
	case "binary/octet-stream", "application/octet-stream":
		return ""
	}
	return aws.ToString(t)
}

// md5 returns the ETag where it is the content's MD5: on an object put in one
// piece, without KMS or customer-key encryption, in a bucket that is no directory
// bucket (interface.md; those answer random ETags).
func md5(bucket, etag string, out *s3.GetObjectOutput) string {
	plain := out.ServerSideEncryption == "" || out.ServerSideEncryption == types.ServerSideEncryptionAes256
	directory := strings.HasSuffix(bucket, "--x-s3") || strings.HasSuffix(bucket, "--xa-s3")
	hex := strings.ToLower(etag)
	if !plain || directory || aws.ToString(out.SSECustomerAlgorithm) != "" ||
		len(hex) != 32 || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	return hex
}

// crc64 returns what COS says in x-cos-hash-crc64ecma (scf.md C), which the SDK
// does not know.
func crc64(out *s3.GetObjectOutput) string {
	sum := header(awsmiddleware.GetRawResponse(out.ResultMetadata)).Get("x-cos-hash-crc64ecma")
	if _, err := strconv.ParseUint(sum, 10, 64); err != nil {
		return ""
	}
	return sum
}

// header returns the headers of the SDK's raw response, nil when there is none.
func header(raw any) http.Header {
	if r, ok := raw.(*smithyhttp.Response); ok && r != nil {
		return r.Header
	}
	return nil
}
