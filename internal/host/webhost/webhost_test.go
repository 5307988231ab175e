//go:build unix

package webhost_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/host/webhost"
	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// A server keeps a connection for half a second that it closes, longer than goleak waits.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// A request has the deadline, the ID and the client's address that the platform
// names. A server that is told to stop lets it finish.
func TestServe(t *testing.T) {
	port, hold, err := platform.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	addr := "127.0.0.1:" + port
	arrived, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := "none"
		if deadline, ok := r.Context().Deadline(); ok {
			limit = time.Until(deadline).Round(time.Minute).String()
		}
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		fmt.Fprint(w, limit, " ", telemetry.RequestID(r.Context()), " ", host)
	})
	go func() { ended <- webhost.Serve(h, addr) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	get := func(path string, header ...string) string {
		for {
			req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://"+addr+path, nil)
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			resp, err := client.Do(req)
			if err != nil { // the server is not there yet
				time.Sleep(time.Millisecond)
				continue
			}
			defer resp.Body.Close()
			var a, b, c string
			fmt.Fscan(resp.Body, &a, &b, &c)
			return a + " " + b + " " + c
		}
	}
	for _, tt := range []struct {
		header []string
		want   string
	}{
		{nil, "none 127.0.0.1 "},
		{[]string{"X-Scf-Timeout", "60", "X-Scf-Request-Id", "id-1", "X-Scf-Remote-Addr", "203.0.113.7"}, "1m0s id-1 203.0.113.7"},
		{[]string{"X-Scf-Timeout", "60000", "X-Scf-Remote-Addr", "2001:db8::1"}, "1m0s 2001:db8::1 "},
		{[]string{"X-Scf-Timeout", "soon", "X-Scf-Remote-Addr", "me"}, "none 127.0.0.1 "},
	} {
		if got := get("/", tt.header...); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.header, got, tt.want)
		}
	}

	answered := make(chan string, 1)
	go func() { answered <- get("/slow", "X-Scf-Request-Id", "slow") }()
	<-arrived
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got := <-answered; got != "none slow 127.0.0.1" {
		t.Errorf("the request under way: %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A port that cannot be used ends the start with the name of its variable.
func TestUnusablePort(t *testing.T) {
	for _, port := range []string{"x", "99999"} {
		if err := webhost.Serve(http.NotFoundHandler(), "127.0.0.1:"+port); err == nil || !strings.HasPrefix(err.Error(), "PORT") {
			t.Errorf("%s: %v", port, err)
		}
	}
}
