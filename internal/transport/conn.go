package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// responseGrace is how long a write to a connection that the server has closed waits until
// the server's answer is read. The answer is in the kernel already, so this is time for a
// goroutine to run in a small part of a CPU. 5 s is a guess. What is read ends the wait, and
// so does Close, so that a connection without an answer does not take as long.
const responseGrace = 5 * time.Second

// A Conn counts the bytes that it moves.
type Conn struct {
	net.Conn
	moved atomic.Int64    // by Read and Write
	raw   syscall.RawConn // nil where the kernel cannot be asked

	once     sync.Once
	readDone chan struct{} // closed when there is nothing more to read
}

func newConn(c net.Conn) *Conn {
	wrapped := &Conn{Conn: c, readDone: make(chan struct{})}
	if sc, ok := c.(syscall.Conn); ok {
		wrapped.raw, _ = sc.SyscallConn() // without it Read and Write alone count
	}
	return wrapped
}

// below returns the Conn under c, TLS or not; nil when there is none of ours.
func below(c net.Conn) *Conn {
	for {
		upper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			conn, _ := c.(*Conn)
			return conn
		}
		c = upper.NetConn()
	}
}

// progress is a number that changes whenever a byte moves. It is 0 without a connection.
func (c *Conn) progress() int64 {
	if c == nil {
		return 0
	}
	return c.moved.Load() + c.kernelProgress()
}

// Read counts what comes.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.moved.Add(int64(n))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.once.Do(func() { close(c.readDone) })
	}
	return n, err
}

// Write counts what leaves. When the server has closed the connection, Write waits for a
// moment until all that the server sent has been read. net/http drops an answer that it
// has not seen yet when a write fails, and COS closes so when it refuses an upload early.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.moved.Add(int64(n))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.awaitPeerResponse()
	}
	return n, err
}

func (c *Conn) awaitPeerResponse() {
	t := time.NewTimer(responseGrace)
	defer t.Stop()
	select {
	case <-c.readDone:
	case <-t.C:
	}
}

// Close closes the connection and ends a Write that waits.
func (c *Conn) Close() error {
	c.once.Do(func() { close(c.readDone) })
	return c.Conn.Close()
}
