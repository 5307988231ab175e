package workbench

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// prefix begins every call of the page. A cloud function of the user never sees it.
const prefix = "/workbench/"

// maxFile is the largest file that the page puts into the bucket, which is in memory.
const maxFile = 1 << 30

// Handler serves the page, its calls, and the HTTP function.
func (b *Bench) Handler() http.Handler {
	page := newPage()
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page)
	mux.HandleFunc("GET "+prefix+"events", b.events)
	mux.HandleFunc("GET "+prefix+"files/{id}", b.details)
	mux.HandleFunc("POST "+prefix+"put", b.put)
	mux.HandleFunc("POST "+prefix+"again", b.again)
	mux.HandleFunc("POST "+prefix+"sample", b.sample)
	mux.HandleFunc("POST "+prefix+"fault", b.fault)
	mux.HandleFunc("POST "+prefix+"line", b.line)
	mux.HandleFunc("POST "+prefix+"race", b.race)
	mux.HandleFunc(prefix, http.NotFound)
	function := b.watchFront(b.stack.Front)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := strings.HasPrefix(r.URL.Path, prefix)
		switch {
		case !loopbackHost(r.Host):
			http.Error(w, "this server answers on loopback only: use 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
		case own && r.Method != http.MethodGet && r.Header.Get("Origin") != "http://"+r.Host:
			http.Error(w, "only the page itself may do this", http.StatusForbidden)
		case own || r.URL.Path == "/" && r.Method == http.MethodGet:
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
			mux.ServeHTTP(w, r)
		default: // not by the mux, which would clean the path
			function.ServeHTTP(w, r)
		}
	})
}

// loopbackHost keeps out names that somebody made resolve to this machine.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}

func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && loopbackHost(u.Host)
}

// events is the stream of what happens (text/event-stream).
func (b *Bench) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	reader := b.hub.subscribe(b.state)
	defer b.hub.unsubscribe(reader)
	out := http.NewResponseController(w)
	alive := time.NewTicker(15 * time.Second) // so that a page that is gone is noticed
	defer alive.Stop()
	for {
		var err error
		select {
		case document, ok := <-reader:
			if !ok {
				return
			}
			_, err = fmt.Fprintf(w, "data: %s\n\n", document)
		case <-alive.C:
			_, err = io.WriteString(w, ":\n\n")
		case <-b.hub.stop:
			return
		case <-r.Context().Done():
			return
		}
		if err != nil || out.Flush() != nil {
			return
		}
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a page that is gone needs no answer
}

// details are a file's answer, log lines, history and proof.
func (b *Bench) details(w http.ResponseWriter, r *http.Request) {
	var f *File
	var d map[string]any
	b.hub.mu.Lock()
	if f = b.hub.find(func(f *File) bool { return fmt.Sprint(f.ID) == r.PathValue("id") }); f != nil {
		d = map[string]any{"file": f.copy(), "answer": f.answer, "log": append([]string{}, f.log...), "steps": append([]step{}, f.steps...), "env": f.env}
	}
	b.hub.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	c := d["file"].(File)
	proof := map[string]any{}
	if o, ok := b.stack.World.Cloud.Object(f.env, c.Path); ok && c.Status == transfer.StatusDelivered {
		proof["arrived"] = map[string]any{"size": o.Size, "sha256": o.SHA256, "crc64": fmt.Sprint(o.CRC64), "etag": o.ETag, "fileId": o.FileID, "contentType": o.ContentType, "readable": o.Readable}
	}
	if o, ok := b.stack.World.Staging.Stat(f.bucket, c.Key); ok && c.Key != "" {
		proof["put"] = map[string]any{"size": o.Size, "etag": o.ETag, "sha256": b.stack.World.Staging.SHA256(f.bucket, c.Key)}
	}
	d["proof"] = proof
	answerJSON(w, d)
}

// put stores a file in the bucket: the key is in the query, the body is the content.
func (b *Bench) put(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFile))
	if err != nil {
		http.Error(w, "the file is larger than 1 GiB; put it with an S3 client", http.StatusRequestEntityTooLarge)
		return
	}
	key := r.URL.Query().Get("key")
	if key == "" {
		http.Error(w, "the key is empty", http.StatusBadRequest)
		return
	}
	if err := b.stack.World.Staging.Put(b.stack.Bucket, key, r.Header.Get("Content-Type"), body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// sample puts a small file of its own.
func (b *Bench) sample(w http.ResponseWriter, _ *http.Request) {
	key := "in/sample-" + time.Now().Format("150405.000") + ".txt"
	if err := b.stack.World.Staging.Put(b.stack.Bucket, key, "text/plain; charset=utf-8", sampleText()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answerJSON(w, map[string]string{"key": key})
}

// sampleText is large enough for a fault to hit in its middle.
func sampleText() []byte {
	return []byte(strings.Repeat("a sample of tcbferry\n", 64<<10/21))
}

// again has the bucket tell of a file once more, as a queue does after a failure.
func (b *Bench) again(w http.ResponseWriter, r *http.Request) {
	var event []byte
	b.hub.mu.Lock()
	if f := b.hub.find(func(f *File) bool { return fmt.Sprint(f.ID) == r.URL.Query().Get("id") }); f != nil {
		event = f.event
	}
	b.hub.mu.Unlock()
	if event == nil || b.stack.World.Staging.Notify == nil {
		http.NotFound(w, r)
		return
	}
	b.stack.World.Staging.Notify(event)
	w.WriteHeader(http.StatusNoContent)
}

// fault arms one, or takes it back: ?id=40164&on=true.
func (b *Bench) fault(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !b.faults.arm(q.Get("id"), q.Get("on") == "true") {
		http.NotFound(w, r)
		return
	}
	b.hub.changed()
	w.WriteHeader(http.StatusNoContent)
}

// line sets the speed of a connection to COS, in bytes a second.
func (b *Bench) line(w http.ResponseWriter, r *http.Request) {
	var rate int64
	if _, err := fmt.Sscan(r.URL.Query().Get("rate"), &rate); err != nil || rate < 0 {
		http.Error(w, "rate is no number of bytes", http.StatusBadRequest)
		return
	}
	b.Line.SetRate(rate)
	b.hub.changed()
	w.WriteHeader(http.StatusNoContent)
}

// raceSize is large enough for eight parts, and small enough to wait for on a slow line.
const raceSize = 8 << 20

// race sends one file in one piece and another in parts, at the same time.
func (b *Bench) race(w http.ResponseWriter, _ *http.Request) {
	for _, parts := range []bool{false, true} {
		name := map[bool]string{false: "post", true: "parts"}[parts]
		key := "race/" + time.Now().Format("150405.000") + "-" + name + ".bin"
		if err := b.stack.World.Staging.Synthesize(b.stack.Bucket, key, raceSize, 7); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		event, err := b.stack.World.Staging.Notification(b.stack.Bucket, key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ids := b.staged(event, name)
		go func() {
			entries, err := b.stack.Race(parts, event)
			b.Answered(ids, entries, err)
		}()
	}
	w.WriteHeader(http.StatusNoContent)
}
