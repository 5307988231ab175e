package s3source_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// recorder keeps the requests that its handler saw.
type recorder struct {
	handler http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req)
	r.mu.Unlock()
	r.handler(w, req)
}

// lines are the requests as "METHOD host/path".
func (r *recorder) lines() (s []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, req := range r.seen {
		s = append(s, req.Method+" "+req.Host+req.URL.EscapedPath())
	}
	return s
}

func object(headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"900150983cd24fb0d6963f7d28e17f72"`)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		io.WriteString(w, "abc")
	}
}

func read(t *testing.T, s transfer.Source, ref transfer.Ref) *transfer.Object {
	t.Helper()
	obj, err := s.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	if got, err := io.ReadAll(obj.Body); string(got) != "abc" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	return obj
}

var (
	inS3  = transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: "in/a b.png"}
	inCOS = transfer.Ref{Scheme: transfer.SchemeCOS, Region: "ap-shanghai", Bucket: bucket, Key: "in/中 a+b.png"}
)

// overTLS serves TLS for every name: its certificate is checked as example.com.
func overTLS(t *testing.T, h http.Handler) (*httptest.Server, func(*http.Transport) http.RoundTripper) {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	return srv, func(tr *http.Transport) http.RoundTripper {
		dialTo(srv)(tr)
		tr.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		tr.TLSClientConfig.ServerName = "example.com"
		return tr
	}
}

func TestOneRequestPerOpen(t *testing.T) {
	t.Parallel()
	rec := &recorder{handler: object()}
	s := newS3(t, dialTo(serve(t, rec)))
	read(t, s, inS3)
	if got := rec.lines(); len(got) != 1 || got[0] != "GET store.test/"+bucket+"/in/a%20b.png" {
		t.Fatalf("requests: %q", got)
	}
	h := rec.seen[0].Header
	for name, want := range map[string]string{
		"Accept-Encoding":      "identity",
		"X-Amz-Checksum-Mode":  "ENABLED", // for the meter
		"Range":                "",
		"X-Amz-Security-Token": secret + "-session",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if auth := h.Get("Authorization"); !strings.Contains(auth, "/eu-central-1/s3/aws4_request") {
		t.Errorf("signed for another region: %q", auth)
	}
}

func TestReopeningNamesTheContent(t *testing.T) {
	t.Parallel()
	rec := &recorder{handler: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e-1"`)
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", "bytes 2-3/4")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "cd")
			return
		}
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "ab")
	}}
	s := newS3(t, dialTo(serve(t, rec)))
	obj, err := s.Open(t.Context(), inS3)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	if got, err := io.ReadAll(obj.Body); string(got) != "abcd" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	again := rec.seen[1].Header
	if again.Get("Range") != "bytes=2-3" || again.Get("If-Match") != `"e-1"` {
		t.Errorf("reopened with Range %q, If-Match %q", again.Get("Range"), again.Get("If-Match"))
	}
}

// A store may ignore If-Match, or Range: neither may end in wrong bytes.
func TestReopeningTrustsNoStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		etag   string
		second func(http.ResponseWriter)
	}{
		"ignores If-Match": {`"e"`, func(w http.ResponseWriter) {
			w.Header().Set("ETag", `"other"`)
			w.Header().Set("Content-Range", "bytes 2-3/4")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "cd")
		}},
		"ignores Range": {`"e"`, func(w http.ResponseWriter) { io.WriteString(w, "abcd") }},
		"another range": {`"e"`, func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 1-3/4")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "bcd")
		}},
		"has a weak ETag": {`W/"e"`, func(http.ResponseWriter) { t.Error("reopened with a weak ETag") }},
		"has no ETag":     {"", func(http.ResponseWriter) { t.Error("reopened without an ETag") }},
		"refuses":         {`"e"`, func(w http.ResponseWriter) { w.WriteHeader(http.StatusPreconditionFailed) }},
		"is shorter now": {`"e"`, func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first sync.Once
			s := newS3(t, dialTo(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				begin := false
				first.Do(func() { begin = true })
				w.Header().Set("X-Amz-Request-Id", "R1")
				if c.etag != "" {
					w.Header().Set("ETag", c.etag)
				}
				if !begin {
					c.second(w)
					return
				}
				w.Header().Set("Content-Length", "4")
				io.WriteString(w, "ab")
			}))))
			obj, err := s.Open(t.Context(), inS3)
			if err != nil {
				t.Fatal(err)
			}
			defer obj.Body.Close()
			_, err = io.ReadAll(obj.Body)
			wantError(t, err, transfer.KindCorrupt, "again from its start")
			// An upload in parts goes on as one in one piece.
			e := transfer.AsError(t.Context(), transfer.StageOpen, err)
			if ranges := name != "ignores Range" && name != "another range"; ranges == (e.Code == transfer.CodeNoRanges) {
				t.Errorf("the code is %q", e.Code)
			}
		})
	}
}

