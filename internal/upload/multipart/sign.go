package multipart

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Credentials sign requests to COS. Token is set with temporary ones only.
type Credentials struct {
	ID         string
	Key, Token transfer.Secret
}

// A param is one parameter of a query, unescaped. A name without a value is one with "".
type param struct{ name, value string }

// query writes params as a request line carries them. A name alone has no "=".
func query(params []param) string {
	var all []string
	for _, p := range params {
		text := escape(p.name, false)
		if p.value != "" {
			text += "=" + escape(p.value, false)
		}
		all = append(all, text)
	}
	return strings.Join(all, "&")
}

const (
	// validFor is how long a signature is good: longer than any function runs, because
	// COS may look at it when the last byte of a slow part arrives.
	validFor = time.Hour
	// clockSkew lets a signature begin before now, by a clock that is ahead (a guess).
	clockSkew = time.Minute
)

// sign adds the headers that authorise req by COS's own algorithm (wire.md B.4;
// https://cloud.tencent.com/document/product/436/7778). It signs the method, the
// decoded path, all params, the host and every x-cos-* header that req has.
func (c Credentials) sign(req *http.Request, params []param, now time.Time) {
	headers := []param{{"host", req.Host}}
	for name, values := range req.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-cos-") {
			headers = append(headers, param{name, values[0]})
		}
	}
	headerList, headerText := canonical(headers)
	paramList, paramText := canonical(params)
	times := strconv.FormatInt(now.Add(-clockSkew).Unix(), 10) + ";" + strconv.FormatInt(now.Add(validFor).Unix(), 10)
	format := strings.ToLower(req.Method) + "\n" + req.URL.Path + "\n" + paramText + "\n" + headerText + "\n"
	req.Header.Set("Authorization", "q-sign-algorithm=sha1&q-ak="+c.ID+"&q-sign-time="+times+"&q-key-time="+times+
		"&q-header-list="+headerList+"&q-url-param-list="+paramList+"&q-signature="+signature(c.Key.Reveal(), times, format))
	if token := c.Token.Reveal(); token != "" {
		req.Header.Set("X-Cos-Security-Token", token)
	}
}

// signature is q-signature of a canonical request (FormatString).
func signature(key, times, format string) string {
	sum := sha1.Sum([]byte(format))
	return mac(mac(key, times), "sha1\n"+times+"\n"+hex.EncodeToString(sum[:])+"\n")
}

func mac(key, text string) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// canonical returns the names of params as a list, and the params as they are
// signed: names in lower case, names and values encoded, sorted by name.
func canonical(params []param) (list, text string) {
	lower := make([]param, len(params))
	for i, p := range params {
		lower[i] = param{strings.ToLower(escape(p.name, false)), escape(p.value, false)}
	}
	slices.SortFunc(lower, func(a, b param) int { return strings.Compare(a.name, b.name) })
	var names, pairs []string
	for _, p := range lower {
		names, pairs = append(names, p.name), append(pairs, p.name+"="+p.value)
	}
	return strings.Join(names, ";"), strings.Join(pairs, "&")
}

// escape percent-encodes everything but unreserved characters (RFC 3986, 2.3) and, in
// a path, slashes. COS's signature wants values so, and a path so encoded decodes to
// the same on every side.
func escape(s string, path bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0, path && c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
