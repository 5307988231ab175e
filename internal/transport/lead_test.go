package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// countedConn counts the writes to a connection.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// counting is a client of srv, which may speak TLS, that counts what it writes.
func counting(srv *httptest.Server, writes *atomic.Int64) (*http.Client, *http.Transport) {
	tr := transport.NewTransport()
	tr.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return transport.NewConn(countedConn{c, writes}, transport.IdleTimeout), err
	}
	return transport.Client(tr, transport.IdleTimeout), tr
}

var schemes = map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer}

// A small form and its request's header are one write, whether they are the first of
// a connection or not. What net/http joins by itself, in memory, arrives as well.
func TestSmallUploadIsOneWrite(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("0123456789"), 1200)
	for scheme, start := range schemes {
		srv := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got, err := io.ReadAll(r.Body); err != nil || !bytes.HasPrefix(text, got) || int64(len(got)) != r.ContentLength {
				w.WriteHeader(http.StatusBadRequest)
			}
		}))
		defer srv.Close()
		var writes atomic.Int64
		client, tr := counting(srv, &writes)
		defer tr.CloseIdleConnections()
		transport.Preconnect(t.Context(), tr, srv.URL)
		for name, body := range map[string]io.Reader{
			"stream":    struct{ io.Reader }{bytes.NewReader(text)},
			"again":     struct{ io.Reader }{bytes.NewReader(text)},
			"pieces":    iotest.HalfReader(bytes.NewReader(text)),
			"in memory": io.NopCloser(bytes.NewReader(text[:2000])),
		} {
			before := writes.Load()
			req, err := http.NewRequest("POST", srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			if req.ContentLength = int64(len(text)); name == "in memory" {
				req.ContentLength = 2000
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s, %s: %v", scheme, name, err)
			}
			resp.Body.Close()
			if n := writes.Load() - before; n != 1 && name != "in memory" || resp.StatusCode != http.StatusOK {
				t.Errorf("%s, %s: %d writes, status %d; want one, and all of it", scheme, name, n, resp.StatusCode)
			}
		}
	}
}

// A source that fails at its first byte ends the request, and the next one is well.
func TestHeaderOfABrokenBody(t *testing.T) {
	t.Parallel()
	for scheme, start := range schemes {
		srv := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			io.WriteString(w, http.StatusText(int(200+n%2)))
		}))
		defer srv.Close()
		var writes atomic.Int64
		client, tr := counting(srv, &writes)
		defer tr.CloseIdleConnections()
		for _, broken := range []error{errors.New("broken source"), nil} {
			body := io.Reader(struct{ io.Reader }{bytes.NewReader([]byte("x"))})
			if broken != nil {
				body = iotest.ErrReader(broken)
			}
			req, err := http.NewRequest("POST", srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 1
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s: %v, want %v", scheme, err, broken)
			}
		}
	}
}
