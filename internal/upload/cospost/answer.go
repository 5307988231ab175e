package cospost

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	maxAnswer = 64 << 10
	// patience is how long the body of an answer may take.
	patience = 15 * time.Second
)

// read turns COS's answer into a receipt or an error, and reads it to its end so
// that the connection can be used again. cancel must end the request.
func read(ctx context.Context, resp *http.Response, cancel context.CancelFunc) (transfer.Receipt, *transfer.Error) {
	defer time.AfterFunc(patience, cancel).Stop()
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))

	id := printable(resp.Header.Get("x-cos-request-id"))
	if id == "" {
		e := fault(transfer.KindUnavailable, fmt.Sprintf("something between here and COS answered with HTTP %d (there is no x-cos-request-id); try again later, and check proxies if it stays so", resp.StatusCode))
		e.After = retryAfter(resp.Header)
		return transfer.Receipt{}, e
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return transfer.Receipt{
			Status:    resp.StatusCode,
			ETag:      strings.Trim(resp.Header.Get("ETag"), `"`),
			CRC64:     resp.Header.Get("x-cos-hash-crc64ecma"),
			RequestID: id,
		}, nil
	}
	code, message := parseError(text)
	if code == "" && err != nil {
		return transfer.Receipt{}, transfer.AsError(ctx, transfer.StageUpload, err)
	}
	kind, what := judge(resp.StatusCode, code, message)
	name := code
	if name == "" {
		name = "no error code"
	}
	e := fault(kind, fmt.Sprintf("COS answered HTTP %d, %s: %s (COS request ID %s)", resp.StatusCode, name, what, id))
	e.Code, e.After = code, retryAfter(resp.Header)
	return transfer.Receipt{}, e
}

// parseError reads what it can of COS's error document (wire.md B.3): elements may
// be missing or cut off, in any order and any charset. Nothing but Code and
// Message is looked at; StringToSign, FormatString and Resource may tell of the
// signature, so that none of it, Message included, is ever shown.
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

// retryAfter reads Retry-After: seconds or a date; 0 when it says nothing.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t).Round(time.Second))
	}
	return 0
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
