package s3source

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxTagValue is the longest tag value in UTF-16 code units, as S3 counts
// (docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const maxTagValue = 256

// tagValue writes s as a tag value: a character that a tag may not hold becomes
// =HH for each of its bytes, and what is then too long becomes sha256:HEX of s
// (reference/configuration.md).
func tagValue(s string) string {
	var b strings.Builder
	units := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !inTag(r) {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, "=%02X", c)
			}
			units += 3 * n
		} else {
			b.WriteRune(r)
			units += utf16.RuneLen(r)
		}
		i += n
	}
	if units > maxTagValue {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s)))
	}
	return b.String()
}

// inTag reports whether a tag may hold r: letters, digits and spaces of any
// script, and eight signs.
func inTag(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.Z) || r < utf8.RuneSelf && strings.ContainsRune("+-=._:/@", r)
}
