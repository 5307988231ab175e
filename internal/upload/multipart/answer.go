package multipart

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	maxAnswer = 64 << 10
	// maxList is for a page of 1,000 parts or uploads, of some 300 to 1,500 bytes each.
	maxList = 4 << 20
)

// An answer is a success of COS's own.
type answer struct {
	status int
	header http.Header
	text   []byte // at most as much as was asked for
}

func (a answer) etag() string  { return strings.Trim(a.header.Get("ETag"), `"`) }
func (a answer) crc64() string { return a.header.Get("x-cos-hash-crc64ecma") }
func (a answer) id() string    { return printable(a.header.Get("x-cos-request-id")) }

// read turns what COS answered to action into an answer or an error, and reads it to
// its end so that the connection can be used again. However slowly it comes, it is read:
// COS sends blanks while it joins parts. An answer without x-cos-request-id is not COS's.
func read(ctx context.Context, action string, resp *http.Response, limit int64) (answer, *transfer.Error) {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	a := answer{resp.StatusCode, resp.Header, text}
	if a.id() == "" {
		e := transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable,
			"something between here and COS answered with HTTP %d (there is no x-cos-request-id); try again later, and check proxies if it stays so", a.status)
		e.After = transfer.RetryAfter(resp.Header, time.Now())
		return answer{}, e
	}
	code := ""
	if a.status/100 == 2 {
		// Complete may begin its answer before it knows how it ends.
		if code = errorCode(text); code == "" {
			if err != nil {
				return answer{}, transfer.AsError(ctx, transfer.StageUpload, err)
			}
			return a, nil
		}
	} else if code = errorCode(text); code == "" && err != nil {
		return answer{}, transfer.AsError(ctx, transfer.StageUpload, err)
	}
	return answer{}, refusal(action, a, code)
}

// refusal is the error that an answer of COS's stands for.
func refusal(action string, a answer, code string) *transfer.Error {
	c, name := classify(action, a.status, code), code
	if name == "" {
		name = "no error code"
	}
	kind := c.Kind
	if a.status == http.StatusForbidden {
		kind = transfer.KindDenied
	}
	return &transfer.Error{Stage: transfer.StageUpload, Kind: kind, Code: code, After: transfer.RetryAfter(a.header, time.Now()),
		What: fmt.Sprintf("COS answered HTTP %d, %s, to %s: %s (COS request ID %s)", a.status, name, action, c, a.id())}
}

// errorCode reads the code of COS's error document (wire.md B.3), "" where text is
// none. Elements may be missing or cut off, in any order and any charset. Nothing else
// is looked at, because StringToSign and FormatString tell of the signature.
func errorCode(text []byte) string {
	var doc struct {
		XMLName xml.Name
		Code    string
	}
	_ = decoder(text).Decode(&doc) // a document that is cut off leaves what stood before
	code := strings.TrimSpace(doc.Code)
	if doc.XMLName.Local != "Error" {
		return ""
	}
	if code == "" || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != "" || len(code) > 64 {
		return "UnknownError"
	}
	return code
}

func decoder(text []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return d
}

// decode reads the document of a success.
func decode(action string, a answer, into any) *transfer.Error {
	if err := xml.Unmarshal(a.text, into); err != nil {
		return transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable,
			"COS answered %s with something that cannot be read; try again later (COS request ID %s)", action, a.id())
	}
	return nil
}

// printable returns s if it can be shown as a request ID.
func printable(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return ""
		}
	}
	return s[:min(len(s), 128)]
}
