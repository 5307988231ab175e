package s3source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Open reads the newest content of ref, with one GET. The body reopens itself
// where the connection breaks off, and fails with Corrupt when the object was
// replaced meanwhile. ETag, CRC64 and CRC64NVME are the store's own words; MD5 is
// set where S3's ETag is one.
func (s *Store) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	headers := http.Header{}
	if s.scheme == transfer.SchemeS3 {
		headers.Set(checksumMode, "ENABLED")
	}
	resp, failed := s.get(ctx, ref, headers)
	if failed != nil {
		return nil, failed
	}
	if resp.ContentLength < 0 {
		resp.Body.Close()
		return nil, transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
			"%s does not say how long the object is, and COS wants to know beforehand; have it send Content-Length", s.name())
	}
	obj := s.object(ref, resp.ContentLength, resp.Header)
	body := resume.New(ctx, resp.Body, obj.Size, s.reopener(ref, obj.ETag, obj.Size))
	obj.Body, obj.Resumes, obj.OpenRange = body, body.Resumes, s.ranges(ref, obj.ETag, obj.Size)
	return obj, nil
}

// object is what the headers of an answer say of an object, without its Body.
func (s *Store) object(ref transfer.Ref, size int64, h http.Header) *transfer.Object {
	obj := &transfer.Object{
		Size:               size,
		ETag:               etagOf(h),
		ContentType:        contentType(h.Get("Content-Type")),
		ContentEncoding:    contentEncoding(h),
		CacheControl:       h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"),
	}
	switch s.scheme {
	case transfer.SchemeS3:
		obj.MD5 = md5(ref.Bucket, obj.ETag, h)
		obj.CRC64NVME = crc64nvme(h)
	case transfer.SchemeCOS:
		obj.CRC64 = crc64(h)
	}
	return obj
}

// Head describes the newest content of ref, as Open does, but without a Body. Size is -1
// where the store does not say it.
func (s *Store) Head(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	h, failed := s.head(ctx, ref, s.permissions().read)
	if failed != nil {
		return nil, failed
	}
	size, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || size < 0 {
		size = -1
	}
	return s.object(ref, size, h), nil
}

// Stat returns the ETag of the newest content of ref, "" where the store has none or
// a weak one.
func (s *Store) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	h, failed := s.head(ctx, ref, s.permissions().read)
	if failed != nil {
		return "", failed
	}
	return etagOf(h), nil
}

// head asks for the headers of an object. A 404 to HEAD has no document that says whose it is, and some
// stores send no request ID either (Ceph's gateway, moto): there a GET tells.
func (s *Store) head(ctx context.Context, ref transfer.Ref, permissionHint string) (h http.Header, failed *transfer.Error) {
	failed = s.call(ctx, ref, permissionHint, func(c *client) error {
		resp, err := c.object(ctx, http.MethodHead, ref.Bucket, ref.Key, nil)
		if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.HTTPStatusCode() == http.StatusNotFound && requestID(header(r.Response)) == "" {
			resp, err = c.object(ctx, http.MethodGet, ref.Bucket, ref.Key, nil)
		}
		if err != nil {
			return err
		}
		resp.Body.Close()
		h = resp.Header
		return nil
	})
	return h, failed
}

func (s *Store) get(ctx context.Context, ref transfer.Ref, headers http.Header) (resp *http.Response, failed *transfer.Error) {
	failed = s.call(ctx, ref, s.permissions().read, func(c *client) (err error) {
		resp, err = c.object(ctx, http.MethodGet, ref.Bucket, ref.Key, headers)
		return err
	})
	return resp, failed
}

// reopener reads the rest of the same content.
func (s *Store) reopener(ref transfer.Ref, etag string, size int64) resume.Opener {
	return func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		if etag == "" {
			return nil, changed("the source broke off, and without an ETag it cannot be read on")
		}
		return s.stretch(ctx, ref, etag, offset, size-1, size)
	}
}

func changed(what string) *transfer.Error {
	return transfer.Errorf(transfer.StageOpen, transfer.KindCorrupt, "%s; it is read again from its start", what)
}
