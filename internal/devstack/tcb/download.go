package tcb

import (
	"crypto/hmac"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// linkPrefix begins the path of a download URL; no bucket can begin so.
const linkPrefix = "/_cdn/"

// link is the path and query of a download URL. Like the real one a raw link may hold
// characters that are not ASCII, unescaped (wire.md D.3).
func (c *Cloud) link(name string, until time.Time, raw bool) string {
	expiry := strconv.FormatInt(until.Unix(), 10)
	return linkPrefix + escapePath(name, raw) + "?sign=" + c.linkSign(name, expiry) + "&t=" + expiry
}

func (c *Cloud) linkSign(name, expiry string) string { return hmacHex(c.linkSeed, name+"\n"+expiry) }

// download serves GET and HEAD of a download URL.
func (c *Cloud) download(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		c.fail(w, r, refuse("MethodNotAllowed", ""))
		return
	}
	name, query := strings.TrimPrefix(r.URL.Path, linkPrefix), r.URL.Query()
	expiry, err := strconv.ParseInt(query.Get("t"), 10, 64)
	if err != nil || !hmac.Equal([]byte(query.Get("sign")), []byte(c.linkSign(name, query.Get("t")))) {
		c.fail(w, r, refuse("AccessDenied", ""))
		return
	}
	if c.Now().Unix() > expiry {
		c.fail(w, r, refuse("AccessDenied", "Request has expired"))
		return
	}
	v, ok := c.store.get(name)
	if !ok || !v.current.Readable {
		c.fail(w, r, &cosError{status: 404, code: "NoSuchKey", message: "The specified key does not exist."})
		return
	}
	o := v.current
	if c.rules.StaleDownloads && v.previous != nil {
		o = v.previous
	}
	c.sendObject(w, r, o)
}

func (c *Cloud) sendObject(w http.ResponseWriter, r *http.Request, o *Object) {
	if r.Method == http.MethodGet && o.Content == nil && o.Size > 0 {
		c.fail(w, r, refuse("NotImplemented", "This emulator keeps the content of small files only."))
		return
	}
	h := w.Header()
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		h.Set(name, o.Headers[name])
	}
	contentType := o.ContentType
	if contentType == "" {
		contentType = derivedType(o.Path)
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("ETag", `"`+o.ETag+`"`)
	h.Set("Last-Modified", o.Time.UTC().Format(http.TimeFormat))
	h.Set("Server", "tencent-cos")
	h.Set("x-cos-request-id", c.newIDs().request)
	h.Set("x-cos-hash-crc64ecma", strconv.FormatUint(o.CRC64, 10))
	for name, value := range o.Meta {
		h.Set("x-cos-meta-"+name, value)
	}
	w.Write(o.Content) // nothing is sent for HEAD
}

// derivedType is what COS serves when nothing was stored: a type that follows
// from the name (wire.md B.1).
func derivedType(key string) string {
	if byName := mime.TypeByExtension(path.Ext(key)); byName != "" {
		return byName
	}
	return "application/octet-stream"
}
