package websource

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// isStrong tells an ETag that promises the same bytes from a weak one (RFC 9110,
// section 8.8.1).
func isStrong(etag string) bool { return len(etag) > 2 && strings.HasPrefix(etag, `"`) }

// resumable reads the body of resp to its end even if the connection breaks off.
func (s *Source) resumable(ctx context.Context, ref transfer.Ref, resp *http.Response, etag string) (io.ReadCloser, func() int) {
	reopen := func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return s.reopen(ctx, ref, etag, offset, resp.ContentLength)
	}
	body := resume.New(ctx, resp.Body, resp.ContentLength, reopen, resume.Options{})
	return body, body.Resumes
}

// reopen asks for the bytes from offset to the end of the very content that etag
// names.
func (s *Source) reopen(ctx context.Context, ref transfer.Ref, etag string, offset, size int64) (io.ReadCloser, error) {
	resp, err := s.get(ctx, ref, http.Header{
		"Range":    {fmt.Sprintf("bytes=%d-", offset)},
		"If-Range": {etag},
	})
	if err != nil {
		return nil, err
	}
	if e := continues(resp, etag, offset, size); e != nil {
		resp.Body.Close()
		return nil, e
	}
	return resp.Body, nil
}

// continues tells whether an answer is the rest of the content: with If-Range a
// server sends all of a file that changed, with status 200.
func continues(resp *http.Response, etag string, offset, size int64) *transfer.Error {
	switch status := resp.StatusCode; {
	case status != http.StatusPartialContent && status != http.StatusOK && status != http.StatusRequestedRangeNotSatisfiable:
		return refusal(resp)
	case status != http.StatusPartialContent,
		resp.Header.Get("ETag") != etag,
		resp.Header.Get("Content-Encoding") != "",
		resp.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", offset, size-1, size):
		return fault(transfer.KindCorrupt, "the source changed while it was read; it is read again from its start")
	}
	return nil
}
