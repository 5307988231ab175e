package tcb

import (
	"crypto/md5"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// COS's multipart upload (https://cloud.tencent.com/document/product/436/7746 and its
// neighbours). Path-style and virtual-host addresses both work.

const (
	minPartSize   = 1 << 20 // but of the last part
	maxPartSize   = 5 << 30
	maxPartNumber = 10_000
	keptPart      = 64 << 20 // what a test's parts stay below, because the whole is made of them
)

// multipartCall is one request of COS's own API.
type multipartCall struct {
	r           *http.Request
	op          Op
	bucket, key string
	id          string // uploadId
	fault       *Fault // nil for none
}

// multipartCall tells whether a request is one, by its method and parameters.
func (c *Cloud) multipartCall(r *http.Request) (*multipartCall, bool) {
	q := r.URL.Query()
	in := &multipartCall{r: r, id: q.Get("uploadId")}
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		in.op = OpInitiate
	case r.Method == http.MethodPut && (q.Has("partNumber") || q.Has("uploadId")):
		in.op = OpPart
	case r.Method == http.MethodGet && q.Has("uploads"):
		in.op = OpListUploads
	case r.Method == http.MethodGet && q.Has("uploadId"):
		in.op = OpListParts
	case r.Method == http.MethodPost && q.Has("uploadId"):
		in.op = OpComplete
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		in.op = OpAbort
	case r.Method == http.MethodHead && r.Header.Get("Authorization") != "":
		in.op = OpHead
	default:
		return nil, false
	}
	in.bucket, in.key = c.addressed(r)
	return in, true
}

// addressed is the bucket and key of a request, in either style of addresses.
func (c *Cloud) addressed(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if host, _, _ := strings.Cut(r.Host, "."); c.envs[host] != "" {
		return host, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// serveMultipart runs one call: faults in its place, the signature, the call itself.
func (c *Cloud) serveMultipart(w http.ResponseWriter, in *multipartCall) {
	c.count(in.op)
	subject := in.key
	if in.op == OpListUploads {
		subject = in.r.URL.Query().Get("prefix")
	}
	in.fault = c.take(in.op, subject)
	if c.answerFormWithFault(w, in.r, in.fault) {
		return
	}
	err := c.runMultipart(w, in)
	var refused *cosError
	switch {
	case err == nil, errors.Is(err, errSilent):
	case errors.As(err, &refused):
		if in.op == OpPart {
			_, _ = io.CopyN(io.Discard, in.r.Body, maxCompleteBody) // so that the answer is not lost to a reset
		}
		c.fail(w, in.r, refused)
	default:
		panic(http.ErrAbortHandler) // the caller is gone
	}
}

func (c *Cloud) runMultipart(w http.ResponseWriter, in *multipartCall) error {
	if c.envs[in.bucket] == "" {
		return refuse("NoSuchBucket", "")
	}
	if err := c.authorizeCall(in.r, in.op); err != nil {
		return err
	}
	if in.op == OpListUploads {
		return c.listUploads(w, in)
	}
	if in.key == "" {
		return refuse("InvalidURI", "")
	}
	if len(in.key) > 850 {
		return refuse("KeyTooLong", "")
	}
	switch in.op {
	case OpInitiate:
		return c.initiate(w, in)
	case OpPart:
		return c.putPart(w, in)
	case OpListParts:
		return c.listParts(w, in)
	case OpComplete:
		return c.complete(w, in)
	case OpAbort:
		if err := c.uploads.remove(in); err != nil {
			return err
		}
		return c.writeResult(w, in, http.StatusNoContent, nil)
	}
	return c.headObject(w, in)
}

// writeResult sends a success, or loses it if the fault says so.
func (c *Cloud) writeResult(w http.ResponseWriter, in *multipartCall, status int, document any) error {
	if in.fault.kind() == fxLost {
		c.reset(w)
		return errSilent
	}
	h := w.Header()
	h.Set("Server", "tencent-cos")
	h.Set("x-cos-request-id", c.newIDs().request)
	if document == nil {
		w.WriteHeader(status)
		return nil
	}
	body, err := xml.MarshalIndent(document, "", "\t")
	if err != nil {
		return err
	}
	body = append([]byte("<?xml version='1.0' encoding='utf-8' ?>\n"), body...)
	if in.fault.kind() == fxTruncated {
		body = body[:len(body)/2]
	}
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
	return nil
}

// initiate begins an upload. What the object will be is said here and nowhere else.
func (c *Cloud) initiate(w http.ResponseWriter, in *multipartCall) error {
	if in.r.ContentLength > 0 {
		return refuse("InvalidArgument", "")
	}
	o, err := c.describe(headerFields(in.r.Header), in.bucket, in.key)
	if err != nil {
		return err
	}
	o.Readable = c.isMetaOf(o.Meta["fileid"], in.bucket, in.key)
	u := &unfinishedUpload{id: strconv.FormatInt(c.Now().Unix(), 10) + randomHex(24), begun: c.Now(), object: *o, parts: map[int]*storedPart{}}
	c.uploads.add(u)
	return c.writeResult(w, in, http.StatusOK, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: in.bucket, Key: in.key, UploadId: u.id})
}

// isMetaOf tells whether a ticket for the key named this x-cos-meta-fileid.
func (c *Cloud) isMetaOf(meta, bucket, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tickets {
		if t.metaID == meta && t.bucket == bucket && t.key == key {
			return true
		}
	}
	return false
}

// putPart stores a part whole or not at all.
func (c *Cloud) putPart(w http.ResponseWriter, in *multipartCall) error {
	number, err := strconv.Atoi(in.r.URL.Query().Get("partNumber"))
	switch {
	case err != nil || number < 1 || number > maxPartNumber:
		return refuse("InvalidArgument", "")
	case in.r.ContentLength < 0 || in.r.Header.Get("Content-Length") == "":
		return refuse("MissingContentLength", "")
	case in.r.ContentLength > maxPartSize:
		return refuse("EntityTooLarge", "")
	}
	if _, err := c.uploads.get(in); err != nil {
		return err
	}
	digest := newDigest(true, keptPart, in.r.ContentLength)
	digest.md5 = md5.New() // the part's ETag
	if _, err := c.drain(w, in.r, in.fault, digest.sink(in.fault)); err != nil {
		return err
	}
	var o Object
	digest.fill(&o)
	if err := checkMD5(headerFields(in.r.Header), o.MD5); err != nil {
		return err
	}
	if in.fault.kind() == fxResetAfter {
		c.reset(w)
		return errSilent
	}
	part := &storedPart{o.Size, o.MD5, o.CRC64, o.Content, c.Now()}
	if err := c.uploads.with(in, func(u *unfinishedUpload) { u.parts[number] = part }); err != nil {
		return err
	}
	setDigests(w.Header(), o.MD5, o.CRC64, in.fault)
	return c.writeResult(w, in, http.StatusOK, nil)
}
