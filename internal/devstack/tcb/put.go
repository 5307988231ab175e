package tcb

import (
	"io"
	"net/http"
	"strings"
)

// receivePut is PUT Object with a ticket's headers (beyond.md 6.2). Like receive it
// stores nothing before every check has passed.
func (c *Cloud) receivePut(w http.ResponseWriter, r *http.Request, bucket, key string, f *Fault) (*Object, int, error) {
	if r.ContentLength < 0 || r.Header.Get("Content-Length") == "" {
		return nil, 0, refuse("MissingContentLength", "")
	}
	if r.ContentLength > maxSize {
		return nil, 0, refuse("EntityTooLarge", "")
	}
	form := headerForm(r.Header)
	t, auth, err := c.authenticate(r, form)
	if err != nil {
		return nil, 0, err
	}
	if bucket != t.bucket || key != t.key {
		return nil, 0, refuse("AccessDenied", "")
	}
	object, err := c.describe(form, t, bucket, key)
	if err != nil {
		return nil, 0, err
	}
	digest := newDigest(c.CRC64Only, c.KeepContent, r.ContentLength)
	size, err := c.drain(c.faultyBody(c.timed(w, r), w, r, f), digest.sink(f))
	if err != nil {
		return nil, 0, err
	}
	digest.fill(object)
	if err := checkMD5(form, object, size); err != nil {
		return nil, 0, err
	}
	if err := c.commit(w, object, auth, f); err != nil {
		return nil, 0, err
	}
	return object, http.StatusOK, nil
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
