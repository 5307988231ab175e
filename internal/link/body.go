package link

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// Body returns rc with a limit on each Read: one that brings nothing for the idle
// time is ended by calling cancel, which must end the request that rc belongs to,
// and returns ErrStalled. Time between Reads does not count, so a slow consumer
// never trips the limit. Close closes rc and calls cancel.
func Body(rc io.ReadCloser, cancel context.CancelFunc, idle time.Duration) io.ReadCloser {
	b := &body{rc: rc, cancel: cancel, idle: idle}
	b.timer = time.AfterFunc(idle, func() {
		b.stalled.Store(true)
		cancel()
	})
	b.timer.Stop()
	return b
}

type body struct {
	rc      io.ReadCloser
	cancel  context.CancelFunc
	idle    time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.rc.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && b.stalled.Load() {
		err = ErrStalled
	}
	return n, err
}

func (b *body) Close() error {
	err := b.rc.Close()
	b.cancel()
	return err
}
