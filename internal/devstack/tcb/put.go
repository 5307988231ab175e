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
	form := headerForm(r.Header)
	object, err := c.accept(w, r, form, bucket, key, f, func(sink func([]byte)) (int64, error) {
		return c.drain(c.faultyBody(c.timed(w, r), w, r, f), sink)
	})
	return object, http.StatusOK, err
}

// accept is what both kinds of upload do with an authorization and a file: content
// writes the file to its sink. Nothing is stored before every check has passed.
func (c *Cloud) accept(w http.ResponseWriter, r *http.Request, form *form, bucket, key string, f *Fault, content func(sink func([]byte)) (int64, error)) (*Object, error) {
	t, auth, err := c.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	if bucket != t.bucket || key != t.key {
		return nil, refuse("AccessDenied", "")
	}
	object, err := c.describe(form, t, bucket, key)
	if err != nil {
		return nil, err
	}
	digest := newDigest(c.CRC64Only, c.KeepContent, r.ContentLength)
	size, err := content(digest.sink(f))
	if err != nil {
		return nil, err
	}
	digest.fill(object)
	if err := checkMD5(form, object, size); err != nil {
		return nil, err
	}
	return object, c.commit(w, object, auth, f)
}

// drain reads a body to its end.
func (c *Cloud) drain(body io.Reader, sink func([]byte)) (size int64, err error) {
	buf := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		sink((*buf)[:n])
		size += int64(n)
		switch {
		case err == io.EOF:
			return size, nil
		case err != nil:
			return size, cut(err)
		}
	}
}

// headerForm is what a PUT has in headers, as the fields of a form.
func headerForm(h http.Header) *form {
	fields := map[string]string{}
	for name, values := range h {
		switch name = strings.ToLower(name); {
		case name == "authorization":
			fields["signature"] = values[0]
		case strings.HasPrefix(name, "x-cos-"), strings.HasPrefix(name, "content-"), name == "cache-control", name == "expires":
			fields[name] = values[0]
		}
	}
	return &form{fields: fields}
}
