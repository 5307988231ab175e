package transport_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// A connection that the server has closed meanwhile is not given to a request: net/http
// would not send that request again.
func TestPreconnectedThatThePeerClosed(t *testing.T) {
	t.Parallel()
	conns := make(chan net.Conn, 2)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns <- c
		}
	}
	srv.Start()
	defer srv.Close()
	tr := transport.New()
	defer tr.CloseIdleConnections()
	tr.Preconnect(t.Context(), srv.URL)
	(<-conns).Close()
	resp, err := tr.RoundTrip(httptest.NewRequest("GET", srv.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
