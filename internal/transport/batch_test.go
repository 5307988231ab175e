package transport_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// A server that stops reading must not keep a cancelled upload from ending.
func TestCancelledUploadOverTLSEndsAtOnce(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-stuck }))
	defer srv.Close()
	defer close(stuck)
	tr := trusting(t, srv)
	var sent atomic.Int64
	body := readerFunc(func(p []byte) (int, error) { sent.Add(int64(len(p))); return len(p), nil })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", srv.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 40
	var cancelled time.Time
	go func() {
		// The kernel's buffers are full when nothing has been read for a moment.
		for last := int64(-1); sent.Load() != last || last == 0; time.Sleep(100 * time.Millisecond) {
			last = sent.Load()
		}
		cancelled = time.Now()
		cancel()
	}()
	_, err = tr.RoundTrip(req)
	if took := time.Since(cancelled); err == nil || took > 2*time.Second {
		t.Errorf("the upload ended with %v, %v after it was cancelled", err, took)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A handshake with a server that accepts and says nothing ends with the caller's time.
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
	if _, err := transport.New().RoundTrip(req); err == nil {
		t.Error("a handshake without an answer succeeded")
	}
}
