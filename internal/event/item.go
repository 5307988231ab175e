package event

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// malformed returns the only kind of error that this stage has.
func malformed(format string, args ...any) *transfer.Error {
	return transfer.Errorf(transfer.StageDecode, transfer.KindMalformed, format, args...)
}

// prefixed says where in the payload an error was found; nil stays nil.
func prefixed(where string, err *transfer.Error) *transfer.Error {
	if err == nil {
		return nil
	}
	return malformed("%s: %s", where, err.What)
}

// unreadable returns the item that stands for something that could not be read.
func unreadable(err *transfer.Error) transfer.Item { return transfer.Item{Size: -1, Err: err} }

// Bounds of names, in bytes. The longest keys are S3's: 1024 bytes of UTF-8 (aws
// docs, object-keys). A longer one names nothing. It must not come back in an
// answer, which has a bound of its own.
const (
	maxKey  = 1024 // bytes, S3's limit; COS allows 850
	maxName = 255  // of a bucket or region; a bucket has 63, an access point's ARN more
)

// classify completes an item: it is to be skipped when nothing was created or when
// a folder marker was, and an error when it names no file.
// A second spelling of the key that can be none is dropped.
func classify(item transfer.Item, created bool) transfer.Item {
	if alt := item.AltKey; alt == item.Ref.Key || len(alt) > maxKey || !utf8.ValidString(alt) {
		item.AltKey = ""
	}
	named := item.Ref.Bucket != "" && item.Ref.Key != ""
	switch {
	case len(item.Ref.Key) > maxKey, len(item.Ref.Bucket) > maxName, len(item.Ref.Region) > maxName:
		return unreadable(malformed("its key (%d bytes), bucket (%d) or region (%d) is longer than any store's (%d, %d, %d)",
			len(item.Ref.Key), len(item.Ref.Bucket), len(item.Ref.Region), maxKey, maxName, maxName))
	case !created:
		item.Reason = transfer.ReasonNotCreated
		if !named {
			item.Ref = transfer.Ref{}
		}
	case !named:
		return unreadable(malformed("it names no bucket or no key; send the event unchanged, with both"))
	case strings.HasSuffix(item.Ref.Key, "/"):
		item.Reason = transfer.ReasonFolder
	}
	return item
}

// FormKey returns the key that an S3 notification or a Batch manifest spells
// form-encoded ("+" is a space; aws docs, notification-content-structure). A
// spelling that cannot be decoded, or that plainly was never encoded because it
// holds a space, a control character or a byte beyond ASCII, is the key itself:
// some S3-compatible stores send keys as they are.
func FormKey(spelled string) string {
	for i := range len(spelled) {
		if spelled[i] <= ' ' || spelled[i] >= 0x7f {
			return spelled
		}
	}
	key, err := url.QueryUnescape(spelled)
	if err != nil {
		return spelled
	}
	return key
}
