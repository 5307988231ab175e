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

	id := sanitizeRequestID(resp.Header.Get("x-cos-request-id"))
	if id == "" {
		e := newError(transfer.KindUnavailable, "something between here and COS answered with HTTP %d (there is no x-cos-request-id); try again later, and check proxies if it stays so", resp.StatusCode)
		e.After = transfer.RetryAfter(resp.Header, time.Now())
		return transfer.Receipt{}, e
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
	code, message := parseError(text)
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

// parseError reads what it can of COS's error document (wire.md B.3). Elements may be
// missing or cut off, and they come in any order and charset. Only Code and Message
// are looked at: StringToSign, FormatString and Resource may give the signature away.
// For the same reason none of the document's text, Message included, is ever shown.
func parseError(text []byte) (code, message string) {
	var doc struct{ Code, Message string }
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	_ = d.Decode(&doc) // a document cut off leaves what stood before
	code = strings.TrimSpace(doc.Code)
	if strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != "" || len(code) > 64 {
		code = ""
	}
	return code, doc.Message
}

// sanitizeRequestID returns s if it can be shown as a request ID, cut at 128 bytes, and
// else "".
func sanitizeRequestID(s string) string {
	if strings.Contains(s, " ") || !isPrintable(s) {
		return ""
	}
	return s[:min(len(s), 128)]
}
