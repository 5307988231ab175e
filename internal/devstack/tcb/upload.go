package tcb

import (
	"bufio"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// errSilent ends a request whose connection a fault has already taken.
var errSilent = errors.New("tcb: no answer")

// serveForm takes a file by a form in a POST (wire.md B), or by PUT.
func (c *Cloud) serveForm(w http.ResponseWriter, r *http.Request) {
	bucket, key := c.addressed(r)
	if c.envs[bucket] == "" {
		c.count(OpStray)
		c.fail(w, r, refuse("NoSuchBucket", ""))
		return
	}
	c.count(OpUpload)
	f := c.take(OpUpload, key)
	if c.answerFormWithFault(w, r, f) {
		return
	}
	receive := c.receive
	if r.Method == http.MethodPut && r.Header.Get("Authorization") != "" {
		receive = c.receivePut
	}
	object, status, err := receive(w, r, bucket, key, f)
	var refused *cosError
	switch {
	case err == nil:
		c.answer(w, r, object, status, f)
	case errors.As(err, &refused):
		c.fail(w, r, refused)
	case errors.Is(err, errSilent):
	default:
		panic(http.ErrAbortHandler) // the caller is gone
	}
}

// receive is POST Object with a form.
func (c *Cloud) receive(w http.ResponseWriter, r *http.Request, bucket, key string, f *Fault) (*Object, int, error) {
	boundary, err := c.admitForm(r)
	if err != nil {
		return nil, 0, err
	}
	body := c.readers.Get().(*bufio.Reader)
	defer c.readers.Put(body)
	body.Reset(c.faultyBody(c.timed(w, r), w, r, f))
	parser := newFormReader(body, boundary, preFileWindow)
	form, err := parser.head()
	if err != nil {
		return nil, 0, err
	}
	path, err := c.path(form, key)
	if err != nil {
		return nil, 0, err
	}
	object, err := c.accept(w, r, form.fields, bucket, path, f, parser.file)
	return object, successStatus(form.fields), err
}

// commit makes an object visible whose content has passed every check.
func (c *Cloud) commit(w http.ResponseWriter, object *Object, auth authorization, f *Fault) error {
	if err := c.fresh(auth); err != nil { // the upload may have crossed the expiry
		return err
	}
	if f.kind() == fxResetAfter {
		c.reset(w)
		return errSilent
	}
	object.Time = c.Now()
	c.store.put(object, c.rules.StaleDownloads)
	return nil
}

// admitForm checks the request line and headers and returns the boundary.
func (c *Cloud) admitForm(r *http.Request) (string, error) {
	kind, params, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	// A JSON body gets the 405 of a wrong method (wire.md F).
	if r.Method != http.MethodPost || !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		return "", refuse("MethodNotAllowed", "")
	}
	if r.ContentLength < 0 || r.Header.Get("Content-Length") == "" {
		return "", refuse("MissingContentLength", "")
	}
	// The boundary is a plain token: quoted ones are reported to fail.
	name, boundary, _ := strings.Cut(strings.TrimSpace(params), "=")
	if !strings.EqualFold(name, "boundary") || boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\"; \t,") {
		return "", errMalformed
	}
	if r.ContentLength > maxSize+bufferSize {
		return "", refuse("EntityTooLarge", "")
	}
	return boundary, nil
}

// path is the object key that the form asks for.
func (c *Cloud) path(f *form, urlKey string) (string, error) {
	key := strings.ReplaceAll(f.fields["key"], "${filename}", f.filename)
	switch {
	case key == "":
		return "", errMalformed
	case len(key) > maxPath:
		return "", refuse("KeyTooLong", "")
	case key != urlKey:
		return "", refuse("AccessDenied", "")
	}
	return key, nil
}

// authenticate finds the ticket and verifies its signature (wire.md B.4).
func (c *Cloud) authenticate(r *http.Request, fields map[string]string) (*ticket, authorization, error) {
	auth, ok := parseAuthorization(fields["signature"])
	if !ok {
		return nil, auth, refuse("AccessDenied", "")
	}
	c.mu.Lock()
	t := c.tickets[auth.accessKey]
	c.mu.Unlock()
	if t == nil || fields["x-cos-security-token"] != t.token {
		return nil, auth, refuse("InvalidAccessKeyId", "")
	}
	return t, auth, c.verify(r, auth, t.secretKey, "", "")
}

