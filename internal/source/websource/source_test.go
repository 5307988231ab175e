package websource_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/source/websource"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// A server keeps a connection for half a second that it closes, longer than goleak waits.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// list is an allow-list of URL prefixes, as simple as one can be.
func list(prefixes ...string) func(string) (transfer.Ref, error) {
	return func(raw string) (transfer.Ref, error) {
		for _, p := range prefixes {
			if strings.HasPrefix(raw, p) {
				return transfer.Parse(raw)
			}
		}
		return transfer.Ref{}, &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindRefused, What: "not on the list"}
	}
}

func ref(t *testing.T, raw string) transfer.Ref {
	t.Helper()
	r, err := transfer.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve starts a TLS server and returns it with a Source that trusts and lists it.
func serve(t *testing.T, h http.HandlerFunc, more ...string) (*httptest.Server, *websource.Source) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	return server, websource.New(websource.Options{Allow: list(append(more, server.URL+"/")...), TLS: trust(server), Wrap: wrap})
}

func wrap(t *http.Transport) http.RoundTripper { return transport.Wrap(t) }

func trust(server *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &tls.Config{RootCAs: roots}
}

func wantKind(t *testing.T, err error, kind transfer.Kind) *transfer.Error {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("error %v, want Kind %s", err, kind)
	}
	return e
}

func TestOpen(t *testing.T) {
	t.Parallel()
	server, src := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding %q", got)
		}
		if r.RequestURI != "/in/a%20b.png?v=1&w=%2F" {
			t.Errorf("asked for %q: the reference was not sent as written", r.RequestURI)
		}
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("ETag", `"strong"`)
		io.WriteString(w, "the bytes")
	})
	where := ref(t, server.URL+"/in/a%20b.png?v=1&w=%2F")
	obj, err := src.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	data, err := io.ReadAll(obj.Body)
	if string(data) != "the bytes" || err != nil || obj.Size != 9 || obj.ContentType != "image/png" || obj.ETag != "" {
		t.Fatalf("got %q, %v, %+v", data, err, obj)
	}
	if etag, err := src.Stat(t.Context(), where); etag != "" || err != nil {
		t.Fatalf("Stat: %q, %v", etag, err)
	}
}

// A file that is stored compressed is carried as it is, with its headers.
func TestHeadersOfTheFile(t *testing.T) {
	t.Parallel()
	for encoding, want := range map[string]string{"gzip": "gzip", "identity": "", "": ""} {
		server, src := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Disposition", "attachment")
			io.WriteString(w, "\x1f\x8bbytes")
		})
		obj, err := src.Open(t.Context(), ref(t, server.URL+"/x"))
		if err != nil {
			t.Fatal(err)
		}
		defer obj.Body.Close()
		if data, err := io.ReadAll(obj.Body); string(data) != "\x1f\x8bbytes" || err != nil || obj.ContentEncoding != want || obj.CacheControl != "max-age=60" || obj.ContentDisposition != "attachment" {
			t.Errorf("%q: got %q, %v, %+v", encoding, data, err, obj)
		}
	}
}

func TestOpenEmptyFile(t *testing.T) {
	t.Parallel()
	server, src := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.Header().Set("Content-Type", "binary/octet-stream")
	})
	obj, err := src.Open(t.Context(), ref(t, server.URL+"/empty"))
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	if data, err := io.ReadAll(obj.Body); len(data) != 0 || err != nil || obj.Size != 0 || obj.ContentType != "" {
		t.Fatalf("got %q, %v, %+v", data, err, obj)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		wait   string // Retry-After
		kind   transfer.Kind
		after  time.Duration
	}{
		{"not found", 404, "", transfer.KindNotFound, 0},
		{"gone", 410, "", transfer.KindNotFound, 0},
		{"no key", 401, "", transfer.KindDenied, 0},
		{"forbidden", 403, "", transfer.KindDenied, 0},
		{"bad request", 400, "", transfer.KindDenied, 0},
		{"not modified", 304, "", transfer.KindDenied, 0},
		{"a part unasked", 206, "", transfer.KindDenied, 0},
		{"redirect to nowhere", 302, "", transfer.KindDenied, 0},
		{"too many requests", 429, "7", transfer.KindThrottled, 7 * time.Second},
		{"unavailable", 503, "", transfer.KindThrottled, 0},
		{"server error", 500, "", transfer.KindUnavailable, 0},
		{"bad gateway", 502, "", transfer.KindUnavailable, 0},
		{"request timeout", 408, "", transfer.KindUnavailable, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, src := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.wait)
				w.WriteHeader(tt.status)
			})
			_, err := src.Open(t.Context(), ref(t, server.URL+"/x?sig=SECRET"))
			e := wantKind(t, err, tt.kind)
			if e.After != tt.after {
				t.Errorf("After %v, want %v", e.After, tt.after)
			}
			if strings.Contains(e.Error(), "SECRET") {
				t.Errorf("the query is in the message: %v", e)
			}
		})
	}
}

