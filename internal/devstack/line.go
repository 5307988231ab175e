package devstack

import (
	"net"
	"sync/atomic"
	"time"
)

// A Line limits how fast each connection brings bytes to the WeChat API and COS, as a
// long line does: its speed is that of one connection, and several connections are
// faster together. The zero value has no limit.
type Line struct{ rate atomic.Int64 }

// SetRate sets the bytes a second of each connection, those that are open too; 0 is no limit.
func (l *Line) SetRate(bytesPerSecond int64) { l.rate.Store(bytesPerSecond) }

// Rate is what SetRate has set.
func (l *Line) Rate() int64 { return l.rate.Load() }

func (l *Line) listener(next net.Listener) net.Listener { return lineListener{next, l} }

type lineListener struct {
	net.Listener
	line *Line
}

func (l lineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn, line: l.line}, nil
}

// A lineConn is read by one goroutine at a time, as net/http does.
type lineConn struct {
	net.Conn
	line *Line
	free time.Time // when the line has brought what was read
}

// credit is how much of the time that a busy machine lost a connection may catch up with.
const credit = 200 * time.Millisecond

// slice is how often a limited connection is read. A guess: short enough for a bar on a
// page to move smoothly.
const slice = 20 * time.Millisecond

func (c *lineConn) Read(p []byte) (int, error) {
	rate := c.line.Rate()
	if rate <= 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), max(1, rate*int64(slice)/int64(time.Second)))])
	now := time.Now()
	if late := now.Add(-credit); c.free.Before(late) {
		c.free = late
	}
	c.free = c.free.Add(time.Duration(int64(n) * int64(time.Second) / rate))
	time.Sleep(c.free.Sub(now))
	return n, err
}

// SetLinger lets a connection be reset (see net.TCPConn).
func (c *lineConn) SetLinger(sec int) error { return c.Conn.(*net.TCPConn).SetLinger(sec) }
