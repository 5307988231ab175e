package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/host/webhost"
	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// raw sends text as it is and returns the status, 0 if none came.
func (f *front) raw(t *testing.T, text string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute)) // an answer must not wait for a body that is not read
	go io.WriteString(conn, text)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

// Requests that a well-behaved client does not send. Those without a key must
// get nothing but a 401, unless net/http itself cannot read them.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	f := start(t)
	const auth = "Host: x\r\nConnection: close\r\nAuthorization: Bearer " + anyKey + "\r\n"
	for _, tt := range []struct {
		name, text string
		status     int
	}{
		{"OPTIONS of the server", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 401},
		{"OPTIONS of the server with a key", "OPTIONS * HTTP/1.1\r\n" + auth + "\r\n", 404},
		{"absolute target", "PUT http://other.example/files/x HTTP/1.1\r\n" + auth + "Content-Length: 1\r\n\r\nx", 201},
		{"absolute target without a key", "PUT http://x/healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 401},
		{"health with a query", "GET /healthz?x=%zz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"broken escape", "PUT /files/%zz HTTP/1.1\r\n" + auth + "\r\n", 400},
		{"control character", "PUT /files/a\x01 HTTP/1.1\r\n" + auth + "\r\n", 400},
		{"header flood", "GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Join(flood("X", 4000), "\r\n") + "\r\n\r\n", 431},
		{"one endless header", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"two lengths", "PUT /files/x HTTP/1.1\r\n" + auth + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		{"a length and chunks", "PUT /files/x HTTP/1.1\r\n" + auth + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 411},
		{"an absurd length", "PUT /files/x HTTP/1.1\r\n" + auth + "Content-Length: 9223372036854775807\r\n\r\nx", 413},
		{"a negative length", "PUT /files/x HTTP/1.1\r\n" + auth + "Content-Length: -1\r\n\r\nx", 400},
		{"expectation, too large", "PUT /files/x HTTP/1.1\r\n" + auth + "Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n", 413},
		{"expectation without a key", "PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 401},
		{"endless target", "PUT /files/" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + auth + "\r\n", 431},
		{"chunks, disguised", "PUT /files/x HTTP/1.1\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\nx", 501},
		{"two keys", "PUT /files/x HTTP/1.1\r\n" + auth + "Authorization: Bearer guess\r\nContent-Length: 1\r\n\r\nx", 401},
		{"no host", "PUT /files/x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 400},
		{"folded header", "PUT /files/x HTTP/1.1\r\nHost: x\r\nX: y\r\n Authorization: Bearer " + anyKey + "\r\nContent-Length: 1\r\n\r\nx", 401},
		{"a proxy's request", "CONNECT 169.254.169.254:80 HTTP/1.1\r\n" + auth + "\r\n", 404},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"two types", "POST /tickets HTTP/1.1\r\n" + auth + "Content-Type: application/json, text/plain\r\nContent-Length: 2\r\n\r\n{}", 415},
	} {
		if status, answer := f.raw(t, tt.text); status != tt.status {
			t.Errorf("%s: %d, want %d: %s", tt.name, status, tt.status, answer)
		}
	}
}

// A body that ends before its length is not a file.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	f := start(t)
	const auth = "Host: x\r\nAuthorization: Bearer " + anyKey + "\r\nContent-Type: "
	for name, text := range map[string]string{
		"PUT":    "PUT /files/x HTTP/1.1\r\n" + auth + "image/png\r\nContent-Length: 9\r\n\r\nbytes",
		"form":   "POST /files HTTP/1.1\r\n" + auth + formType + "\r\nContent-Length: 999\r\n\r\n" + file("a", "x") + formEnd,
		"chunks": "POST /files HTTP/1.1\r\n" + auth + formType + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n",
		"JSON":   "POST /tickets HTTP/1.1\r\n" + auth + jsonType + "\r\nContent-Length: 99\r\n\r\n" + `{"path":"x"}`,
	} {
		conn, err := net.Dial("tcp", f.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if p, err := readProblem(answer); err != nil || p.Status != 400 || !strings.Contains(p.Detail, "ends early") {
			t.Errorf("%s: %s %v", name, answer, err)
		}
	}
	if n := len(f.deliverer.deliveries); n > 0 {
		t.Errorf("%d deliveries", n)
	}
}

// A front that has a body in one piece may be wrong about its length, and
// its writer knows no deadlines.
func TestBodyOfAnotherLength(t *testing.T) {
	t.Parallel()
	o, f, _ := options(t, io.Discard)
	for length, status := range map[int64]int{4: 400, 5: 201, 6: 400} {
		r := httptest.NewRequest(http.MethodPut, "/files/x", strings.NewReader("bytes"))
		r.ContentLength = length
		r.Header = bearer(anyKey)
		w := httptest.NewRecorder()
		httpapi.New(o).ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("length %d: %d %s", length, w.Code, w.Body)
		}
	}
	if len(f.deliveries) != 1 {
		t.Errorf("%d deliveries", len(f.deliveries))
	}
}

func TestHEAD(t *testing.T) {
	t.Parallel()
	f := start(t)
	for target, status := range map[string]int{"/healthz": 200, "/files/x": 401} {
		if resp, answer := f.send(t, "HEAD", target, nil, nil); resp.StatusCode != status || len(answer) > 0 {
			t.Errorf("%s: %d %q", target, resp.StatusCode, answer)
		}
	}
}

// A panic is answered, and its log line holds no word of the panic that
// could be a secret.
func TestPanic(t *testing.T) {
	t.Parallel()
	var empty []int
	for _, tt := range []struct {
		panics any
		logged string
	}{
		{errors.New(secret), "*errors.errorString"},
		{secret, "what=string"},
		{func() (v any) { defer func() { v = recover() }(); return empty[1] }(), "index out of range"},
	} {
		f := start(t)
		f.deliverer.panics = tt.panics
		resp, answer := f.send(t, "PUT", "/files/x", bearer(anyKey), strings.NewReader("x"))
		f.Close()
		logs := f.logs.String()
		if p, err := readProblem(answer); err != nil || resp.StatusCode != 503 || p.Code != "InternalError" {
			t.Errorf("%d %s %v", resp.StatusCode, answer, err)
		}
		if strings.Contains(string(answer)+logs, secret) || !strings.Contains(logs, tt.logged) || !strings.Contains(logs, "putFile") {
			t.Errorf("logged %s", logs)
		}
	}
}

// A scheme that the list allows and the function cannot open.
func TestSourceWithoutAccess(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *httpapi.Options) { delete(o.Open, transfer.SchemeCOS) })
	resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", jsonType), strings.NewReader(`{"path":"x","source":"cos://staging-125/in/x.txt"}`))
	if p, err := readProblem(answer); err != nil || resp.StatusCode != 403 || p.Code != "Refused" {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
}

// pipes is a listener for the server ends of net.Pipe.
type pipes struct {
	next chan net.Conn
	done chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.next:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error { close(p.done); return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A sender that stalls is cut off after 15 seconds, with a key and without; one
// that moves a byte every 14 is served, and so is one whose delivery takes long.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, key string
		method    string          // OPTIONS is a preflight
		pauses    []time.Duration // before each byte of five; fewer: then nothing comes
		delivery  time.Duration
		status    int
		took      time.Duration
	}{
		{"slow", anyKey, "PUT", []time.Duration{14, 14, 14, 14, 14}, 0, 201, 70 * time.Second},
		{"slow delivery", anyKey, "PUT", []time.Duration{1, 0, 0, 0, 0}, 100 * time.Second, 201, 101 * time.Second},
		{"stalled", anyKey, "PUT", []time.Duration{14, 10}, 0, 400, 39 * time.Second},
		{"stalled from the start", anyKey, "PUT", nil, 0, 400, 15 * time.Second},
		{"stalled without a key", "", "PUT", []time.Duration{5}, 0, 401, 15 * time.Second},
		{"stalled preflight", "", "OPTIONS", nil, 0, 204, 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, f, _ := options(t, io.Discard)
				f.entered = func() { time.Sleep(tt.delivery) }
				client, end := connect(o)
				defer end()
				start, done := time.Now(), make(chan struct{})
				go func() {
					defer close(done)
					fmt.Fprintf(client, "%s /files/x HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nAccess-Control-Request-Method: PUT\r\nAuthorization: Bearer %s\r\nContent-Length: 5\r\n\r\n",
						tt.method, origin, tt.key)
					for _, pause := range tt.pauses {
						time.Sleep(pause * time.Second)
						io.WriteString(client, "x")
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				answer, _ := io.ReadAll(resp.Body)
				if took := time.Since(start); resp.StatusCode != tt.status || took != tt.took {
					t.Errorf("%d after %v, want %d after %v: %s", resp.StatusCode, took, tt.status, tt.took, answer)
				}
				if tt.status == 400 && !strings.Contains(string(answer), "stalled") {
					t.Errorf("answered %s", answer)
				}
				<-done
			})
		})
	}
}

// connect serves one connection until end.
func connect(o httpapi.Options) (client net.Conn, end func()) {
	conns := pipes{make(chan net.Conn), make(chan struct{})}
	server := webhost.NewServer(httpapi.New(o), "")
	go server.Serve(conns)
	client, conn := net.Pipe()
	conns.next <- conn
	return client, func() {
		client.Close()
		server.Close()
	}
}

// Headers that never end are cut off too, and a connection that says nothing.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			o, _, _ := options(t, io.Discard)
			client, end := connect(o)
			defer end()
			start, done := time.Now(), make(chan struct{})
			go func() {
				defer close(done)
				for {
					time.Sleep(pause)
					if _, err := io.WriteString(client, "G"); err != nil {
						return
					}
				}
			}()
			io.ReadAll(client)
			if took := time.Since(start); took != 15*time.Second {
				t.Errorf("headers were waited for %v", took)
			}
			<-done
		})
	}
}

// PATH is decoded exactly once, however it is written.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "a%2Fb", "a%252Fb", "%2e%2e/x", "a+b", "%e7%ba%a2", "%", "a//b", "a;b", `a"b`, "a%00", "%C0%AE", "a/%3F"} {
		f.Add(seed)
	}
	o, deliverer, _ := options(f, io.Discard)
	h := httpapi.New(o)
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsAny(path, "?#") {
			return
		}
		target, err := url.ParseRequestURI("/files/" + path)
		if err != nil {
			return
		}
		want, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("net/http takes %q, which cannot be decoded", path)
		}
		deliverer.deliveries = nil
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{Method: http.MethodPut, URL: target, Header: bearer(anyKey), Body: http.NoBody})
		switch {
		case w.Code == 201 && (checkPath(want) != nil || len(deliverer.deliveries) != 1 || deliverer.deliveries[0].plan.Dest.Path != want):
			t.Fatalf("%q went to %+v", path, deliverer.deliveries)
		case w.Code == 400 && checkPath(want) == nil, w.Code != 201 && w.Code != 400:
			t.Fatalf("%q: %d %s", path, w.Code, w.Body)
		}
	})
}
