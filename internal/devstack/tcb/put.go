package tcb

import (
	"io"
	"net/http"
	"strings"
)

// receivePut is PUT Object with a ticket's headers (wire-cloudbase.md A).
func (c *Cloud) receivePut(w http.ResponseWriter, r *http.Request, bucket, key string, f *Fault) (*Object, int, error) {
	if r.ContentLength < 0 || r.Header.Get("Content-Length") == "" {
		return nil, 0, refuse("MissingContentLength", "")
	}
	if r.ContentLength > maxSize {
		return nil, 0, refuse("EntityTooLarge", "")
	}
	object, err := c.accept(w, r, headerFields(r.Header), bucket, key, f, func(sink io.Writer) (int64, error) {
		return c.drain(w, r, f, sink)
	})
	return object, http.StatusOK, err
}

// accept is what both kinds of upload do with an authorization and a file: content
// writes the file to its sink. Nothing is stored before every check has passed.
func (c *Cloud) accept(w http.ResponseWriter, r *http.Request, fields map[string]string, bucket, key string, f *Fault, content func(sink io.Writer) (int64, error)) (*Object, error) {
	t, auth, err := c.authenticate(r, fields)
	if err != nil {
		return nil, err
	}
	if bucket != t.bucket || key != t.key {
		return nil, refuse("AccessDenied", "")
	}
	object, err := c.describe(fields, bucket, key)
	if err != nil {
		return nil, err
	}
	object.Readable = fields["x-cos-meta-fileid"] == t.metaID
	digest := newDigest(c.CRC64Only, c.KeepContent, r.ContentLength)
	size, err := content(digest.sink(f))
	if err != nil {
		return nil, err
	}
	digest.fill(object)
	sum := object.MD5
	if size != object.Size { // a fault has shortened it
		sum = ""
	}
	if err := checkMD5(fields, sum); err != nil {
		return nil, err
	}
	return object, c.commit(w, object, auth, f)
}

// drain reads a body to its end.
func (c *Cloud) drain(w http.ResponseWriter, r *http.Request, f *Fault, sink io.Writer) (int64, error) {
	size, err := io.Copy(sink, c.faultyBody(c.timed(w, r), w, r, f))
	if err != nil {
		err = cut(err)
	}
	return size, err
}

// headerFields are what a request has in headers, as the fields of a form.
func headerFields(h http.Header) map[string]string {
	fields := map[string]string{}
	for name, values := range h {
		switch name = strings.ToLower(name); {
		case name == "authorization":
			fields["signature"] = values[0]
		case strings.HasPrefix(name, "x-cos-"), strings.HasPrefix(name, "content-"), name == "cache-control", name == "expires":
			fields[name] = values[0]
		}
	}
	return fields
}
