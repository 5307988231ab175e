package wechat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// patience is how long a connection may move nothing.
	patience = 15 * time.Second
	// maxAnswer is far above every answer of the API; a ticket is about 2 KB.
	maxAnswer = 64 << 10
)

var errIdle = errors.New("nothing moved for 15 s")

// A reply is an HTTP answer, read to its end or to the limit.
type reply struct {
	status int
	header http.Header
	body   []byte    // one byte longer than maxAnswer when there was more
	asked  time.Time // when the request set out, on the wall clock
}

// broken says why there is no reply, without URLs. unreached means that no
// connection came about, so that the request was certainly not processed.
type broken struct {
	cause     string
	unreached bool
}

// exchange sends req and reads the answer, giving up when nothing moves for
// patience. A slow answer that moves is never cut off. A user in the URL is sent as
// basic authentication.
func exchange(ctx context.Context, roundTrip func(*http.Request) (*http.Response, error), req *http.Request) (*reply, *broken) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(patience, func() { cancel(errIdle) })
	defer idle.Stop()
	moved := func() { idle.Reset(patience) }

	// The transport announces GetConn before DNS, dial and TLS, and GotConn after
	// them; in between no byte of a request has left.
	var connecting atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { connecting.Store(true) },
		GotConn:              func(httptrace.GotConnInfo) { connecting.Store(false); moved() },
		WroteRequest:         func(httptrace.WroteRequestInfo) { moved() },
		GotFirstResponseByte: moved,
	})
	because := func(err error) *broken {
		cause := transfer.Cause(err)
		if context.Cause(ctx) == errIdle {
			cause = errIdle.Error()
		}
		return &broken{cause, connecting.Load()}
	}

	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	asked := wallClock()
	resp, err := roundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, because(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	body.Grow(int(min(max(resp.ContentLength, 0), maxAnswer)) + bytes.MinRead)
	if _, err := body.ReadFrom(io.LimitReader(movingReader{resp.Body, moved}, maxAnswer+1)); err != nil {
		return nil, because(err)
	}
	return &reply{resp.StatusCode, resp.Header, body.Bytes(), asked}, nil
}

// movingReader reports every read that brought something.
type movingReader struct {
	io.Reader
	moved func()
}

func (r movingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.moved()
	}
	return n, err
}

// wallClock is the time without its monotonic part, which stands still while
// the platform keeps a function frozen between two invocations.
func wallClock() time.Time { return time.Now().Round(0) }
