package lambdahost

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A body is the JSON string that holds a request's body. It is decoded by the first
// Read, because a request that is refused by its headers is to cost no more than
// they do.
type body struct {
	raw    json.RawMessage
	base64 bool
	length int64 // by the request's Content-Length; -1 unknown
	data   *bytes.Reader
	err    error
}

// empty reports whether there is nothing in the payload, from its look alone.
func (b *body) empty() bool {
	return len(b.raw) == 0 || string(b.raw) == "null" || string(b.raw) == `""`
}

func (b *body) Read(p []byte) (int, error) {
	if b.data == nil && b.err == nil {
		b.decode()
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.data.Read(p)
}

// changed says what makes fronts pass bodies through.
const changed = "; the front handles it as text. Set binaryMediaTypes to */* on a REST API, or send the body as application/octet-stream"

// decode reads the string, or finds that it is not what the client sent.
func (b *body) decode() {
	var text string
	switch {
	case b.empty():
	case !utf8.Valid(b.raw):
		b.fail("The body did not arrive as it was sent: it is not UTF-8" + changed + ".")
		return
	case json.Unmarshal(b.raw, &text) != nil:
		b.fail("The body in the event is not a text.")
		return
	}
	b.raw = nil
	data := []byte(text)
	if b.base64 {
		n, err := base64.StdEncoding.Decode(data, data)
		if err != nil {
			b.fail("The body in the event is marked as base64 and is not.")
			return
		}
		data = data[:n]
	}
	if b.length >= 0 && b.length != int64(len(data)) {
		b.fail(fmt.Sprintf("The body did not arrive as it was sent: it has %d bytes, and its Content-Length is %d"+changed+".", len(data), b.length))
		return
	}
	b.data = bytes.NewReader(data)
}

func (b *body) fail(what string) {
	b.err = transfer.Errorf(transfer.StageDecode, transfer.KindMalformed, "%s", what)
}

var _ io.Reader = (*body)(nil)

// cutBody returns the payload without the value of its member body, and that value.
// It looks at strings only as far as their ends, so that megabytes of body cost
// little. A payload that is not well-formed may come back as it is; body is nil if
// there is no such member, or if it is no string.
func cutBody(payload []byte) (rest []byte, body json.RawMessage) {
	depth, member := 0, false // member: the next string of the outermost object is a name
	for i := 0; i < len(payload); i++ {
		switch payload[i] {
		case '{', '[':
			depth++
			member = depth == 1
		case '}', ']':
			depth--
		case ',':
			member = depth == 1
		case '"':
			end := stringEnd(payload, i)
			if end < 0 {
				return payload, nil
			}
			if !member || string(payload[i:end]) != `"body"` {
				member = false
				i = end - 1
				continue
			}
			start := skip(payload, end, ':')
			if start >= len(payload) || payload[start] != '"' {
				return payload, nil
			}
			if end = stringEnd(payload, start); end < 0 {
				return payload, nil
			}
			rest = append(append(make([]byte, 0, len(payload)-(end-start)+4), payload[:start]...), "null"...)
			return append(rest, payload[end:]...), payload[start:end]
		}
	}
	return payload, nil
}

// stringEnd is where the string that begins at i ends, behind its quote; -1 if it
// does not.
func stringEnd(s []byte, i int) int {
	for at := i + 1; ; {
		n := bytes.IndexByte(s[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		escapes := 0
		for j := at - 2; j > i && s[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}

// skip is where something other than blanks and the byte c follows.
func skip(s []byte, i int, c byte) int {
	for i < len(s) && (s[i] == c || s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}
