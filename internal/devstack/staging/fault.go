package staging

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/gofakes3"
)

// A Fault applies to one GET of an object. With Status the object is not sent at
// all. Otherwise After bytes of the answer's body arrive unchanged. Then Then is
// called, and the first of Break, Stall, Short and Rate that is set takes effect.
// Without any of them the rest follows unchanged, as does an answer of no more than
// After bytes.
type Fault struct {
	Status  int    // answer with this status and an S3 error document instead
	Code    string // its Code; by default S3's usual one for Status
	Message string // its Message; by default the status's text
	Page    bool   // no document: answer as a gateway before the store does, in plain text and without a request ID

	After int64  // bytes of the body that arrive first
	Then  func() // called once, when After bytes are sent; it may replace the object
	Break bool   // close the connection
	Stall bool   // send nothing more until the client goes away or the Server is closed
	Short bool   // end the answer here, with a Content-Length that agrees
	Rate  int    // send the rest at this many bytes per second
}

// Inject queues faults. Each applies to one of the next GETs of any object.
func (s *Server) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

func (s *Server) nextFault(bucket, key string) *Fault {
	s.mu.Lock()
	s.gets[bucket+"/"+key]++
	nth := s.gets[bucket+"/"+key]
	if len(s.faults) > 0 {
		f := s.faults[0]
		s.faults = s.faults[1:]
		s.mu.Unlock()
		return &f
	}
	s.mu.Unlock()
	if s.OnGet == nil {
		return nil
	}
	return s.OnGet(bucket, key, nth)
}

var usualCode = map[int]string{
	http.StatusForbidden:           "AccessDenied",
	http.StatusNotFound:            "NoSuchKey",
	http.StatusInternalServerError: "InternalError",
	http.StatusServiceUnavailable:  "SlowDown",
}

// writeError answers with an S3 error document.
func writeError(w http.ResponseWriter, status int, code, message string) {
	doc := struct {
		XMLName struct{} `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(doc) // a client that went away needs no error
}

// A responseWriter sits between gofakes3 and the client. It gives the headers their
// true ETag, adds COS's, and applies a fault.
type responseWriter struct {
	http.ResponseWriter
	request *http.Request
	closed  <-chan struct{}

	md5, etag, crc64, nvme string // of the object, if any: what gofakes3 calls its ETag, its true one, for COS its CRC64, for S3 its CRC64NVME

	fault   *Fault
	began   bool
	sent    int64
	applied bool // the fault has begun
	aborted bool // no more bytes, and the connection is closed
}

var errCutOff = errors.New("the answer was cut off by a fault")

// refused answers a fault that sends no object.
func (a *responseWriter) refused() bool {
	if a.fault == nil || a.fault.Status == 0 {
		return false
	}
	if a.fault.Page {
		a.Header().Del("x-cos-request-id")
		http.Error(a.ResponseWriter, "default backend - "+strconv.Itoa(a.fault.Status), a.fault.Status)
		return true
	}
	code := a.fault.Code
	if code == "" {
		code = usualCode[a.fault.Status]
	}
	message := a.fault.Message
	if message == "" {
		message = http.StatusText(a.fault.Status)
	}
	writeError(a.ResponseWriter, a.fault.Status, code, message)
	return true
}

func (a *responseWriter) know(o *gofakes3.Object, cos bool) {
	a.etag = etagOf(o)
	if a.md5 = a.etag; o.Metadata[metaETag] != "" {
		a.md5 = hex.EncodeToString(o.Hash)
	}
	if cos {
		a.crc64 = o.Metadata[metaCRC64]
	} else if a.request.Header.Get("x-amz-checksum-mode") == "ENABLED" {
		a.nvme = o.Metadata[metaNVME]
	}
}

// translate rewrites the client's conditions into the ETag that gofakes3 knows.
func (a *responseWriter) translate(h http.Header) {
	if a.md5 == a.etag {
		return
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if v := h.Get(name); v != "" && v != "*" {
			v = strings.ReplaceAll(v, a.md5, "not-an-etag-here")
			h.Set(name, strings.ReplaceAll(v, a.etag, a.md5))
		}
	}
}

func (a *responseWriter) WriteHeader(status int) {
	if a.began {
		return
	}
	a.began = true
	h := a.Header()
	ok := status == http.StatusOK || status == http.StatusPartialContent
	if read := a.request.Method == http.MethodGet || a.request.Method == http.MethodHead; read && a.etag != "" && h.Get("ETag") == `"`+a.md5+`"` {
		h.Set("ETag", `"`+a.etag+`"`)
		if ok && a.crc64 != "" {
			h.Set("x-cos-hash-crc64ecma", a.crc64)
		}
		if status == http.StatusOK && a.nvme != "" {
			h.Set("x-amz-checksum-crc64nvme", a.nvme)
			h.Set("x-amz-checksum-type", "FULL_OBJECT")
		}
	}
	if !ok {
		a.fault = nil
	}
	if a.fault != nil && a.fault.Short {
		if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
			h.Set("Content-Length", strconv.FormatInt(min(n, a.fault.After), 10))
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *responseWriter) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.fault == nil {
		return a.ResponseWriter.Write(p)
	}
	if a.aborted {
		return 0, errCutOff
	}
	n := 0
	if head := min(int64(len(p)), a.fault.After-a.sent); head > 0 {
		m, err := a.ResponseWriter.Write(p[:head])
		n, a.sent = m, a.sent+int64(m)
		if err != nil {
			return n, err
		}
	}
	if n == len(p) && a.sent < a.fault.After {
		return n, nil
	}
	m, err := a.applyFault(p[n:])
	return n + m, err
}

// applyFault deals with the bytes after the fault's point.
func (a *responseWriter) applyFault(rest []byte) (int, error) {
	if !a.applied {
		a.applied = true
		_ = http.NewResponseController(a.ResponseWriter).Flush() // what came before the fault does arrive
		if a.fault.Then != nil {
			a.fault.Then()
		}
	}
	switch {
	case a.fault.Break:
		a.aborted = true
		return 0, errCutOff
	case a.fault.Stall:
		a.aborted = true
		select {
		case <-a.request.Context().Done():
		case <-a.closed:
		}
		return 0, errCutOff
	case a.fault.Short:
		return len(rest), nil
	case a.fault.Rate > 0:
		return a.trickle(rest)
	}
	return a.ResponseWriter.Write(rest)
}

// trickle sends p at the fault's rate, twenty pieces a second.
func (a *responseWriter) trickle(p []byte) (n int, err error) {
	const pause = 50 * time.Millisecond
	piece := max(1, a.fault.Rate/int(time.Second/pause))
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n < len(p) {
		select {
		case <-tick.C:
		case <-a.request.Context().Done():
			return n, errCutOff
		case <-a.closed:
			return n, errCutOff
		}
		m, err := a.ResponseWriter.Write(p[n:min(len(p), n+piece)])
		n += m
		if err != nil {
			return n, err
		}
		_ = http.NewResponseController(a.ResponseWriter).Flush()
	}
	return n, nil
}

// finish ends the answer. gofakes3 leaves the header of an answer without a body to
// net/http. net/http also closes the connection of an answer that was cut off.
func (a *responseWriter) finish() {
	a.WriteHeader(http.StatusOK)
	if a.aborted {
		panic(http.ErrAbortHandler)
	}
}