// describe makes the object without its content from a form's fields or from headers.
// Who reads it must know its ticket: Readable is left out.
func (c *Cloud) describe(fields map[string]string, bucket, path string) (*Object, error) {
	env := c.envs[bucket]
	o := &Object{
		Env: env, Bucket: bucket, Path: path, FileID: fileIDOf(env, bucket, path),
		ContentType: fields["content-type"], Meta: map[string]string{}, Headers: map[string]string{},
	}
	total := 0
	for name, value := range fields {
		suffix, ok := strings.CutPrefix(name, "x-cos-meta-")
		if !ok {
			continue
		}
		total += len(name) + len(value)
		if suffix == "" || strings.Contains(suffix, "_") || total > 2<<10 {
			return nil, refuse("InvalidArgument", "")
		}
		o.Meta[suffix] = value
	}
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Expires"} {
		if value := fields[strings.ToLower(name)]; value != "" {
			o.Headers[name] = value
		}
	}
	return o, nil
}

// checkMD5 compares with the Content-MD5 of the fields, if they have one. The sum is empty
// when it is not known.
func checkMD5(fields map[string]string, sum string) error {
	want, sent := fields["content-md5"]
	if !sent {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(raw) != md5.Size {
		return refuse("InvalidDigest", "")
	}
	if sum != "" && sum != hexOf(raw) {
		return refuse("BadDigest", "")
	}
	return nil
}

func successStatus(fields map[string]string) int {
	switch fields["success_action_status"] {
	case "200":
		return http.StatusOK
	case "201":
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// answer is the success of wire.md B.2, unless the fault changes it.
func (c *Cloud) answer(w http.ResponseWriter, r *http.Request, o *Object, status int, f *Fault) {
	h := w.Header()
	setDigests(h, o.ETag, o.CRC64, f)
	h.Set("Location", c.cosOrigin(r)+escapePath("/"+o.Bucket+"/"+o.Path, false))
	h.Set("Server", "tencent-cos")
	h.Set("x-cos-request-id", c.newIDs().request)
	switch f.kind() {
	case fxLost:
		c.reset(w)
		return
	case fxProcessing:
		for range pieces {
			c.pause(r, f.Delay)
			w.WriteHeader(http.StatusProcessing)
		}
	case fxStatus:
		status = f.Status
	}
	w.WriteHeader(status)
}

// setDigests states the digests of a part or an object, unless the fault changes them. The
// answer to Complete has its ETag elsewhere, and states none here.
func setDigests(h http.Header, etag string, crc uint64, f *Fault) {
	switch f.kind() {
	case fxWrongETag:
		etag = strings.Repeat("0", 32)
	case fxKMS:
		etag = randomHex(16)
		h.Set("x-cos-server-side-encryption", "cos/kms")
	case fxWrongCRC:
		crc ^= 1
	}
	if etag != "" {
		h.Set("ETag", `"`+etag+`"`)
	}
	if f.kind() != fxNoCRC {
		h.Set("x-cos-hash-crc64ecma", strconv.FormatUint(crc, 10))
	}
}

// timed sets a deadline before every read of the body.
func (c *Cloud) timed(w http.ResponseWriter, r *http.Request) io.Reader {
	return &timedReader{r.Body, http.NewResponseController(w), c.rules.ReadTimeout}
}

type timedReader struct {
	r          io.Reader
	controller *http.ResponseController
	limit      time.Duration
}

func (t *timedReader) Read(p []byte) (int, error) {
	// Recorders have no connection and need no deadline.
	_ = t.controller.SetReadDeadline(time.Now().Add(t.limit))
	n, err := t.r.Read(p)
	if err == io.EOF {
		_ = t.controller.SetReadDeadline(time.Time{})
	}
	return n, err
}
