//go:build integration

package integration

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A line is the way from the function to the gateway. Requests and answers pass
// as they are, with the host name, because it is signed.
type line struct {
	url string

	mu     sync.Mutex
	before map[string]func() // by method
	cut    func()
	log    []string // method, range, whether there was a condition, status
}

func newLine(t *testing.T, g *gateway) *line {
	t.Helper()
	target, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{before: map[string]func(){}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: l.answer,
		ErrorLog:       log.New(io.Discard, "", 0), // of the answers that break off
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		f := l.before[r.Method]
		delete(l.before, r.Method)
		l.mu.Unlock()
		if f != nil {
			f()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// cutOnce has the next answer to GET break off; then is called when it does.
func (l *line) cutOnce(then func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = then
}

// beforeOnce has f called before the next request of a method goes on.
func (l *line) beforeOnce(method string, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before[method] = f
}

func (l *line) answer(r *http.Response) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := []string{r.Request.Method, r.Request.Header.Get("Range"), "", r.Status[:3]}
	if r.Request.Header.Get("If-Match") != "" {
		words[2] = "If-Match"
	}
	l.log = append(l.log, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	if l.cut != nil && r.Request.Method == http.MethodGet {
		r.Body = &cutBody{r.Body, 1 << 20, l.cut}
		l.cut = nil
	}
	return nil
}

// A cutBody fails when no bytes are left.
type cutBody struct {
	io.ReadCloser
	left int
	then func()
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.then()
		return 0, errors.New("cut")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// passed expects that requests went over the line like this, with any offset
// where want has a dot.
func (l *line) passed(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := slices.Clone(l.log)
	for i := range got {
		got[i] = regexp.MustCompile(`bytes=[1-9]\d*-[1-9]\d*`).ReplaceAllString(got[i], "bytes=.-.")
	}
	if !slices.Equal(got, want) {
		t.Errorf("requests %q, want %q", l.log, want)
	}
}

// A download that breaks off goes on where it was, in the same upload.
func testResumed(t *testing.T, g *gateway) {
	body := pattern(6<<20 + 1000)
	for name, put := range map[string]func(*site){
		"plain": func(s *site) { s.put(t, "k", body) },
		"crc64nvme": func(s *site) {
			s.put(t, "k", body, func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme })
		},
		"parts": func(s *site) { s.putParts(t, "k", body[:5<<20], body[5<<20:]) },
	} {
		l := newLine(t, g)
		s := newSite(t, g.url, "resumed-"+name, "AWS_ENDPOINT_URL_S3", l.url)
		put(s)
		l.cutOnce(func() {})
		if e := s.deliver(t, s.request("k")); e.Attempts != 1 {
			t.Errorf("%s: %d uploads, want 1", name, e.Attempts)
		}
		l.passed(t, "GET 200", "GET bytes=.-. If-Match 206", "HEAD 200")
		s.arrived(t, map[string]string{"k": body})
	}
}

// A file that is replaced while it is read is read again from its start: no
// mixture of two contents arrives.
func testReplaced(t *testing.T, g *gateway) {
	l := newLine(t, g)
	s := newSite(t, g.url, "replaced", "AWS_ENDPOINT_URL_S3", l.url)
	newest := strings.Repeat("new", 1<<20)
	s.put(t, "k", pattern(3<<20))
	l.cutOnce(func() { s.put(t, "k", newest) })
	s.deliver(t, s.request("k"))
	l.passed(t, "GET 200", "GET bytes=.-. If-Match 412", "GET 200", "HEAD 200")
	s.arrived(t, map[string]string{"k": newest})
	if commits := s.Cloud.Commits(); commits != 1 {
		t.Errorf("%d files were stored; only the whole one should", commits)
	}
}

func testGatewayDelete(t *testing.T, g *gateway) {
	for _, versioned := range []bool{false, true} {
		bucket := "deleted"
		if versioned {
			bucket = "deleted-version"
		}
		s := newSite(t, g.url, bucket, "ON_DELIVERED", "delete")
		if versioned {
			s.versioned(t)
		}
		s.put(t, "whole", "whole")
		s.putParts(t, "parts", pattern(5<<20), "rest")
		for _, key := range []string{"whole", "parts"} {
			s.deliver(t, s.request(key))
			if s.exists(t, key) {
				t.Errorf("%s: %s is still there", bucket, key)
			}
		}
		s.arrived(t, map[string]string{"whole": "whole", "parts": pattern(5<<20) + "rest"})
		warnless(t, s)
	}
}

// What is put at the very moment of the deletion stays.
func testDeleteReplaced(t *testing.T, g *gateway) {
	l := newLine(t, g)
	s := newSite(t, g.url, "deleted-replaced", "ON_DELIVERED", "delete", "AWS_ENDPOINT_URL_S3", l.url)
	s.put(t, "k", "old")
	l.beforeOnce(http.MethodDelete, func() { s.put(t, "k", "new") })
	if e := s.deliver(t, s.request("k")); !strings.Contains(e.Warning, "kept") {
		t.Errorf("the warning is %q", e.Warning)
	}
	l.passed(t, "GET 200", "HEAD 200", "HEAD 200", "DELETE If-Match 412")
	if !s.exists(t, "k") {
		t.Fatal("content that was not delivered is gone")
	}
	s.deliver(t, s.request("k"))
	s.arrived(t, map[string]string{"k": "new"})
	if s.exists(t, "k") {
		t.Error("the delivered object is still there")
	}
}
