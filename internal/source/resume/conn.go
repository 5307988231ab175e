package resume

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

var errStalled = errors.New("no byte came in time")

// A conn is one connection to the source with its inactivity timer. The timer is
// the connection's own, so that one firing late can never end the next one.
type conn struct {
	body    io.ReadCloser
	cancel  context.CancelFunc
	idle    time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

func newConn(body io.ReadCloser, cancel context.CancelFunc, idle time.Duration) *conn {
	c := &conn{body: body, cancel: cancel, idle: idle}
	c.timer = time.AfterFunc(idle, c.stall)
	c.timer.Stop()
	return c
}

// stall breaks off the Read that is in progress.
func (c *conn) stall() {
	c.stalled.Store(true)
	c.cancel()
	c.body.Close()
}

// Read is timed only while it runs: a consumer may take as long as it likes
// between two reads.
func (c *conn) Read(p []byte) (int, error) {
	c.timer.Reset(c.idle)
	n, err := c.body.Read(p)
	c.timer.Stop()
	if err != nil && c.stalled.Load() {
		err = errStalled
	}
	return n, err
}

func (c *conn) Close() error {
	c.timer.Stop()
	c.cancel()
	return c.body.Close()
}
