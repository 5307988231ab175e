package transport_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

func TestTune(t *testing.T) {
	t.Parallel()
	config := &tls.Config{ServerName: "kept"}
	tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	transport.Tune(tr)
	if tr.TLSClientConfig != config {
		t.Error("the TLS configuration changed")
	}
	if tr.MaxIdleConnsPerHost < 64 || tr.MaxIdleConns != 0 {
		t.Errorf("idle connections: %d of a host, %d in all", tr.MaxIdleConnsPerHost, tr.MaxIdleConns)
	}
	if tr.TLSHandshakeTimeout != 10*time.Second || tr.ResponseHeaderTimeout != 15*time.Second || tr.IdleConnTimeout > 30*time.Second {
		t.Errorf("times: handshake %v, header %v, idle %v", tr.TLSHandshakeTimeout, tr.ResponseHeaderTimeout, tr.IdleConnTimeout)
	}
	if tr.Proxy == nil || tr.ForceAttemptHTTP2 {
		t.Error("no proxy from the environment, or HTTP/2")
	}
}

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

func TestUploadsOverBothSchemes(t *testing.T) {
	t.Parallel()
	file := bytes.Repeat([]byte("ferry "), 1<<19)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, file) || r.ContentLength != int64(len(file)) {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(echo)
			defer srv.Close()
			tr := transport.NewTransport()
			if theirs, ok := srv.Client().Transport.(*http.Transport); ok {
				tr.TLSClientConfig = theirs.TLSClientConfig
			}
			client := transport.Client(tr, transport.IdleTimeout)
			defer client.CloseIdleConnections()
			for range 3 {
				req, _ := http.NewRequest("POST", srv.URL, io.MultiReader(bytes.NewReader(file)))
				req.ContentLength = int64(len(file))
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
}

// An early refusal is read although the server closes on the bytes that are still
// coming in, which resets the connection.
func TestEarlyAnswerIsHeard(t *testing.T) {
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
	client := transport.NewClient()
	for i := range 100 {
		req, _ := http.NewRequest("POST", "http://"+ln.Addr().String(), io.LimitReader(zeros{}, 32<<20))
		req.ContentLength = 32 << 20
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("upload %d: the answer was lost: %v", i, err)
		}
		if text, _ := io.ReadAll(resp.Body); string(text) != "stale" {
			t.Errorf("upload %d: got %q", i, text)
		}
		resp.Body.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
