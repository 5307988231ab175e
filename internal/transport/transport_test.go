package transport_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

var schemes = map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer}

// trusting is a Transport that trusts srv. CloseIdleConnections is called at the end.
func trusting(t testing.TB, srv *httptest.Server) *transport.Transport {
	base := new(http.Transport)
	if theirs, ok := srv.Client().Transport.(*http.Transport); ok {
		base.TLSClientConfig = theirs.TLSClientConfig
	}
	tr := transport.Tune(base)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// post sends a stream of size bytes.
func post(ctx context.Context, tr http.RoundTripper, url string, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", url, struct{ io.Reader }{io.LimitReader(body, size)})
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	return tr.RoundTrip(req)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer srv.Close()
	client := transport.NewClient()
	defer client.CloseIdleConnections()
	resp, err := client.Get(srv.URL)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("got %v, %v; want the redirect itself", resp, err)
	}
	resp.Body.Close()
}

// Sizes around those of a record and of a batch arrive as they are, and connections are
// used again.
func TestUploadsArrive(t *testing.T) {
	t.Parallel()
	whole := make([]byte, 1<<20+1)
	for i := range whole {
		whole[i] = byte(i * 31 >> 8)
	}
	for scheme, start := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			connections := map[string]bool{} // by one goroutine after the other
			srv := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				connections[r.RemoteAddr] = true
				body, _ := io.ReadAll(r.Body)
				w.Write(body)
			}))
			defer srv.Close()
			tr := trusting(t, srv)
			for _, size := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 + 1} {
				resp, err := post(t.Context(), tr, srv.URL, bytes.NewReader(whole[:size]), int64(size))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, whole[:size]) {
					t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
				}
			}
			if len(connections) != 1 {
				t.Errorf("%d connections, want one", len(connections))
			}
		})
	}
}

// Answers are passed on as they come, and no request asks for a compressed one.
func TestAnswersAreNotDecompressed(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "text")
	z.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Header.Get("Accept-Encoding"); asked != "" {
			t.Errorf("Accept-Encoding %q", asked)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	}))
	defer srv.Close()
	resp, err := trusting(t, srv).RoundTrip(httptest.NewRequest("GET", srv.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, packed.Bytes()) {
		t.Errorf("got %q, %v", got, err)
	}
}

// A connection that was unused for 30 s is not used again: a frozen function wakes up to
// connections that the other side has closed.
func TestOldConnectionsAreNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		tr := transport.New()
		tr.SetDial(func() net.Conn {
			dials++
			return serving(func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n") })
		})
		for _, step := range []struct {
			unused time.Duration
			dials  int
		}{{0, 1}, {29 * time.Second, 1}, {31 * time.Second, 2}} {
			time.Sleep(step.unused)
			resp, err := tr.RoundTrip(httptest.NewRequest("GET", "http://h/", nil))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if dials != step.dials {
				t.Errorf("after %v unused: %d connections, want %d", step.unused, dials, step.dials)
			}
		}
		tr.CloseIdleConnections()
	})
}

// An early refusal is read although the server closes on the bytes that are still
// coming in, which resets the connection.
func TestEarlyAnswerIsRead(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\nConnection: close\r\n\r\nstale")
			c.Close()
		}
	}()
	tr := transport.New()
	defer tr.CloseIdleConnections()
	for i := range 100 {
		resp, err := post(t.Context(), tr, "http://"+ln.Addr().String(), io.LimitReader(zeros{}, 32<<20), 32<<20)
		if err != nil {
			t.Fatalf("upload %d: the answer was lost: %v", i, err)
		}
		if text, _ := io.ReadAll(resp.Body); string(text) != "stale" {
			t.Errorf("upload %d: got %q", i, text)
		}
		resp.Body.Close()
	}
}

// Certificates are checked as net/http does.
func TestUnknownAuthorityIsRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	_, err := transport.NewClient().Get(srv.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("got %v", err)
	}
}
