package s3source

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// ranges opens stretches of the content that etag names. A stretch whose connection
// breaks off is read on, as a whole object is.
func (s *Store) ranges(ref transfer.Ref, etag string, size int64) transfer.RangeOpener {
	if etag == "" {
		return nil // nothing would tell that the object changed between two stretches
	}
	return func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		open := func(ctx context.Context, from int64) (io.ReadCloser, error) {
			return s.stretch(ctx, ref, etag, offset+from, offset+length-1, size)
		}
		first, err := open(ctx, 0)
		if err != nil {
			return nil, err
		}
		return resume.New(ctx, first, length, open), nil
	}
}

// stretch reads the bytes from first to last. It sends If-Match, and compares the
// answer's ETag and range as well, because a store may ignore either.
func (s *Store) stretch(ctx context.Context, ref transfer.Ref, etag string, first, last, size int64) (io.ReadCloser, error) {
	resp, failed := s.get(ctx, ref, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", first, last)}, "If-Match": {`"` + etag + `"`}})
	if failed != nil {
		return nil, failed
	}
	whole := first == 0 && last == size-1 && resp.Header.Get("Content-Range") == ""
	switch {
	case etagOf(resp.Header) != etag:
		resp.Body.Close()
		return nil, changed("the object changed while it was read")
	case resp.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", first, last, size) && !whole:
		resp.Body.Close()
		e := changed(s.name() + " does not send the part of the object that was asked for")
		e.Code = transfer.CodeNoRanges
		return nil, e
	}
	return resp.Body, nil
}
