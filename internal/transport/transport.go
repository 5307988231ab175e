// Package link makes the HTTP connections that every stage uses. They differ
// from net/http's own in three ways: a connection that moves no byte for IdleTimeout is
// given up while a slow one that moves is never cut off; many files to one host
// share connections; and an upload leaves in large pieces, its header with the first.
package transport

import (
	"context"
	"net"
	"net/http"
	"time"
)

// IdleTimeout is how long a connection may move no byte before it counts as broken.
const IdleTimeout = 15 * time.Second

const (
	connectTimeout = 10 * time.Second
	// idlePerHost keeps the connections of as many parallel files; net/http's own
	// 2 make nearly each file shake hands anew.
	idlePerHost = 64
	// idleTimeout is short because a frozen function wakes up with connections
	// that the other side has long closed, and an upload in flight cannot be sent
	// again from here.
	idleTimeout = 30 * time.Second
)

// NewClient is Client over a NewTransport with the usual IdleTimeout.
func NewClient() *http.Client { return Client(NewTransport(), IdleTimeout) }

// Client returns a client over t for requests with bodies of any size. It follows
// no redirect, and instead of t's ResponseHeaderTimeout it gives up on an answer
// when nothing has moved for the stall time after the request.
func Client(t *http.Transport, stall time.Duration) *http.Client {
	t.ResponseHeaderTimeout = 0
	return &http.Client{
		Transport:     waiter{t, stall},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// NewTransport returns a tuned transport of its own.
func NewTransport() *http.Transport {
	t := new(http.Transport)
	Tune(t)
	return t
}

// Tune gives t this package's connections, time limits and proxy settings, and
// uses its TLS configuration as it is when a connection is made. It speaks HTTP/1.1 only: one upload per
// connection, without a second flow control on top of TCP's.
//
// Limits hold for parts, never for a whole exchange: dialling, the TLS handshake,
// one write (see Conn), and the wait for an answer once the request is written.
// The answer's body is the reader's to watch.
func Tune(t *http.Transport) {
	t.Proxy = http.ProxyFromEnvironment
	t.DialContext = dial
	t.DialTLSContext = dialTLS(t)
	t.ForceAttemptHTTP2 = false
	t.DisableCompression = true // of answers: files come as they are stored, the rest is small
	t.TLSHandshakeTimeout = connectTimeout
	t.ResponseHeaderTimeout = IdleTimeout
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = idlePerHost
	t.IdleConnTimeout = idleTimeout
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	begin(ctx)
	defer finish(ctx, false)
	c, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return NewConn(c, IdleTimeout), nil
}
