package check

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// String is the result's line of the report, without its end: the state's character, a
// space and the source; see Shown.
func (r Result) String() string { return string(r.State) + " " + Shown(r.Item.Ref.String()) }

// Shown is text as it is, fit for one line of a terminal. A text with characters that end
// a line, drive a terminal or change the direction of writing becomes a JSON string, in
// quotes, with these characters as \uXXXX. So the JSON decoder gives it back.
func Shown(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, drives) < 0 {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case drives(c): // all are below U+10000
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func drives(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// ManifestLine is the result's line of a manifest of what is to be delivered again, without
// its end; "" if it is to be in none. It is a line of a manifest for S3 Batch Operations:
// the bucket and the percent-encoded key. For COS it is a plain request, in JSON.
func (r Result) ManifestLine() string {
	ref := r.Item.Ref
	switch {
	case r.State != StateMissing && r.State != StateDifferent:
		return ""
	case ref.Scheme == transfer.SchemeS3:
		return ref.Bucket + "," + percentEncoded(ref.Key)
	}
	line, _ := transfer.JSON(map[string][]string{"files": {ref.String()}}) // strings are always encoded
	return string(line)
}

// percentEncoded encodes all but unreserved characters and slashes (RFC 3986, 2.3), so
// that a CSV needs no quotes and + means nothing else.
func percentEncoded(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
