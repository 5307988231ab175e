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

// isStrong reports whether an ETag promises the same bytes; a weak one does not (RFC
// 9110, section 8.8.1).
func isStrong(etag string) bool { return len(etag) > 2 && strings.HasPrefix(etag, `"`) }

// ranges opens stretches of the very content that first is the answer with.
func (s *Source) ranges(ref transfer.Ref, first *http.Response) transfer.RangeOpener {
	return func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		open := s.opener(ref, first, offset, length)
		body, err := open(ctx, 0)
		if err != nil {
			return nil, err
		}
		return resume.New(ctx, body, length, open), nil
	}
}

// opener opens what is left of a stretch.
func (s *Source) opener(ref transfer.Ref, first *http.Response, offset, length int64) resume.Opener {
	return func(ctx context.Context, done int64) (io.ReadCloser, error) {
		return s.stretch(ctx, ref, first, offset+done, offset+length-1)
	}
}

// stretch asks for the bytes from one offset to another, the last one included.
func (s *Source) stretch(ctx context.Context, ref transfer.Ref, first *http.Response, from, last int64) (io.ReadCloser, error) {
	resp, err := s.get(ctx, ref, http.Header{
		"Range":    {fmt.Sprintf("bytes=%d-%d", from, last)},
		"If-Range": {first.Header.Get("ETag")},
	})
	if err != nil {
		return nil, err
	}
	if e := continues(resp, first, from, last); e != nil {
		resp.Body.Close()
		return nil, e
	}
	return resp.Body, nil
}

// continues returns nil if an answer is a stretch of the content that first began. With
// If-Range a server sends all of a file that changed, with status 200.
func continues(resp, first *http.Response, from, last int64) *transfer.Error {
	switch status := resp.StatusCode; {
	case status != http.StatusPartialContent && status != http.StatusOK && status != http.StatusRequestedRangeNotSatisfiable:
		return refusal(resp)
	case status == http.StatusOK && resp.Header.Get("ETag") == first.Header.Get("ETag"):
		e := newError(transfer.KindCorrupt, "the source does not send the part of the file that was asked for; it is read again from its start")
		e.Code = transfer.CodeNoRanges
		return e
	case status != http.StatusPartialContent,
		resp.Header.Get("ETag") != first.Header.Get("ETag"),
		contentEncoding(resp.Header) != contentEncoding(first.Header),
		resp.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", from, last, first.ContentLength):
		return newError(transfer.KindCorrupt, "the source changed while it was read; it is read again from its start")
	}
	return nil
}