func TestLengthMustBeKnown(t *testing.T) {
	t.Parallel()
	s := newS3(t, dialTo(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"e"`)
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		io.WriteString(w, "b")
	}))))
	_, err := s.Open(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "Content-Length")
}

func TestCOSIsAddressedByItsOwnHost(t *testing.T) {
	t.Parallel()
	rec := &recorder{handler: object("X-Cos-Hash-Crc64ecma", "7")}
	_, tune := overTLS(t, rec)
	s := newCOS(t, tune, "")
	if obj := read(t, s, inCOS); obj.CRC64 != "7" {
		t.Errorf("CRC64 %q", obj.CRC64)
	}
	want := "GET " + bucket + ".cos.ap-shanghai.myqcloud.com/in/%E4%B8%AD%20a%2Bb.png"
	if got := rec.lines(); len(got) != 1 || got[0] != want {
		t.Errorf("requests %q, want %q", got, want)
	}
	if auth := rec.seen[0].Header.Get("Authorization"); !strings.Contains(auth, "AKIDTENCENT/") || !strings.Contains(auth, "/ap-shanghai/s3/aws4_request") {
		t.Errorf("Authorization: %q", auth)
	}
}

func TestRegionIsPartOfAHostName(t *testing.T) {
	t.Parallel()
	s := newCOS(t, nil, "")
	for region, hint := range map[string]string{"": "?region=ap-shanghai", "x.example/": "not the name of a region"} {
		_, err := s.Open(t.Context(), transfer.Ref{Scheme: transfer.SchemeCOS, Region: region, Bucket: bucket, Key: "k"})
		wantError(t, err, transfer.KindMalformed, hint)
	}
}

// The endpoint rules would send Tencent's credentials to another cloud for some names.
func TestBucketIsPartOfAHostName(t *testing.T) {
	t.Parallel()
	rec := &recorder{handler: object()}
	_, tune := overTLS(t, rec)
	s := newCOS(t, tune, "")
	for _, name := range []string{"arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap", "arn:aws:s3:us-east-1:111122223333:accesspoint/a",
		"..", "[::1]", "169.254.169.254", "evil.example.com", "a@b", "a/b", ""} {
		ref := transfer.Ref{Scheme: transfer.SchemeCOS, Region: "ap-shanghai", Bucket: name, Key: "k"}
		_, err := s.Open(t.Context(), ref)
		wantError(t, err, transfer.KindMalformed, "not the name of a COS bucket")
		if address := s.Address(t.Context(), ref); address != "" {
			t.Errorf("%q: address %s", name, address)
		}
	}
	if n := len(rec.lines()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// What an event names is repeated clipped, and without what may be a signature.
func TestEchoesOfEventsAreClipped(t *testing.T) {
	t.Parallel()
	for _, ref := range []transfer.Ref{
		{Scheme: transfer.SchemeCOS, Region: "ap-shanghai", Bucket: "b?sign=SECRET", Key: "k"},
		{Scheme: transfer.SchemeCOS, Region: "ap?sign=SECRET", Bucket: bucket, Key: "k"},
		{Scheme: transfer.SchemeCOS, Region: strings.Repeat("X", 1<<20), Bucket: bucket, Key: "k"},
	} {
		_, err := newCOS(t, nil, "").Open(t.Context(), ref)
		if err == nil || strings.Contains(err.Error(), "SECRET") || len(err.Error()) > 300 {
			t.Errorf("%.400v", err)
		}
	}
}

func TestEmptyKey(t *testing.T) {
	t.Parallel()
	_, err := newS3(t, nil).Open(t.Context(), transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket})
	wantError(t, err, transfer.KindMalformed, "no key")
}

func TestBadCOSEndpoint(t *testing.T) {
	t.Parallel()
	for _, e := range []string{"cos.example.com", "ftp://cos.example.com", "https://", "http://a b/"} {
		if _, err := s3source.NewCOS(s3source.Options{Endpoint: e}); err == nil || !strings.Contains(err.Error(), "COS_ENDPOINT_URL") {
			t.Errorf("%q: %v", e, err)
		}
	}
}

func TestRedirectIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		stranger := &recorder{handler: object()}
		elsewhere := serve(t, stranger)
		_, tune := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		}))
		_, err := newCOS(t, tune, "").Open(t.Context(), inCOS)
		wantError(t, err, transfer.KindDenied, "redirects to another host")
		if n := len(stranger.lines()); n != 0 {
			t.Errorf("%d: followed to another host", status)
		}
	}
}
