package transport_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

func TestOpenLeavesAConnectionToTheFirstRequest(t *testing.T) {
	t.Parallel()
	for scheme, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		var requests, connections atomic.Int64
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
		}))
		srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		start(srv)
		tr := transport.NewTransport()
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		transport.Preconnect(t.Context(), tr, srv.URL)
		time.Sleep(50 * time.Millisecond) // what should not come has had its time
		if c, r := connections.Load(), requests.Load(); c != 1 || r != 0 {
			t.Errorf("%s: %d connections and %d requests, want a connection alone", scheme, c, r)
		}
		resp, err := tr.RoundTrip(httptest.NewRequest(http.MethodGet, srv.URL+"/path", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if c, r := connections.Load(), requests.Load(); c != 1 || r != 1 {
			t.Errorf("%s: %d connections and %d requests after the first", scheme, c, r)
		}
		tr.CloseIdleConnections()
		srv.Close()
	}
}

func TestOpenReturnsWithoutAConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stuck := "https://" + silent.Addr().String()
	for _, base := range []string{"http://" + closed, "https://" + closed, "http://no host", "ftp://h", "", stuck} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		start := time.Now()
		transport.Preconnect(ctx, transport.NewTransport(), base)
		if err := ctx.Err(); (err != nil) != (base == stuck) {
			t.Errorf("%q took %v", base, time.Since(start))
		}
		cancel()
	}
}
