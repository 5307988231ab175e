package blackbox_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// dial connects to the web function.
func (s *site) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// hear reads the answer of a connection, for a minute at most. The status is 0 if
// none comes.
func hear(conn net.Conn) (status int, body string) {
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // what came counts
	return resp.StatusCode, string(text)
}

const keyed = "Host: x\r\nConnection: close\r\nAuthorization: Bearer " + anyKey + "\r\n"

// The server of the binary bounds headers, and answers a body that ends before its
// length. The other requests that no well-behaved client sends are httpapi's.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newHTTPWorld(t)
	s := fronts[len(fronts)-1].start(t, w)
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"header flood":         {"PUT /files/x HTTP/1.1\r\n" + keyed + strings.Repeat("X: x\r\n", 10_000) + "\r\n", 431},
		"a time limit of none": {"PUT /files/../x HTTP/1.1\r\n" + keyed + "X-Scf-Timeout: -5\r\nContent-Length: 1\r\n\r\nx", 400},
		"broken off":           {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 9\r\n\r\nbytes", 400},
	} {
		conn := s.dial(t)
		go func() {
			io.WriteString(conn, tt.text) // it may be cut off
			if name == "broken off" {
				conn.CloseWrite()
			}
		}()
		if status, text := hear(conn); status != tt.status {
			t.Errorf("%s: %d, not %d: %s", name, status, tt.status, text)
		}
	}
	if n := w.touched(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// SIGTERM lets what is under way finish: a body that is still coming, and an
// upload to COS. No new connection is accepted, and the exit code is 0.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newHTTPWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.Cloud.OnRequest(func(op tcb.Op, key string) *tcb.Fault {
		if op == tcb.OpUpload && key == "uploading" {
			close(arrived)
			select {
			case <-release:
			case <-t.Context().Done():
			}
		}
		return nil
	})
	server, err := platform.StartWeb(t.Context(), functions.Path(t, "scf-http"), w.vars())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s := &site{w: w, url: server.URL}

	const body, begun = "content", "HTTP/1.1 100 Continue\r\n\r\n"
	sending, uploading := s.dial(t), s.dial(t)
	fmt.Fprintf(uploading, "PUT /files/uploading HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", keyed, len(body), body)
	<-arrived
	fmt.Fprintf(sending, "PUT /files/sending HTTP/1.1\r\n%sContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", keyed, len(body))
	if _, err := io.ReadFull(sending, make([]byte, len(begun))); err != nil { // it comes when the body is read
		t.Fatal(err)
	}

	type ending struct {
		code int
		err  error
	}
	ended := make(chan ending, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		code, err := server.Stop(ctx)
		ended <- ending{code, err}
	}()
	kit.Until(t, "no connection is accepted", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	io.WriteString(sending, body)
	for name, conn := range map[string]net.Conn{"sending": sending, "uploading": uploading} {
		if status, text := hear(conn); status != 201 {
			t.Errorf("%s: %d %s", name, status, text)
		}
		if o, ok := w.Cloud.Object(devstack.Env, name); !ok || string(o.Content) != body {
			t.Errorf("%s is not stored as it was sent", name)
		}
	}
	if end := <-ended; end.code != 0 || end.err != nil {
		t.Errorf("the function ended with %d, %v:\n%s", end.code, end.err, server.Output())
	}
}
