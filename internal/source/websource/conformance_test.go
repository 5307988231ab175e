package websource_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/sourcetest"
	"github.com/tcbferry/tcbferry/internal/source/websource"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// pages is a web server of files with strong ETags and ranges.
type pages struct {
	mu    sync.Mutex
	files map[string][]byte
	cuts  []int64 // how much of the body a coming GET sends before it breaks off
}

// cutting breaks the connection off after left bytes of the body.
type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(p []byte) (int, error) {
	if int64(len(p)) < c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	c.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func (p *pages) put(key string, content []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == nil {
		p.files = map[string][]byte{}
	}
	p.files["/"+key] = content
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	content, ok := p.files[r.URL.Path]
	if len(p.cuts) > 0 {
		w, p.cuts = &cutting{w, p.cuts[0]}, p.cuts[1:]
	}
	p.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	sum := md5.Sum(content)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	http.ServeContent(w, r, "x.png", time.Time{}, bytes.NewReader(content))
}

// Objects of web servers are read by ranges as those of stores are.
func TestRanges(t *testing.T) {
	t.Parallel()
	sourcetest.RunRanges(t, func(t *testing.T) sourcetest.Harness {
		files := new(pages)
		server := httptest.NewTLSServer(files)
		t.Cleanup(server.Close)
		return sourcetest.Harness{
			Source: websource.New(websource.Options{Allow: list(server.URL), TLS: trust(server)}),
			Ref:    func(key string) transfer.Ref { return ref(t, server.URL+"/"+key) },
			Put:    func(_ testing.TB, key string, content []byte, _ string) { files.put(key, content) },
			Cut: func(after int64, _ func()) {
				files.mu.Lock()
				defer files.mu.Unlock()
				files.cuts = append(files.cuts, after)
			},
		}
	})
}
