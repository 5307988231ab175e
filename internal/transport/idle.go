package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// ErrIdle is what an exchange ends with in which no byte has moved for too long. It is a
// timeout: it has Timeout() true.
var ErrIdle error = idleError{}

type idleError struct{}

func (idleError) Error() string { return "no byte moved for too long" }
func (idleError) Timeout() bool { return true }

// looks is how many times an exchange is looked at within the idle time. What has moved
// between two looks is dated at the second one, so an exchange ends after the idle time
// and at most a fifth more.
const looks = 5

// RoundTrip implements http.RoundTripper. The body of the answer keeps the idle rule
// until it is closed, so the caller must close it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	x := &exchange{idle: t.Idle, answer: max(t.Idle, t.Answer), cancel: cancel}
	out := req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(info httptrace.GotConnInfo) { x.use(info.Conn) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { x.wrote(info.Err) },
	}))
	// A body that net/http can get again is in memory. It does not keep us waiting, and
	// net/http sends it together with the header only if it sees its type.
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		out.Body = requestBody{req.Body, x}
	}
	x.resume(0)
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, x.end(err)
	}
	x.answered()
	resp.Body = &responseBody{resp.Body, x}
	return resp, nil
}

// An exchange is one request and its answer under the idle rule.
type exchange struct {
	idle, answer time.Duration
	cancel       context.CancelCauseFunc

	mu     sync.Mutex
	conn   *Conn // nil until there is one
	timer  *time.Timer
	moved  int64     // what the connection had moved when that last changed
	since  time.Time // when that was, or when the other side began to wait for us
	whole  bool      // all of the request is with the kernel
	known  bool      // the answer's header has come
	paused pause
	over   bool
	idled  bool // ended by the idle rule
}

// A pause is why the other side waits for us. The idle rule stands still meanwhile.
type pause uint8

const (
	feeding pause = 1 << iota // the source of the request's body is read
	unread                    // the caller does not read the answer's body
)

// use notes the connection that the exchange goes through. What it has moved before is
// not asked for, because the request itself is sure to have changed it at the first look.
func (x *exchange) use(c net.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn = below(c)
	x.since, x.whole = time.Now(), false
}

// wrote notes that all of the request is with the kernel.
func (x *exchange) wrote(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.whole = err == nil
}

// answered notes that the answer's header has come.
func (x *exchange) answered() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known, x.paused = true, unread
}

// stop begins a pause. resume ends one; the first call starts the rule.
func (x *exchange) stop(why pause) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.paused |= why
}

func (x *exchange) resume(why pause) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.paused &^= why
	x.since = time.Now()
	if x.timer == nil {
		x.timer = time.AfterFunc(x.idle/looks, x.look)
	}
}

// limit is the idle rule's one exception: see UploadAnswerTimeout.
func (x *exchange) limit() time.Duration {
	if x.whole && !x.known {
		return x.answer
	}
	return x.idle
}

// look ends the exchange if it has been idle for too long.
func (x *exchange) look() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return
	}
	now := time.Now()
	if n := x.conn.progress(); n != x.moved || x.paused != 0 {
		x.moved, x.since = n, now
	}
	left := x.limit() - now.Sub(x.since)
	if left <= 0 {
		x.idled = true
		x.cancel(ErrIdle)
		return
	}
	x.timer.Reset(min(left, x.idle/looks))
}

// end stops the rule. It returns what err is to the caller.
func (x *exchange) end(err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.timer.Stop()
	x.cancel(nil)
	if x.idled && err != nil && err != io.EOF {
		return ErrIdle
	}
	return err
}

// A requestBody stops the clock while its source is read.
type requestBody struct {
	io.ReadCloser
	x *exchange
}

func (b requestBody) Read(p []byte) (int, error) {
	b.x.stop(feeding)
	defer b.x.resume(feeding)
	return b.ReadCloser.Read(p)
}

// A responseBody runs the clock only while it is read.
type responseBody struct {
	io.ReadCloser
	x *exchange
}

func (b *responseBody) Read(p []byte) (int, error) {
	b.x.resume(unread | feeding)
	n, err := b.ReadCloser.Read(p)
	b.x.stop(unread)
	if err != nil {
		err = b.x.end(err)
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.x.end(nil)
	return err
}
