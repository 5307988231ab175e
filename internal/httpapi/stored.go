package httpapi

import (
	"mime"
	"net/http"
	"strings"
)

// stored are the headers of a body that become the file's, word for word.
type stored struct{ contentType, contentEncoding, cacheControl, contentDisposition string }

// maxStored is the longest header that is stored, in bytes: package cospost, which
// has 8 KiB for all fields of a form, leaves longer ones out.
const maxStored = 1 << 10

// storedHeaders reads the headers of a body, or of a form's file part. The
// Content-Disposition is left to the caller, because in a form it is the part's.
func storedHeaders(h http.Header) (stored, *problem) {
	s := stored{contentType: h.Get("Content-Type"), contentEncoding: h.Get("Content-Encoding"), cacheControl: h.Get("Cache-Control")}
	if s.contentType != "" {
		if _, _, err := mime.ParseMediaType(s.contentType); err != nil {
			return stored{}, malformed("The Content-Type is not well-formed; write it like image/png.")
		}
	}
	for coding := range strings.SplitSeq(s.contentEncoding, ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); {
		case coding == "identity":
			s.contentEncoding = ""
		case coding == "aws-chunked":
			return stored{}, unsupported("A body with the Content-Encoding aws-chunked is not taken; send the file's bytes as they are.")
		}
	}
	if !isStorable(s.contentEncoding) {
		return stored{}, unstorable("Content-Encoding")
	}
	if !isStorable(s.cacheControl) {
		return stored{}, unstorable("Cache-Control")
	}
	return s, nil
}

// isStorable reports whether COS can store a header's value: printable ASCII.
func isStorable(value string) bool {
	return len(value) <= maxStored && strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func unstorable(name string) *problem {
	return malformed("The " + name + " cannot be stored with the file: it may have 1024 characters of printable ASCII at most.")
}
