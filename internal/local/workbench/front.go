package workbench

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// watchFront shows what goes through the HTTP function: a file as it is sent, and a ticket
// as the file that comes with it.
func (b *Bench) watchFront(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket := r.URL.Path == "/tickets"
		if !ticket && !strings.HasPrefix(r.URL.Path, "/files") {
			next.ServeHTTP(w, r)
			return
		}
		path := b.expect(r, ticket)
		answer := &bodyWriter{statusWriter: statusWriter{ResponseWriter: w}}
		next.ServeHTTP(answer, r)
		b.fromFront(path, ticket, answer)
	})
}

// expect begins the file of a request whose path and size are known beforehand.
func (b *Bench) expect(r *http.Request, ticket bool) (path string) {
	f := File{Via: ViaHTTP, Size: max(0, r.ContentLength)}
	switch name, put := strings.CutPrefix(r.URL.EscapedPath(), "/files/"); {
	case put && r.Method == http.MethodPut:
		f.Path, _ = url.PathUnescape(name)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		var body struct{ Path, Source string }
		if json.Unmarshal(peek(r), &body) != nil {
			return ""
		}
		f.Path, f.Source, f.Size = body.Path, body.Source, 0
		if ref, err := transfer.Parse(body.Source); err == nil && body.Source != "" {
			f.bucket, f.Key = ref.Bucket, ref.Key
			if o, ok := b.stack.World.Staging.Stat(ref.Bucket, ref.Key); ok {
				f.Size = o.Size
			}
		}
	}
	if ticket {
		f.Via = ViaTicket
	}
	if f.Path == "" {
		return ""
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	b.hub.add(f).mark("asked", r.Method+" "+r.URL.Path)
	return f.Path
}

// fromFront takes the answer of the HTTP function.
func (b *Bench) fromFront(path string, ticket bool, answer *bodyWriter) {
	var reply struct{ Path, Code, Detail string }
	if json.Unmarshal(answer.body.Bytes(), &reply) != nil {
		return
	}
	if path == "" {
		path = reply.Path
	}
	b.hub.update(byPath(path), func(f *File) {
		switch {
		case answer.status >= 400:
			f.Code, f.Message, f.answer = reply.Code, reply.Detail, answer.body.Bytes()
			f.Help = transfer.Help(f.Code)
			b.end(f, transfer.StatusFailed)
		case ticket:
			f.mark("issued", "") // the answer is a secret; the file comes to COS by itself
		default:
			b.finish(f, answer.body.Bytes())
		}
	})
}

// A bodyWriter keeps the answer.
type bodyWriter struct {
	statusWriter
	body bytes.Buffer
}

func (w *bodyWriter) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.statusWriter.Write(p)
}
