package workbench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// AroundS3 watches what functions read from the bucket.
func (b *Bench) AroundS3(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); r.Method == http.MethodGet && key != "" {
			b.hub.update(byKey(bucket, key), func(f *File) {
				switch from := rangeStart(r.Header.Get("Range")); {
				case f.pieces: // each part is a range
				case from > 0:
					f.Resumes++
					f.mark("resumed", strconv.FormatInt(from, 10))
				default:
					f.mark("opened", "")
				}
			})
		}
		next.ServeHTTP(w, r)
	})
}

// rangeStart is where a Range begins, 0 without one.
func rangeStart(header string) int64 {
	from, _, _ := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	n, _ := strconv.ParseInt(from, 10, 64)
	return n
}

// AroundAPI watches the calls to the WeChat API, to CloudBase's HTTP API and to COS, and
// lets the page read COS's answers: a real bucket has CORS rules, which its owner sets.
func (b *Bench) AroundAPI(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && loopbackOrigin(origin) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", "POST, PUT")
			h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			if r.Method == http.MethodOptions {
				return
			}
		}
		answer := &statusWriter{ResponseWriter: w}
		path := r.URL.Path
		switch {
		case path == "/tcb/uploadfile", strings.HasSuffix(path, "/get-objects-upload-info"):
			b.ticket(next, answer, r)
		case strings.HasPrefix(path, "/tcb/"), strings.HasPrefix(path, "/cgi-bin/"), strings.HasPrefix(path, tcb.KeyPrefix+"/"):
			b.told(next, answer, r)
		case r.Method == http.MethodPost || r.Method == http.MethodPut:
			b.upload(next, answer, r)
		default:
			next.ServeHTTP(answer, r)
		}
	})
}

// A statusWriter keeps the status; 0 means that the connection was cut off before one.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// peek returns a small body and puts it back.
func peek(r *http.Request) []byte {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // what is missing, the emulator misses too
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// ticket watches a call for an upload ticket. A path that no file has is a file of the
// HTTP function.
func (b *Bench) ticket(next http.Handler, w *statusWriter, r *http.Request) {
	body := peek(r)
	var one struct{ Path string }
	var several []struct{ ObjectID string }
	if json.Unmarshal(body, &one) != nil && json.Unmarshal(body, &several) == nil && len(several) > 0 {
		one.Path = several[0].ObjectID
	}
	b.hub.mu.Lock()
	f := b.hub.find(byPath(one.Path))
	if f == nil {
		f = b.hub.add(File{Via: ViaHTTP, Path: one.Path})
	}
	if f.env == "" { // no route decided it
		f.env = b.stack.Vars["CLOUDBASE_ENV"]
	}
	f.Stage = stageTicket
	f.mark("ticket", "")
	b.hub.dirty[f.ID] = true
	b.hub.mu.Unlock()
	next.ServeHTTP(w, r)
}

// told watches the receipts of the cloud database and of cloud functions.
func (b *Bench) told(next http.Handler, w *statusWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "databaseupdate") && !strings.Contains(r.URL.Path, "invokecloudfunction") &&
		!strings.Contains(r.URL.Path, "/v1/database/") && !strings.Contains(r.URL.Path, "/v1/functions/") {
		next.ServeHTTP(w, r)
		return
	}
	body := string(peek(r))
	b.hub.update(func(f *File) bool {
		return !f.over() && f.Path != "" && f.Stage == stageCheck && strings.Contains(body, strings.Trim(fmt.Sprintf("%q", f.Path), `"`))
	}, func(f *File) {
		f.Stage = stageReceipt
		f.mark("receipt", "")
	})
	next.ServeHTTP(w, r)
}

// upload watches bytes that arrive at COS: a whole file, or a part.
func (b *Bench) upload(next http.Handler, w *statusWriter, r *http.Request) {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	part := q.Get("partNumber")
	is := byPath(path)
	b.hub.update(is, func(f *File) { f.begin(part, q.Has("uploads"), q.Has("uploadId") && part == "") })
	r.Body = &watchedReader{r.Body, func(n int) { b.hub.update(is, func(f *File) { f.arrived(part, n) }) }}
	defer func() {
		b.hub.update(is, func(f *File) { b.answered(f, part, q.Has("uploads"), w) })
	}()
	next.ServeHTTP(w, r)
}

type watchedReader struct {
	io.ReadCloser
	read func(int)
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.read(n)
	return n, err
}

// begin notes that a request with bytes has begun.
func (f *File) begin(part string, initiate, complete bool) {
	switch {
	case part != "":
		f.Moving++
		f.Sent -= int64(f.parts[part])
		f.parts[part] = 0
	case complete:
		f.mark("complete", "")
	default:
		f.Attempts++
		f.Sent = 0
		if f.pieces = initiate; initiate {
			f.mark("parts", "")
		} else {
			f.mark("upload", strconv.Itoa(f.Attempts))
		}
	}
	f.Stage = stageUpload
}

// arrived counts bytes. A form's own bytes are few; no more than the file is shown.
func (f *File) arrived(part string, n int) {
	if part != "" {
		f.parts[part] += n
	}
	if f.Sent += int64(n); f.Size > 0 {
		f.Sent = min(f.Sent, f.Size)
	}
}

// answered notes how COS answered.
func (b *Bench) answered(f *File, part string, initiate bool, w *statusWriter) {
	ok := w.status > 0 && w.status < 300
	switch {
	case w.status == 0:
		f.mark("cut", part)
		f.Moving = max(0, f.Moving-min(1, len(part)))
	case part != "":
		f.Moving--
		if ok {
			f.Parts++
		}
	case initiate:
	case ok:
		f.Stage = stageCheck
		f.mark("stored", strconv.Itoa(w.status))
		if f.Via == ViaTicket {
			if o, ok := b.stack.World.Cloud.Object(f.env, f.Path); ok {
				f.Size, f.Sent = o.Size, o.Size // without the form around the file
			}
			b.end(f, transfer.StatusDelivered)
		}
	default:
		f.mark("refused", strconv.Itoa(w.status))
		if f.Via == ViaTicket {
			f.Message = "COS answered " + strconv.Itoa(w.status)
			b.end(f, transfer.StatusFailed)
		}
	}
}
