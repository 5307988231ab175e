package transfer

import (
	"context"
	"io"
)

// A RangeOpener reads a stretch of an open object's content, the one that Object.ETag
// or the object's own answer names. The body yields exactly length bytes and then
// io.EOF, or an error, which is a Corrupt *Error when the source has changed. Its Code is
// CodeNoRanges when the source has not changed, but sends something else than the
// stretch. Several may be open at once; the owner closes each.
type RangeOpener func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// CodeNoRanges is the code for a source that cannot be read by ranges.
const CodeNoRanges = "NoRanges"
