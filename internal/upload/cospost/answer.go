package cospost

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxDocument is how much of an error document is read. COS's have less than 2 KB
// (wire.md G3 to G5).
const maxDocument = 64 << 10

// parseResponse turns COS's answer into a receipt or an error. It reads the answer to
// its end, so that the connection can be used again.
func parseResponse(ctx context.Context, resp *http.Response) (transfer.Receipt, *transfer.Error) {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))

	id, foreign := RequestID(resp)
	if foreign != nil {
		return transfer.Receipt{}, foreign
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return transfer.Receipt{
			Status:     resp.StatusCode,
			ETag:       strings.Trim(resp.Header.Get("ETag"), `"`),
			CRC64:      resp.Header.Get("x-cos-hash-crc64ecma"),
			Encryption: resp.Header.Get("x-cos-server-side-encryption"),
			RequestID:  id,
		}, nil
	}
	code, message, _ := ParseError(text)
	if code == "" && err != nil {
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageUpload, err)
	}
	meaning := classify(resp.StatusCode, code, message)
	name := code
	if name == "" {
		name = "no error code"
	}
	e := newError(meaning.Kind, "COS answered HTTP %d, %s: %s (COS request ID %s)", resp.StatusCode, name, meaning, id)
	e.Code, e.After = code, transfer.RetryAfter(resp.Header, time.Now())
	return transfer.Receipt{}, e
}

// ParseError reads what it can of COS's error document (wire.md B.3), and reports whether
// text is one. Elements may be missing or cut off, and they come in any order and charset.
// Only Code and Message are looked at: StringToSign, FormatString and Resource may give the
// signature away. For the same reason none of the document's text, Message included, is ever
// shown. A Code that cannot be one is "".
func ParseError(text []byte) (code, message string, ok bool) {
	var doc struct {
		XMLName       xml.Name
		Code, Message string
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	_ = d.Decode(&doc) // a document cut off leaves what stood before
	code = strings.TrimSpace(doc.Code)
	if strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != "" || len(code) > 64 {
		code = ""
	}
	return code, doc.Message, doc.XMLName.Local == "Error"
}

// RequestID returns COS's ID of a request, cut at 128 bytes so that it can be shown. An
// answer without one is not COS's.
func RequestID(resp *http.Response) (string, *transfer.Error) {
	id := resp.Header.Get("x-cos-request-id")
	if id != "" && !strings.Contains(id, " ") && isPrintable(id) {
		return id[:min(len(id), 128)], nil
	}
	e := newError(transfer.KindUnavailable, "something between here and COS answered with HTTP %d (there is no x-cos-request-id); try again later, and check proxies if it stays so", resp.StatusCode)
	e.After = transfer.RetryAfter(resp.Header, time.Now())
	return "", e
}
