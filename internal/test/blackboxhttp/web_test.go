package blackboxhttp_test

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

// hear reads the answer of a connection; the status is 0 if none comes.
func hear(conn net.Conn) (status int, body string) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // what came counts
	return resp.StatusCode, string(text)
}

const keyed = "Host: x\r\nConnection: close\r\nAuthorization: Bearer " + anyKey + "\r\n"

// Requests that no well-behaved client sends.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := fronts[len(fronts)-1].start(t, w)
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"header flood":          {"PUT /files/x HTTP/1.1\r\n" + keyed + strings.Repeat("X: x\r\n", 10_000) + "\r\n", 431},
		"one endless header":    {"PUT /files/x HTTP/1.1\r\n" + keyed + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"endless target":        {"PUT /files/" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + keyed + "\r\n", 431},
		"broken escape":         {"PUT /files/%zz HTTP/1.1\r\n" + keyed + "\r\n", 400},
		"two lengths":           {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		"length and chunks":     {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 411},
		"chunks, disguised":     {"PUT /files/x HTTP/1.1\r\n" + keyed + "Transfer-Encoding: xchunked\r\n\r\nx", 501},
		"absurd length":         {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 9223372036854775807\r\n\r\nx", 413},
		"negative length":       {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: -1\r\n\r\nx", 400},
		"expectation, too much": {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n", 413},
		"expectation, no key":   {"PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 401},
		"two keys":              {"PUT /files/x HTTP/1.1\r\n" + keyed + "Authorization: Bearer guess\r\nContent-Length: 1\r\n\r\nx", 401},
		"no host":               {"PUT /files/x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 400},
		"folded header":         {"PUT /files/x HTTP/1.1\r\nHost: x\r\nX: y\r\n Authorization: Bearer " + anyKey + "\r\nContent-Length: 1\r\n\r\nx", 401},
		"a proxy's request":     {"CONNECT 169.254.169.254:80 HTTP/1.1\r\n" + keyed + "\r\n", 404},
		"not HTTP":              {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"a time limit of none":  {"PUT /files/../x HTTP/1.1\r\n" + keyed + "X-Scf-Timeout: -5\r\nContent-Length: 1\r\n\r\nx", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial(t)
			go func() {
				io.WriteString(conn, tt.text) // it may be cut off
				if name == "not HTTP" {
					conn.CloseWrite()
				}
			}()
			if status, text := hear(conn); status != tt.status {
				t.Errorf("%d, not %d: %s", status, tt.status, text)
			}
		})
	}
	t.Cleanup(func() {
		if n := w.touched(); n != 0 {
			t.Errorf("%d requests went out", n)
		}
	})
}

// A body that ends before its length is no file.
func TestTruncatedBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := fronts[len(fronts)-1].start(t, w)
	for name, text := range map[string]string{
		"PUT":    "PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 9\r\n\r\nbytes",
		"form":   "POST /files HTTP/1.1\r\n" + keyed + "Content-Type: " + formType + "\r\nContent-Length: 999\r\n\r\n" + file("a", "image/png", "x") + formEnd,
		"chunks": "POST /files HTTP/1.1\r\n" + keyed + "Content-Type: " + formType + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n",
		"JSON":   "POST /tickets HTTP/1.1\r\n" + keyed + "Content-Type: " + jsonType + "\r\nContent-Length: 99\r\n\r\n" + `{"path":"x"}`,
	} {
		conn := s.dial(t)
		io.WriteString(conn, text)
		conn.CloseWrite()
		if status, answer := hear(conn); status != 400 || !strings.Contains(answer, "ends early") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if n := w.touched(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// A client that stalls is given up after 15 seconds, in its headers and in its
// body; many of them keep nobody else from being served.
func TestStalledClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the 15 seconds that a client may stall")
	}
	t.Parallel()
	w := newWorld(t)
	s := fronts[len(fronts)-1].start(t, w)
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"headers":             {"PUT /files/x HTTP/1.1\r\nHost: x\r\nX-Slow: ", 0},
		"body":                {"PUT /files/x HTTP/1.1\r\n" + keyed + "Content-Length: 9\r\n\r\nbytes", 400},
		"form":                {"POST /files HTTP/1.1\r\n" + keyed + "Content-Type: " + formType + "\r\nContent-Length: 99\r\n\r\n--b\r\n", 400},
		"body without a key":  {"PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nbytes", 401},
		"nothing after hello": {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			var crowd []net.Conn
			for range 20 {
				conn := s.dial(t)
				io.WriteString(conn, tt.text)
				crowd = append(crowd, conn)
			}
			if a := s.at(t).do(put("/files/meanwhile/"+strings.ReplaceAll(name, " ", "-"), "text/plain", "x")); a.status != 201 || a.took > 5*time.Second {
				t.Errorf("meanwhile: %d after %v", a.status, a.took)
			}
			for _, conn := range crowd {
				conn.SetReadDeadline(begin.Add(19 * time.Second))
				status, text := hear(conn)
				if took := time.Since(begin); status != tt.status || took < 14*time.Second || took > 18*time.Second {
					t.Fatalf("%d after %v, not %d after 15 s: %s", status, took, tt.status, text)
				}
			}
		})
	}
}

// SIGTERM lets what is under way finish: a body that is still coming, and an
// upload to COS. Nobody new is admitted, and the exit code is 0.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := tcb.FaultNamed("upload slow")
	slow.Delay = 40 * time.Millisecond
	w.Cloud.Inject(always(slow, "uploading"))
	server, err := platform.StartWeb(t.Context(), scfHTTP, w.vars())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s := &site{w: w, url: server.URL}

	body := strings.Repeat("x", 256<<10)
	sending, uploading := s.dial(t), s.dial(t)
	fmt.Fprintf(sending, "PUT /files/sending HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", keyed, len(body), body[:1000])
	fmt.Fprintf(uploading, "PUT /files/uploading HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", keyed, len(body), body)
	until(t, "the upload begins", func() bool { return w.Cloud.Requests()[tcb.OpUpload] > 0 })

	type ending struct {
		code int
		err  error
	}
	ended := make(chan ending, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		code, err := server.Stop(ctx)
		ended <- ending{code, err}
	}()
	until(t, "nobody is admitted", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if w.Cloud.Commits() > 0 {
		t.Error("the upload was over before the end began: nothing is tested")
	}
	io.WriteString(sending, body[1000:])
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

// until waits for something that another process does.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain until " + what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
