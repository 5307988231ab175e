package s3source

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Open reads the newest content of ref, with one GET. The body reopens itself
// where the connection breaks off, and fails with Corrupt when the object was
// replaced meanwhile. ETag, CRC64 and CRC64NVME are the store's own words; MD5 is
// set where S3's ETag is one.
func (s *Store) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	var wishes [][2]string
	if s.scheme == transfer.SchemeS3 {
		wishes = append(wishes, [2]string{checksumMode, "ENABLED"})
	}
	resp, fault := s.get(ctx, ref, wishes...)
	if fault != nil {
		return nil, fault
	}
	if resp.ContentLength < 0 {
		resp.Body.Close()
		return nil, &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied,
			What: s.name() + " does not say how long the object is, and COS wants to know beforehand; have it send Content-Length"}
	}
	obj := &transfer.Object{
		Size:        resp.ContentLength,
		ETag:        etagOf(resp.Header),
		ContentType: contentType(resp.Header.Get("Content-Type")),
	}
	switch s.scheme {
	case transfer.SchemeS3:
		obj.MD5 = md5(ref.Bucket, obj.ETag, resp.Header)
		obj.CRC64NVME = crc64nvme(resp.Header)
	case transfer.SchemeCOS:
		obj.CRC64 = crc64(resp.Header)
	}
	body := resume.New(ctx, resp.Body, obj.Size, s.reopener(ref, obj.ETag, obj.Size))
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
	fault = s.call(ctx, ref, grant, func(c *client) error {
		resp, err := c.object(ctx, http.MethodHead, ref.Bucket, ref.Key)
		if err == nil {
			resp.Body.Close()
			etag = etagOf(resp.Header)
		}
		return err
	})
	return etag, fault
}

func (s *Store) get(ctx context.Context, ref transfer.Ref, conditions ...[2]string) (resp *http.Response, fault *transfer.Error) {
	fault = s.call(ctx, ref, s.grants().read, func(c *client) (err error) {
		resp, err = c.object(ctx, http.MethodGet, ref.Bucket, ref.Key, conditions...)
		return err
	})
	return resp, fault
}

// reopener reads the rest of the same content: If-Match and the answer's own ETag
// and range say that it is the same, also where a store knows only one of them.
func (s *Store) reopener(ref transfer.Ref, etag string, size int64) resume.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		if etag == "" {
			return nil, changed("the source broke off, and without an ETag it cannot be read on; it is read again from its start")
		}
		resp, fault := s.get(ctx, ref, [2]string{"Range", fmt.Sprintf("bytes=%d-", offset)}, [2]string{"If-Match", `"` + etag + `"`})
		if fault != nil {
			return nil, fault
		}
		rest := fmt.Sprintf("bytes %d-%d/%d", offset, size-1, size)
		switch {
		case etagOf(resp.Header) != etag:
			resp.Body.Close()
			return nil, changed(changedWhat)
		case resp.Header.Get("Content-Range") != rest && offset != 0:
			resp.Body.Close()
			return nil, changed("the source broke off, and " + s.name() + " did not send the rest that was asked for; it is read again from its start")
		}
		return resp.Body, nil
	}
}

const changedWhat = "the object changed while it was read; it is read again from its start"

func changed(what string) *transfer.Error {
	return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindCorrupt, What: what}
}

func etagOf(h http.Header) string { return strings.Trim(h.Get("ETag"), `"`) }

// contentType drops what stores answer for objects that were put without a type.
func contentType(t string) string {
	switch strings.ToLower(t) {
	case "binary/octet-stream", "application/octet-stream":
		return ""
	}
	return t
}

// md5 returns the ETag where it is the content's MD5: on an object put in one
// piece, without KMS or customer-key encryption, in a bucket that is no directory
// bucket (interface.md; those answer random ETags).
func md5(bucket, etag string, h http.Header) string {
	encrypted := h.Get("x-amz-server-side-encryption")
	plain := (encrypted == "" || encrypted == "AES256") && h.Get("x-amz-server-side-encryption-customer-algorithm") == ""
	directory := strings.HasSuffix(bucket, "--x-s3") || strings.HasSuffix(bucket, "--xa-s3")
	hex := strings.ToLower(etag)
	if !plain || directory || len(hex) != 32 || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	return hex
}

// checksumMode asks S3 for the checksums that it has.
const checksumMode = "X-Amz-Checksum-Mode"

// crc64nvme returns what S3 says in x-amz-checksum-crc64nvme, which is of the whole
// object always (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
func crc64nvme(h http.Header) string {
	sum := h.Get("x-amz-checksum-crc64nvme")
	if b, err := base64.StdEncoding.DecodeString(sum); err != nil || len(b) != 8 {
		return ""
	}
	return sum
}

// crc64 returns what COS says in x-cos-hash-crc64ecma (scf.md C).
func crc64(h http.Header) string {
	sum := h.Get("x-cos-hash-crc64ecma")
	if _, err := strconv.ParseUint(sum, 10, 64); err != nil {
		return ""
	}
	return sum
}
