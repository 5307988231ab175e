// Package cospost uploads a file to CloudBase storage: a ticket and a stream
// become one multipart POST to COS (POST Object, wire.md section B), and COS's
// answer becomes a receipt or an error that says what to do. The form is built by
// hand around the stream, so that its length is exact and nothing is held in memory.
package cospost

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// frames are the buffers of what stands around a file.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// A Uploader implements transfer.Uploader. It is safe for concurrent use.
type Uploader struct{ transport http.RoundTripper }

// New returns a Uploader over t, whose time limits hold beside the context's. No
// redirect is followed.
func New(t http.RoundTripper) *Uploader { return &Uploader{t} }

// Post sends obj with t. Success is a 200, 201 or 204 of COS's own (it names an
// x-cos-request-id) to the whole form; the receipt is not yet compared with what
// was sent. A *transfer.Error of obj.Body is returned as it is.
//
// There is no Expect: 100-continue: the signature stands in the body, so COS could
// not refuse it any earlier, and small files would pay a round trip. Nor is there
// a second try: the stream has been read, and the caller opens it anew.
//
// Before it returns, Post waits for a Read of obj.Body that is under way; whoever
// ends ctx should end the source with it.
func (p *Uploader) Upload(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	if obj.Size < 0 || obj.Size > transfer.MaxSize {
		return transfer.Receipt{}, fault(transfer.KindRefused, "the file's size is unknown or above the 5 GiB that one upload can carry; split the file")
	}
	target, err := parse(t.URL)
	if err != nil {
		return transfer.Receipt{}, err
	}
	buf := frames.Get().(*[]byte)
	defer frames.Put(buf) // by then nobody reads it: see gate
	head, tail, contentType, err := frame(*buf, t, obj.ContentType)
	if err != nil {
		return transfer.Receipt{}, err
	}
	*buf = head
	posting, cancel := context.WithCancel(ctx)
	defer cancel()
	body := &gate{head: head, file: obj.Body, left: obj.Size, tail: tail}
	req := (&http.Request{
		Method:        http.MethodPost,
		URL:           target,
		Header:        http.Header{"Content-Type": {contentType}},
		Body:          body,
		ContentLength: int64(len(head)) + obj.Size + int64(len(tail)),
	}).WithContext(posting)

	resp, err := p.transport.RoundTrip(req)
	var receipt transfer.Receipt
	var refusal *transfer.Error
	if err == nil {
		receipt, refusal = read(ctx, resp, cancel)
	}
	cancel() // ends a write that is still under way, so that shut does not wait for it
	whole, broken := body.shut()
	switch {
	case refusal != nil:
		return transfer.Receipt{}, refusal
	case broken != nil:
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageOpen, broken)
	case err != nil:
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageUpload, err)
	case !whole:
		return transfer.Receipt{}, fault(transfer.KindCorrupt, "COS reported success before it had the whole file; try again")
	}
	return receipt, nil
}

// parse reads the ticket's URL such that the request line carries it byte for
// byte: COS signs the path, and url.URL would write some of them differently. Only
// a space, which no request line can hold, becomes %20; to the signature, which is
// made over the decoded path (wire.md B.4), they are the same.
func parse(raw string) (*url.URL, error) {
	bad := fault(transfer.KindDenied, "WeChat's upload ticket has a URL that cannot be used; check the WeChat API address in the configuration")
	scheme, rest, _ := strings.Cut(raw, "://")
	slash := strings.IndexByte(rest, '/')
	if scheme != "https" && scheme != "http" || slash < 0 || strings.HasPrefix(rest[slash:], "//") {
		return nil, bad
	}
	u, err := url.Parse(scheme + "://" + rest[:slash])
	if err != nil || u.Host == "" || u.Host != rest[:slash] {
		return nil, bad
	}
	path := strings.ReplaceAll(rest[slash:], " ", "%20")
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f {
			return nil, bad
		}
	}
	if full, err := url.Parse(scheme + "://" + u.Host + path); err == nil && full.RequestURI() == path {
		return full, nil
	}
	u.Opaque = path
	return u, nil
}

func fault(kind transfer.Kind, what string) *transfer.Error {
	return &transfer.Error{Stage: transfer.StageUpload, Kind: kind, What: what}
}
