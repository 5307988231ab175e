package transport

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A stash holds connections that were opened beforehand, until a dial takes them.
type stash struct {
	open dialFunc

	mu    sync.Mutex
	conns map[string][]stashed // by host:port, as net/http gives it to a dialer
}

type stashed struct {
	net.Conn
	until time.Time // on the wall clock: the monotonic one stands still in a frozen function
	timer *time.Timer
}

// Preconnect opens a connection that the first request to base (scheme://host) will
// find, and returns when it is open, when it cannot be had, or when ctx is done. Nothing
// is sent over it but the handshake. It is closed after 30 s unless it is used. Where a
// proxy leads to base, and on a Transport that only Wrap has made, Preconnect does
// nothing.
func (t *Transport) Preconnect(ctx context.Context, base string) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || t.stashes[u.Scheme] == nil {
		return
	}
	if proxy, err := t.base.Proxy(&http.Request{URL: u}); proxy != nil || err != nil {
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	s, addr := t.stashes[u.Scheme], net.JoinHostPort(u.Hostname(), port)
	c, err := s.open(ctx, "tcp", addr)
	if err != nil {
		return // the first request will say why
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[addr] = append(s.conns[addr], stashed{c, time.Now().Add(keepFor).Round(0), time.AfterFunc(keepFor, func() { c.Close() })})
}

// dial takes a connection that was opened beforehand, and else opens one.
func (s *stash) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c := s.take(addr); c != nil {
		return c, nil
	}
	return s.open(ctx, network, addr)
}

// take returns a connection that is still good, nil when there is none. net/http sends a
// request again when a kept connection turns out dead, but not when a new one does.
func (s *stash) take(addr string) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns[addr]) > 0 {
		c := s.conns[addr][0]
		s.conns[addr] = s.conns[addr][1:]
		if c.timer.Stop() && time.Now().Round(0).Before(c.until) && !below(c.Conn).closedByPeer() {
			return c.Conn
		}
		c.Close()
	}
	return nil
}

func (s *stash) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for addr, list := range s.conns {
		for _, c := range list {
			c.timer.Stop()
			c.Close()
		}
		delete(s.conns, addr)
	}
}
