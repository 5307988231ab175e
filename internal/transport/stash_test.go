package transport_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// Preconnect leaves a connection to the first request, and nothing is sent before.
func TestPreconnect(t *testing.T) {
	t.Parallel()
	for scheme, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		var requests, connections atomic.Int64
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		start(srv)
		tr := trusting(t, srv)
		tr.Preconnect(t.Context(), srv.URL)
		resp, err := tr.RoundTrip(httptest.NewRequest(http.MethodGet, srv.URL+"/path", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// A server accepts connections in their order, so none is there that is not counted.
		if c, r := connections.Load(), requests.Load(); c != 1 || r != 1 {
			t.Errorf("%s: %d connections and %d requests, want one of each", scheme, c, r)
		}
		srv.Close()
	}
}

func TestPreconnectReturnsWithoutAConnection(t *testing.T) {
	t.Parallel()
	const closed = "127.0.0.1:1" // no server has this port
	for _, base := range []string{"http://" + closed, "https://" + closed, "http://no host", "ftp://h", "http://", ""} {
		transport.New().Preconnect(t.Context(), base)
	}
	ctx, stuck := silent(t)
	transport.Wrap(new(http.Transport)).Preconnect(t.Context(), stuck) // does not try
	if ctx.Err() != nil {
		t.Error("Preconnect of a Transport that was only wrapped dialed")
	}
	transport.New().Preconnect(ctx, stuck)
}

// A connection that was opened beforehand is closed after 30 s.
func TestPreconnectedIsKeptFor30Seconds(t *testing.T) {
	t.Parallel()
	for _, waited := range []time.Duration{29 * time.Second, 31 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			dials := 0
			tr := transport.New()
			defer tr.CloseIdleConnections()
			tr.SetDial(func() net.Conn {
				dials++
				return serving(func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n") })
			})
			tr.Preconnect(t.Context(), "http://h")
			time.Sleep(waited)
			for range 2 { // once it is used, it is a connection like any other
				resp, err := tr.RoundTrip(httptest.NewRequest("GET", "http://h/", nil))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				time.Sleep(5 * time.Second)
			}
			if want := 1 + int(waited/(30*time.Second)); dials != want {
				t.Errorf("after %v: %d connections, want %d", waited, dials, want)
			}
		})
	}
}

func TestUnusedPreconnectedIsClosed(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*transport.Transport){
		"by time": func(*transport.Transport) { time.Sleep(time.Minute) },
		"by call": (*transport.Transport).CloseIdleConnections,
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			tr := transport.New()
			tr.SetDial(func() net.Conn { return near })
			tr.Preconnect(t.Context(), "http://h")
			end(tr)
			if _, err := far.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
