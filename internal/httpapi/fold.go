package httpapi

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// compatible are the characters that Unicode's compatibility decomposition
// (NFKC) turns into full stops, slashes and backslashes.
var compatible = map[rune]string{
	'\u2024': ".", '\u2025': "..", '\ufe52': ".", '\uff0e': ".",
	'\uff0f': "/", '\ufe68': "\\", '\uff3c': "\\",
}

// fold writes a decoded path as the most lenient server might read it: overlong
// UTF-8 and compatibility characters become ASCII, blanks and invisible characters
// go.
func fold(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); {
		if c, n := overlong(path[i:]); n > 0 {
			b.WriteByte(c)
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(path[i:])
		switch ascii, ok := compatible[r]; {
		case ok:
			b.WriteString(ascii)
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
		case r == utf8.RuneError && n == 1:
			b.WriteByte(path[i])
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// overlong reads an ASCII character that is written in two, three or four bytes,
// which UTF-8 forbids (RFC 3629, section 10).
func overlong(s string) (c byte, n int) {
	switch {
	case len(s) >= 2 && (s[0] == 0xc0 || s[0] == 0xc1) && s[1]&0xc0 == 0x80:
		return s[0]&1<<6 | s[1]&0x3f, 2
	case len(s) >= 3 && s[0] == 0xe0 && s[1]&^1 == 0x80 && s[2]&0xc0 == 0x80:
		return s[1]&1<<6 | s[2]&0x3f, 3
	case len(s) >= 4 && s[0] == 0xf0 && s[1] == 0x80 && s[2]&^1 == 0x80 && s[3]&0xc0 == 0x80:
		return s[2]&1<<6 | s[3]&0x3f, 4
	}
	return 0, 0
}
