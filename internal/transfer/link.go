package transfer

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// A Link says where a stored file can be read for a while, or why it cannot: Err is
// NotFound when the file is not in the storage. URL is as the storage wrote it. It holds
// a signature, so it does not print.
type Link struct {
	URL string
	Err *Error
}

// Format keeps every verb, %+v and %#v included, from printing the URL.
func (l Link) Format(w fmt.State, _ rune) {
	if l.Err != nil {
		io.WriteString(w, "no link: "+l.Err.Error())
		return
	}
	io.WriteString(w, "a download link")
}

// LinkURL is the URL of a stored file as the storage wrote it. Where the path of its file ID
// stands in it as it is, %, ? and # are of the path, and they are escaped here.
func LinkURL(written, fileID string) string {
	parts := strings.SplitN(fileID, "/", 4) // cloud: "" env.bucket path
	path := "/" + parts[len(parts)-1]
	before, after, found := strings.Cut(written, path)
	if !found || after != "" && after[0] != '?' {
		return written
	}
	return before + (&url.URL{Path: path}).EscapedPath() + after
}

// Parse reads the URL. It may hold characters that a URL may not, because CloudBase
// leaves them as they are (wire.md D.3). They are escaped here, and nothing else changes.
func (l Link) Parse() (*url.URL, error) {
	var b strings.Builder
	for i := range len(l.URL) {
		c := l.URL[i]
		escape := c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 || c == '%' && !isEscape(l.URL[i:])
		if !escape {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	u, err := url.Parse(b.String())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, Errorf(StageCheck, KindUnavailable, "CloudBase answered a download URL that cannot be used; try again later")
	}
	return u, nil
}

func isEscape(s string) bool {
	return len(s) >= 3 && strings.Trim(s[1:3], "0123456789ABCDEFabcdef") == ""
}

// OnlyLink is the URL of a call of Links for one file.
func OnlyLink(links []Link, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case links[0].Err != nil:
		return "", links[0].Err
	}
	return links[0].URL, nil
}
