package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origins are the web origins whose pages may call, each as a browser writes it
// in its Origin header.
type Origins []string

// ParseOrigins reads HTTP_CORS_ORIGINS: comma-separated scheme://host[:port]; ""
// means none. A * is refused: it would let every page of the web spend a key
// that it got hold of.
func ParseOrigins(s string) (Origins, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var origins Origins
	for i, entry := range strings.Split(s, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if strings.Contains(entry, "*") {
			return nil, fmt.Errorf("entry %d holds a *; name each origin, like https://example.com", i+1)
		}
		u, err := url.Parse(entry)
		if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != entry || !isASCII(entry) {
			return nil, fmt.Errorf("entry %d is not an origin; write scheme://host or scheme://host:port, without a slash at the end, an international name in its xn-- form", i+1)
		}
		// Browsers leave the scheme's own port out.
		if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
			entry = strings.TrimSuffix(entry, ":"+port)
		}
		origins = append(origins, entry)
	}
	return origins, nil
}

// setHeaders sets the headers that let a page of a listed origin read the answer, and
// reports whether the request is such a page's preflight, which has no key and
// asks for nothing but these headers.
func (o Origins) setHeaders(h http.Header, r *http.Request) (preflight bool) {
	if len(o) == 0 {
		return false
	}
	h.Add("Vary", "Origin")
	origin := r.Header["Origin"]
	if len(origin) != 1 || !slices.Contains(o, origin[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin[0])
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", "Retry-After")
		return false
	}
	h.Set("Access-Control-Allow-Methods", "PUT, POST, GET")
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, x-api-key") // the last is API Gateway's own
	h.Set("Access-Control-Max-Age", "3600")
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' || r < '!' }) < 0
}
