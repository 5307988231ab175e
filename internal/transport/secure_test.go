package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// trusted is a tuned client of srv.
func trusted(srv *httptest.Server) *http.Client {
	t := transport.NewTransport()
	t.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	return transport.Client(t, transport.IdleTimeout)
}

// Sizes around those of a record and of a buffer arrive as they are.
func TestUploadsOverTLSArrive(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	defer srv.Close()
	client := trusted(srv)
	defer client.CloseIdleConnections()
	whole := make([]byte, 1<<20+1)
	for i := range whole {
		whole[i] = byte(i * 31 >> 8)
	}
	for _, size := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1<<20 + 1} {
		// The body has no WriteTo, as an upload has none.
		req, err := http.NewRequest("POST", srv.URL, struct{ io.Reader }{bytes.NewReader(whole[:size])})
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(size)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, whole[:size]) {
			t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
		}
	}
}

// A server that stops reading must not keep a cancelled upload from ending.
func TestCancelledUploadOverTLSEndsAtOnce(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-stuck }))
	defer srv.Close()
	defer close(stuck)
	client := trusted(srv)
	var sent atomic.Int64
	body := readerFunc(func(p []byte) (int, error) { sent.Add(int64(len(p))); return len(p), nil })
	req, err := http.NewRequest("POST", srv.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 40
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cancelled time.Time
	go func() {
		// The kernel's buffers are full when nothing has been read for a moment.
		for last := int64(-1); sent.Load() != last || last == 0; time.Sleep(100 * time.Millisecond) {
			last = sent.Load()
		}
		cancelled = time.Now()
		cancel()
	}()
	_, err = client.Do(req.WithContext(ctx))
	if took := time.Since(cancelled); err == nil || took > 2*time.Second {
		t.Errorf("the upload ended with %v, %v after it was cancelled", err, took)
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

// A server that accepts and says nothing is given up with the caller's time.
func TestHandshakeEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", "https://"+l.Addr().String(), nil)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			io.ReadFull(c, make([]byte, 5))
		}
		cancel()
	}()
	if _, err := transport.NewClient().Do(req); err == nil {
		t.Error("a handshake with nobody succeeded")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
