package transport

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// A secure is a TLS connection over a Conn. TLS encrypts 16 KiB at a time and
// writes each such record by itself; here the records of one piece of an upload
// leave together, which saves CPU time (docs/benchmarks.md).
type secure struct {
	*tls.Conn
	below *Conn
	busy  atomic.Bool // with an upload
	lead
}

// sessions is how many servers' TLS sessions a transport remembers, so that a
// function that wakes up to closed connections need not check certificates anew.
const sessions = 32

// dialTLS makes the connections of t that need TLS and go through no proxy.
func dialTLS(t *http.Transport) func(context.Context, string, string) (net.Conn, error) {
	cache := tls.NewLRUClientSessionCache(sessions)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		begin(ctx)
		defer finish(ctx, true)
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		raw, err := t.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		config := new(tls.Config)
		if t.TLSClientConfig != nil {
			config = t.TLSClientConfig.Clone()
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(addr)
		}
		if config.ClientSessionCache == nil {
			config.ClientSessionCache = cache
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		if below, ok := raw.(*Conn); ok {
			return &secure{Conn: conn, below: below}, nil
		}
		return conn, nil // over a dialer that has taken the place of ours
	}
}

// Write is tls.Conn's, but for a header that waits for its body.
func (s *secure) Write(p []byte) (int, error) {
	if s.keep(p) {
		return len(p), nil
	}
	return s.join(p, s.Conn.Write)
}

// ReadFrom sends all of r as Conn's does, encrypted.
func (s *secure) ReadFrom(r io.Reader) (int64, error) {
	s.busy.Store(true)
	defer s.busy.Store(false)
	head := s.take()
	size, buffers := small(head, r), smallPieces
	if size == smallSize {
		select {
		case secureSlots <- struct{}{}:
			defer func() { <-secureSlots }()
			size, buffers = secureSize, securePieces
		default:
		}
	}
	return pump(head, r, buffers.plain, size, func(p []byte) (int, error) {
		s.below.holdBack(buffers.records, size)
		n, err := s.Conn.Write(p)
		if e := s.below.letGo(buffers.records); err == nil {
			err = e
		}
		return n, err
	})
}

// Close ends an upload at once; else it says goodbye, as TLS does.
func (s *secure) Close() error {
	if s.busy.Load() {
		s.below.Close()
	}
	return s.Conn.Close()
}

// holdBack keeps what is written until letGo, in a buffer from pool with room for the
// records of size bytes: when they are small, these take 2 % more.
func (c *Conn) holdBack(pool *sync.Pool, size int) {
	c.joint.Lock()
	defer c.joint.Unlock()
	c.held = pool.Get().(*[]byte)
	*c.held = slices.Grow(*c.held, size+size/32+512)
}

// letGo writes what was held back. The lock keeps what others write meanwhile
// (TLS answers the peer from its reading side) in order behind it.
func (c *Conn) letGo(pool *sync.Pool) error {
	c.joint.Lock()
	defer c.joint.Unlock()
	_, err := c.write(*c.held)
	*c.held = (*c.held)[:0]
	pool.Put(c.held)
	c.held = nil
	return err
}

// hold keeps p if it is to be held back.
func (c *Conn) hold(p []byte) bool {
	c.joint.Lock()
	defer c.joint.Unlock()
	if c.held == nil {
		return false
	}
	*c.held = append(*c.held, p...)
	return true
}
