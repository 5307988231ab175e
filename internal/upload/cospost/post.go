// Package cospost uploads a file to CloudBase's storage in one request. A ticket and a
// stream become a multipart POST to COS (POST Object, wire.md section B), or a PUT where
// the ticket is for one (PUT Object, wire-cloudbase.md A). COS's answer becomes a receipt, or an
// error that says what to do.
//
// A receipt is not a proof: compare it with what was sent (package meter). COS's answer
// counts only if it has an x-cos-request-id; any other is a gateway's and worth another
// try. Codes lists COS's error codes, each with its Kind and what to do. An error keeps
// COS's code and request ID, and never the ticket.
//
// The form is built by hand around the stream, because its length must be known
// beforehand and must be exact, and because nothing is to be held in memory.
// mime/multipart would need a pipe and a goroutine for that.
package cospost

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An Uploader implements transfer.Uploader. It is safe for concurrent use.
type Uploader struct{ transport http.RoundTripper }

// New returns an Uploader that sends its requests through t. All time limits but the
// context's are t's. No redirect is followed.
func New(t http.RoundTripper) *Uploader { return &Uploader{t} }

// Upload sends obj with t. Success is COS's own 200, 201 or 204 to the whole body; an
// answer is COS's own if it has an x-cos-request-id. The receipt is not yet compared
// with what was sent. A *transfer.Error of obj.Body is returned as it is.
//
// The request has no Expect: 100-continue. The signature is in the body, so COS could
// not refuse the upload any earlier, and each small file would pay a round trip. Upload
// does not try twice: the stream has been read, so the caller opens it anew.
//
// Upload waits for a Read of obj.Body that is under way before it returns. The caller
// that ends ctx should therefore end the source as well.
func (u *Uploader) Upload(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	if obj.Size < 0 || obj.Size > transfer.MaxSize {
		return transfer.Receipt{}, newError(transfer.KindRefused, "the file's size is unknown or above the 5 GiB that one upload can carry; split the file")
	}
	target, err := parseURL(t.URL)
	if err != nil {
		return transfer.Receipt{}, err
	}
	form, err := build(t, obj)
	if err != nil {
		return transfer.Receipt{}, err
	}
	body := &formBody{head: form.head, file: obj.Body, left: obj.Size, tail: form.tail}
	req := (&http.Request{
		Method:        form.method,
		URL:           target,
		Header:        form.header,
		Body:          body,
		ContentLength: int64(len(form.head)) + obj.Size + int64(len(form.tail)),
	}).WithContext(ctx)
	if req.ContentLength == 0 {
		// net/http takes the length for unknown, unless the body is NoBody.
		if err := body.end(); err != nil {
			return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageOpen, err)
		}
		req.Body = http.NoBody
	}

	resp, err := u.transport.RoundTrip(req)
	var receipt transfer.Receipt
	var refusal *transfer.Error
	if err == nil {
		receipt, refusal = parseResponse(ctx, resp)
	}
	complete, readErr := body.stop()
	switch {
	case refusal != nil:
		return transfer.Receipt{}, refusal
	case readErr != nil:
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageOpen, readErr)
	case err != nil:
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageUpload, err)
	case !complete:
		return transfer.Receipt{}, newError(transfer.KindCorrupt, "COS reported success before it had the whole file; try again")
	}
	receipt.ContentType = StoredType(obj)
	return receipt, nil
}

// parseURL reads the ticket's URL such that the request line carries it byte for byte,
// because COS signs the path and url.URL would write some paths differently. Only a
// space becomes %20, because a request line cannot hold one. The signature is made over
// the decoded path (wire.md B.4), so it stays valid.
func parseURL(raw string) (*url.URL, error) {
	bad := newError(transfer.KindDenied, "the upload ticket has a URL that cannot be used; check the address of the API in the configuration")
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

func newError(kind transfer.Kind, format string, args ...any) *transfer.Error {
	return transfer.Errorf(transfer.StageUpload, kind, format, args...)
}
