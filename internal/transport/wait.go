package transport

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// waiter is a transport that gives up on an answer when nothing moves for the
// stall time after the request was written. net/http's own limit would count
// from when the last byte went into the kernel's buffers: a slow receiver, who
// still has megabytes to take from there, would be cut off.
type waiter struct {
	*http.Transport
	stall time.Duration
}

// RoundTrip is http.Transport's, with that limit.
func (w waiter) RoundTrip(req *http.Request) (*http.Response, error) {
	v := &vigil{tick: w.stall / ticks}
	defer v.end()
	resp, err := w.Transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			v.take(info.Conn)
			if c, ok := info.Conn.(leader); ok && req.ContentLength > 0 && req.Header.Get("Expect") == "" {
				c.expectBody()
			}
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { v.begin() },
	})))
	if err != nil && v.gaveUp() {
		return nil, ErrStalled
	}
	return resp, err
}

// A vigil waits for the answer to a request that is written. It closes the
// connection when its send queue has not changed for as many looks as there are
// ticks in the stall time.
type vigil struct {
	tick time.Duration

	mu     sync.Mutex
	conn   *Conn
	timer  *time.Timer
	queued int
	still  int
	over   bool
	broken bool
}

func (v *vigil) take(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS, ours or net/http's
		c = t.NetConn()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conn, _ = c.(*Conn)
}

func (v *vigil) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conn == nil || v.over {
		return
	}
	v.queued, v.still = v.conn.unsent(), 0
	if v.timer == nil { // else a request sent again
		v.timer = time.AfterFunc(v.tick, v.look)
	}
}

func (v *vigil) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return
	}
	if queued := v.conn.unsent(); queued != v.queued {
		v.queued, v.still = queued, 0
	} else if v.still++; v.still >= ticks {
		v.broken = true
		v.conn.Close()
		return
	}
	v.timer.Reset(v.tick)
}

func (v *vigil) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if v.timer != nil {
		v.timer.Stop()
	}
}

func (v *vigil) gaveUp() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.broken
}
