package tcb

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A COSKey is an access key of the account that owns the buckets, for COS's own API.
type COSKey struct {
	ID, Secret string
	Token      string // x-cos-security-token, when the key is a temporary one
	Deny       Op     // calls that its policy does not allow: 403 AccessDenied
}

// AddKey makes a key known, or replaces the one of the same ID.
func (c *Cloud) AddKey(k COSKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[k.ID] = k
	c.secrets = append(c.secrets, k.Secret)
	if k.Token != "" {
		c.secrets = append(c.secrets, k.Token)
	}
}

// authorizeCall checks the header Authorization of a call of COS's own API (wire.md
// B.4). It is stricter than COS: the host, every parameter and every x-cos-meta-*
// header must be signed.
func (c *Cloud) authorizeCall(r *http.Request, op Op) error {
	auth, lists, ok := parseAuthorizationLists(r.Header.Get("Authorization"))
	if !ok {
		return refuse("AccessDenied", "")
	}
	c.mu.Lock()
	key, known := c.keys[auth.accessKey]
	c.mu.Unlock()
	if !known || r.Header.Get("x-cos-security-token") != key.Token {
		return refuse("InvalidAccessKeyId", "")
	}
	headers := map[string]string{"host": r.Host}
	required := []string{"host"}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		headers[name] = values[0]
		if strings.HasPrefix(name, "x-cos-meta-") {
			required = append(required, name)
		}
	}
	params := map[string]string{}
	for name, values := range r.URL.Query() {
		name = strings.ToLower(encodeComponent(name))
		params[name] = values[0]
		if len(values) > 1 || !slices.Contains(lists.params, name) {
			return refuse("AccessDenied", "A parameter is not signed.")
		}
	}
	for _, name := range required {
		if !slices.Contains(lists.headers, name) {
			return refuse("AccessDenied", "A header is not signed.")
		}
	}
	headerText, ok1 := canonicalPairs(lists.headers, headers)
	paramText, ok2 := canonicalPairs(lists.params, params)
	if !ok1 || !ok2 {
		auth.signature = "" // which is that of no text
	}
	if err := c.verify(r, auth, key.Secret, paramText, headerText); err != nil {
		return err
	}
	if key.Deny&op != 0 {
		return refuse("AccessDenied", "")
	}
	return nil
}

// verify checks a signature over a request (wire.md B.4), and that it is valid now.
func (c *Cloud) verify(r *http.Request, auth authorization, secret, params, headers string) error {
	format := formatString(r.Method, r.URL.Path, params, headers)
	toSign := stringToSign(auth.signTime, format)
	if signature(secret, auth.keyTime, toSign) != auth.signature {
		e := refuse("SignatureDoesNotMatch", "")
		e.toSign, e.format = toSign, format
		return e
	}
	return c.fresh(auth)
}

// fresh refuses a signature that is not valid now.
func (c *Cloud) fresh(auth authorization) error {
	now := c.Now()
	switch {
	case !now.Before(auth.end):
		return refuse("AccessDenied", "Request has expired")
	case now.Before(auth.start):
		return refuse("RequestTimeTooSkewed", "")
	}
	return nil
}

// canonicalPairs writes the listed names, which must be sorted, with their values.
func canonicalPairs(list []string, values map[string]string) (string, bool) {
	if !slices.IsSorted(list) {
		return "", false
	}
	var pairs []string
	for _, name := range list {
		value, there := values[name]
		if !there {
			return "", false
		}
		pairs = append(pairs, name+"="+encodeComponent(value))
	}
	return strings.Join(pairs, "&"), true
}

// encodeComponent is encodeURIComponent with !'()* encoded too.
func encodeComponent(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
