package transport_test

import (
	"context"
	"errors"
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
	tr.Idle = time.Hour // the cancellation alone ends the upload
	var sent atomic.Int64
	body := readerFunc(func(p []byte) (int, error) { sent.Add(int64(len(p))); return len(p), nil })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", srv.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 40
	go func() {
		// The kernel's buffers are full when nothing has been read for a moment.
		for last := int64(-1); sent.Load() != last || last == 0; time.Sleep(100 * time.Millisecond) {
			last = sent.Load()
		}
		cancel()
	}()
	if _, err = tr.RoundTrip(req); err == nil {
		t.Error("the upload succeeded")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// silent is a TLS server that says nothing. The context ends when it has been spoken to.
func silent(t *testing.T) (context.Context, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		defer c.Close()
		io.ReadFull(c, make([]byte, 5))
		cancel()
		io.Copy(io.Discard, c) // until the client closes
	}()
	return ctx, "https://" + l.Addr().String()
}

// A handshake with a server that accepts and says nothing ends with the caller's time.
func TestHandshakeEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	ctx, stuck := silent(t)
	if _, err := transport.New().RoundTrip(httptest.NewRequest("GET", stuck, nil).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("a handshake without an answer: %v", err)
	}
}