func TestRefusesUnknownLength(t *testing.T) {
	t.Parallel()
	server, src := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a part")
		w.(http.Flusher).Flush()
	})
	_, err := src.Open(t.Context(), ref(t, server.URL+"/x"))
	wantKind(t, err, transfer.KindRefused)
}

func TestAsksTheListFirst(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an unlisted URL was asked for") }))
	defer server.Close()
	src := websource.New(websource.Options{Allow: list("https://other.example/"), TLS: trust(server)})
	_, err := src.Open(t.Context(), ref(t, server.URL+"/x"))
	wantKind(t, err, transfer.KindRefused)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	outside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect left the list") }))
	defer outside.Close()
	for _, tt := range []struct {
		name, to string
		kind     transfer.Kind // "" when it is to be followed
	}{
		{"within the list", "/in/end", ""},
		{"five times", "/in/hop?n=4", ""},
		{"six times", "/in/hop?n=5", transfer.KindRefused},
		{"out of the prefix", "/out/end", transfer.KindRefused},
		{"out of the prefix by dots", "/in/../out/end", transfer.KindRefused},
		{"to metadata", "https://169.254.169.254/latest/meta-data/", transfer.KindRefused},
		{"to metadata in plain", "http://169.254.169.254/latest/meta-data/", transfer.KindRefused},
		{"to another port", outside.URL + "/in/end", transfer.KindRefused},
		{"to a file", "file:///etc/passwd", transfer.KindRefused},
		{"with userinfo", "https://user@HOST/in/end", transfer.KindRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Referer"); got != "" {
					t.Errorf("Referer %q tells where the redirect came from", got)
				}
				n, _ := strconv.Atoi(r.URL.Query().Get("n"))
				switch {
				case r.URL.Path == "/in/start":
					w.Header().Set("Location", strings.ReplaceAll(tt.to, "HOST", strings.TrimPrefix(server.URL, "https://")))
					w.WriteHeader(http.StatusFound)
				case r.URL.Path == "/in/hop" && n > 0:
					http.Redirect(w, r, fmt.Sprintf("/in/hop?n=%d", n-1), http.StatusFound)
				case strings.HasPrefix(r.URL.Path, "/in/"):
					io.WriteString(w, "end")
				default:
					t.Errorf("asked for %s", r.URL)
				}
			}))
			defer server.Close()
			src := websource.New(websource.Options{Allow: list(server.URL + "/in/"), TLS: trust(server)})
			obj, err := src.Open(t.Context(), ref(t, server.URL+"/in/start?sig=SECRET"))
			if tt.kind != "" {
				if e := wantKind(t, err, tt.kind); strings.Contains(e.Error(), "SECRET") {
					t.Errorf("the query is in the message: %v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			obj.Body.Close()
		})
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()

	src := websource.New(websource.Options{Allow: list(server.URL), TLS: trust(server)})
	_, err := src.Open(t.Context(), ref(t, server.URL+"/x"))
	wantKind(t, err, transfer.KindUnavailable) // a 404 would mean that TLS 1.1 was good enough

	modern := httptest.NewUnstartedServer(http.NotFoundHandler())
	modern.Config.ErrorLog = quiet
	modern.StartTLS()
	defer modern.Close()
	src = websource.New(websource.Options{Allow: list(modern.URL)})
	_, err = src.Open(t.Context(), ref(t, modern.URL+"/x"))
	wantKind(t, err, transfer.KindDenied)
}

func TestOutOfTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server, src := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := src.Open(ctx, ref(t, server.URL+"/x?sig=SECRET"))
	wantKind(t, err, transfer.KindOutOfTime)
}
