package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// serving returns the client's end of a pipe. serve answers each request; it must read
// the request's body itself.
func serving(serve func(c net.Conn, req *http.Request)) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		for r := bufio.NewReader(far); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			serve(far, req)
		}
	}()
	return near
}

// wrapped is a Transport whose connections come from dial.
func wrapped(dial func(context.Context) (net.Conn, error)) (*transport.Transport, func()) {
	base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	return transport.Wrap(base), base.CloseIdleConnections
}

// exchange sends size bytes, reads the answer to its end, and tells how long it took.
func exchange(t *testing.T, tr http.RoundTripper, body io.Reader, size int64) (string, time.Duration, error) {
	start := time.Now()
	resp, err := post(t.Context(), tr, "http://h/", body, size)
	if err != nil {
		return "", time.Since(start), err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), time.Since(start), err
}

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nokay"

func TestIdleExchangeEnds(t *testing.T) {
	t.Parallel()
	after := func(text string) func(net.Conn, *http.Request) {
		return func(c net.Conn, req *http.Request) {
			io.Copy(io.Discard, req.Body)
			io.WriteString(c, text)
			io.Copy(io.Discard, c) // until the client closes
		}
	}
	for name, tt := range map[string]struct {
		serve  func(net.Conn, *http.Request) // nil: the server does not read the request
		answer time.Duration
		limit  time.Duration
	}{
		"nothing is read":             {nil, time.Minute, transport.IdleTimeout},
		"no answer":                   {after(""), 0, transport.IdleTimeout},
		"no answer to a whole upload": {after(""), time.Minute, time.Minute},
		"half a header":               {after("HTTP/1.1 200 O"), 0, transport.IdleTimeout},
		"half a body":                 {after(answer[:len(answer)-1]), time.Minute, transport.IdleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr, done := wrapped(func(context.Context) (net.Conn, error) {
					if tt.serve != nil {
						return serving(tt.serve), nil
					}
					near, _ := net.Pipe()
					return near, nil
				})
				defer done()
				tr.Answer = tt.answer
				_, took, err := exchange(t, tr, io.LimitReader(zeros{}, 100<<10), 100<<10)
				wantIdle(t, err, took, tt.limit)
			})
		})
	}
}

func wantIdle(t *testing.T, err error, took, limit time.Duration) {
	t.Helper()
	if !errors.Is(err, transport.ErrIdle) || took < limit || took > limit+transport.IdleTimeout/5 {
		t.Errorf("%v after %v; want ErrIdle after %v and at most a fifth more", err, took, limit)
	}
	if cause := transfer.Cause(err); cause != "timed out" {
		t.Errorf("the cause reads %q", cause)
	}
}

func TestIdleDialEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr, done := wrapped(func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
		defer done()
		_, took, err := exchange(t, tr, strings.NewReader("x"), 1)
		wantIdle(t, err, took, transport.IdleTimeout)
	})
}

// A receiver that stops in the middle of an upload is not given the time that the answer
// to a whole one has.
func TestIdleUploadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		tr, done := wrapped(func(context.Context) (net.Conn, error) {
			return serving(func(_ net.Conn, req *http.Request) {
				io.CopyN(io.Discard, req.Body, 10<<10)
				<-stop
			}), nil
		})
		defer done()
		tr.Answer = time.Minute
		_, took, err := exchange(t, tr, io.LimitReader(zeros{}, 100<<10), 100<<10)
		wantIdle(t, err, took, transport.IdleTimeout)
		close(stop)
	})
}

// slowly writes each text after a pause that the idle rule just allows.
func slowly(texts ...string) func(net.Conn, *http.Request) {
	return func(c net.Conn, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		for _, text := range texts {
			time.Sleep(transport.IdleTimeout - time.Second)
			io.WriteString(c, text)
		}
	}
}

func TestSlowAnswerThatMovesIsNeverCutOff(t *testing.T) {
	t.Parallel()
	const processing = "HTTP/1.1 102 Processing\r\n\r\n"
	for name, texts := range map[string][]string{
		"1xx answers": {processing, processing, processing, answer},
		"every byte":  strings.Split(answer, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr, done := wrapped(func(context.Context) (net.Conn, error) { return serving(slowly(texts...)), nil })
				defer done()
				if text, took, err := exchange(t, tr, strings.NewReader("x"), 1); text != "okay" || err != nil {
					t.Errorf("%q, %v after %v", text, err, took)
				}
			})
		})
	}
}

// An answer that comes late to a whole upload is awaited for longer; see
// UploadAnswerTimeout.
func TestAnswerToAWholeUploadIsAwaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr, done := wrapped(func(context.Context) (net.Conn, error) {
			return serving(func(c net.Conn, req *http.Request) {
				io.Copy(io.Discard, req.Body)
				time.Sleep(transport.UploadAnswerTimeout - time.Second)
				io.WriteString(c, answer)
			}), nil
		})
		defer done()
		tr.Answer = transport.UploadAnswerTimeout
		if text, _, err := exchange(t, tr, strings.NewReader("x"), 1); text != "okay" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// sleepy takes a minute for each Read.
type sleepy struct{ io.Reader }

func (s sleepy) Read(p []byte) (int, error) {
	time.Sleep(time.Minute)
	return s.Reader.Read(p[:min(len(p), 2)])
}

// The rule stands still while the other side waits for us.
func TestOurOwnSlownessDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr, done := wrapped(func(context.Context) (net.Conn, error) {
			return serving(func(c net.Conn, req *http.Request) {
				io.Copy(io.Discard, req.Body)
				io.WriteString(c, answer)
			}), nil
		})
		defer done()
		resp, err := post(t.Context(), tr, "http://h/", sleepy{strings.NewReader("slow")}, 4)
		if err != nil {
			t.Fatal("a slow source:", err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(sleepy{resp.Body}); string(text) != "okay" || err != nil {
			t.Errorf("a slow reader: %q, %v", text, err)
		}
	})
}

func TestTheCallersContextEndsAnExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr, done := wrapped(func(context.Context) (net.Conn, error) {
			return serving(func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) }), nil
		})
		defer done()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tr.RoundTrip(httptest.NewRequest("GET", "http://h/", nil).WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
