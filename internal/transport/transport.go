// Package transport makes the HTTP connections that all stages use: to the WeChat API,
// to COS and to the sources. It adds three things to net/http.
//
// # One idle rule
//
// An exchange in which no byte moves for IdleTimeout is ended with ErrIdle. One that
// moves is never cut off, however slow it is. The rule covers the connection, the
// request, the wait for the answer (1xx answers are bytes too) and the answer's body. It
// stands still while the other side waits for us: while the source of a request's body
// is read, and while the caller does not read the answer's body.
//
// net/http cannot do this. Its ResponseHeaderTimeout begins when the kernel has taken
// the last byte of the request. A slow receiver then still has megabytes to fetch, and
// it is cut off; so is an answer whose header comes slowly. Read deadlines cannot be
// used, because net/http reads from the connection throughout an upload.
//
// The socket options TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT do not replace it either.
// They watch what is sent and not yet acknowledged, on Linux alone. In a try, they ended
// uploads to a receiver that took some KB now and then, and ResponseHeaderTimeout, which
// would have to watch the answer, ended answers that came in pieces.
//
// So one timer for each exchange looks at what the kernel has counted
// (progress_linux.go). A receiver's kernel announces room in lumps, of about 15 KB at
// the least. One that takes less than that within the idle time shows no sign of it.
//
// # Connections opened beforehand
//
// Preconnect dials, shakes hands and puts the connection aside. The first request to
// that host takes it (stash.go).
//
// # Records that leave together
//
// TLS writes each record of 16 KiB by itself. Here the records of 64 KiB of an upload
// leave in one write (batch.go).
package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// IdleTimeout is how long an exchange may move no byte (reference/answers.md,
	// Limits).
	IdleTimeout = 15 * time.Second
	// UploadAnswerTimeout is how long COS may take to answer when it has a whole form.
	// It stores up to 5 GiB before it answers, and an upload that was ended may still
	// be stored, over newer bytes. 60 s is a guess: nothing says how long COS takes.
	UploadAnswerTimeout = 60 * time.Second

	// connectTimeout bounds a dial and a TLS handshake. It is shorter than IdleTimeout,
	// so that there is time left for the next address of a host or the next host.
	connectTimeout = 10 * time.Second
	// idlePerHost is how many unused connections to one host are kept. 64 is above the
	// number of files that one function has under way; net/http's own 2 make nearly each
	// file shake hands anew.
	idlePerHost = 64
	// keepFor is how long an unused connection is kept. It is short because a frozen
	// function wakes up to connections that the other side has closed long ago, and
	// because an upload that fails on one of them cannot be sent again from here.
	keepFor = 30 * time.Second
	// sessions is how many servers' TLS sessions are remembered, so that a function that
	// wakes up need not check their certificates anew. 32 is above the number of hosts
	// that one function talks to.
	sessions = 32
)

// A Transport is an http.RoundTripper with the idle rule. It follows no redirect.
type Transport struct {
	// Idle and Answer are changed before the first request only. Idle is IdleTimeout;
	// tests shorten it. Answer is how long the answer may be awaited once the whole
	// request has left; the zero value means Idle.
	Idle, Answer time.Duration

	base    *http.Transport
	stashes map[string]*stash // by scheme; none on what Wrap has made
}

// New returns a Transport for the hosts that the configuration names: see Tune.
func New() *Transport { return Tune(new(http.Transport)) }

// NewClient returns an http.Client over New that follows no redirect.
func NewClient() *http.Client {
	return &http.Client{
		Transport:     New(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Tune gives base all that this package has: the idle rule, connections that are shared
// and opened beforehand, joined TLS records, the proxies that the environment names. It
// uses base.TLSClientConfig as it is when a connection is made. The caller must not use
// base itself.
//
// It speaks HTTP/1.1 only: one upload for each connection, without a second flow control
// on top of TCP's.
func Tune(base *http.Transport) *Transport {
	return tune(base, (&net.Dialer{Timeout: connectTimeout}).DialContext)
}

func tune(base *http.Transport, dial dialFunc) *Transport {
	base.Proxy = http.ProxyFromEnvironment
	base.DialContext = dial
	base.ForceAttemptHTTP2 = false
	base.DisableCompression = true // files come as they are stored, all else is small
	base.MaxIdleConns = 0
	base.MaxIdleConnsPerHost = idlePerHost
	base.IdleConnTimeout = keepFor
	t := Wrap(base)
	t.stashes = map[string]*stash{
		"http":  {open: base.DialContext, conns: map[string][]stashed{}},
		"https": {open: t.dialTLS(base.DialContext), conns: map[string][]stashed{}},
	}
	base.DialContext, base.DialTLSContext = t.stashes["http"].dial, t.stashes["https"].dial
	return t
}

// Wrap puts the idle rule alone over base, which keeps its dialer and its proxies. base
// must speak HTTP/1.1 only: an HTTP/2 connection moves bytes of other exchanges too. The
// caller must not use base itself.
func Wrap(base *http.Transport) *Transport {
	dial := base.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return newConn(c), nil
	}
	base.TLSHandshakeTimeout = connectTimeout
	base.ResponseHeaderTimeout = 0 // see the package comment
	return &Transport{Idle: IdleTimeout, base: base}
}

// CloseIdleConnections closes the connections that no exchange uses, those opened
// beforehand included.
func (t *Transport) CloseIdleConnections() {
	for _, s := range t.stashes {
		s.close()
	}
	t.base.CloseIdleConnections()
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTLS makes the connections that need TLS and go through no proxy.
func (t *Transport) dialTLS(dial dialFunc) dialFunc {
	cache := tls.NewLRUClientSessionCache(sessions)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		raw, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		config := new(tls.Config)
		if t.base.TLSClientConfig != nil {
			config = t.base.TLSClientConfig.Clone()
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(addr)
		}
		if config.ClientSessionCache == nil {
			config.ClientSessionCache = cache
		}
		low := &batch{Conn: raw}
		c := &batchedTLS{Conn: tls.Client(low, config), low: low}
		if err := c.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return c, nil
	}
}
