package resume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// IdleTimeout is how long a connection may move no byte before it counts as broken
	// (interface.md, "What a function answers").
	IdleTimeout = 15 * time.Second
	// MaxReopenings bounds how often one Body is reopened, failed tries included.
	MaxReopenings = 5

	// backoff bounds the first wait; each later bound is twice the one before.
	backoff = 100 * time.Millisecond
)

// Options change what New does by default.
type Options struct {
	IdleTimeout time.Duration // in place of the constant IdleTimeout; 0 keeps it
}

// An Opener opens the same content again, from offset to its end. It returns an
// *transfer.Error of Kind Corrupt when the content is no longer the same. The
// body that it returns ends when ctx does.
type Opener func(ctx context.Context, offset int64) (io.ReadCloser, error)

// A Body reads a source to its end across broken connections. One goroutine may
// Read while another one calls Close; all else is for one goroutine.
type Body struct {
	parent context.Context // the owner's: its end is OutOfTime
	ctx    context.Context // parent, or Close
	cancel context.CancelFunc
	reopen Opener
	idle   time.Duration
	size   int64

	off   int64 // bytes handed out
	tries int   // reopenings begun
	moved int   // reopenings that gave a body
	fault error // why the present connection is no good any more
	err   error // what every further Read answers

	mu     sync.Mutex // guards what Close shares with Read
	cur    *conn
	closed bool
}

// New returns a Body that reads first, which holds the whole content of size
// bytes, and goes on with reopen when first breaks off. The end of ctx ends it.
// Its errors are *transfer.Error: Unavailable once all reopenings are used up,
// OutOfTime when ctx is done, else the one that reopen answered.
//
// Bytes beyond size are handed on as they come: judging the length is up to the
// caller. A fault at or after size is the end of the content.
func New(ctx context.Context, first io.ReadCloser, size int64, reopen Opener, o Options) *Body {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = IdleTimeout
	}
	b := &Body{parent: ctx, reopen: reopen, idle: o.IdleTimeout, size: size}
	b.ctx, b.cancel = context.WithCancel(ctx)
	b.cur = newConn(first, func() {}, o.IdleTimeout)
	return b
}

// Resumes returns how often the source was reopened and read on.
func (b *Body) Resumes() int { return b.moved }

// Read reads on, reopening the source first when its connection is broken.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for {
		if b.err = b.ended(); b.err != nil {
			return 0, b.err
		}
		if b.fault != nil {
			if b.err = b.resume(); b.err != nil {
				return 0, b.err
			}
		}
		n, err := b.cur.Read(p)
		b.off += int64(n)
		switch {
		case err == nil:
			return n, nil
		case b.off >= b.size:
			b.err = io.EOF
			return n, b.err
		}
		b.fault = err
		if n > 0 {
			return n, nil
		}
	}
}

// Close ends the body and whatever it is waiting for. It is safe to call beside
// Read and more than once.
func (b *Body) Close() error {
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.cur.Close()
}

// resume replaces the broken connection by one that starts at off.
func (b *Body) resume() error {
	for {
		if err := b.ended(); err != nil {
			return err
		}
		if b.tries == MaxReopenings {
			return &transfer.Error{
				Stage: transfer.StageOpen,
				Kind:  transfer.KindUnavailable,
				What:  fmt.Sprintf("the source broke off %d times (the last time: %s); try again later", b.tries+1, describe(b.fault)),
			}
		}
		b.pause()
		b.tries++
		next, err := b.open()
		if err == nil {
			b.fault = nil
			b.moved++
			return b.swap(next)
		}
		if e, ok := errors.AsType[*transfer.Error](err); ok && final(e.Kind) && b.ctx.Err() == nil {
			return e
		}
		b.fault = err
	}
}

// open reopens the source. A source that does not answer is given up like one
// that stalls.
func (b *Body) open() (*conn, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	limit := time.AfterFunc(b.idle, cancel)
	body, err := b.reopen(ctx, b.off)
	if !limit.Stop() { // too late, whatever came of it
		if err == nil {
			body.Close()
		}
		err = errStalled
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return newConn(body, cancel, b.idle), nil
}

// swap makes next the connection to read, unless the body was closed meanwhile.
func (b *Body) swap(next *conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		next.Close()
		return fs.ErrClosed
	}
	b.cur.Close()
	b.cur = next
	return nil
}

// ended says whether it is too late to go on: the owner's time is over, or the
// body was closed. A connection may deliver what it has buffered long after that.
func (b *Body) ended() error {
	switch {
	case b.ctx.Err() == nil:
		return nil
	case b.parent.Err() != nil:
		return transfer.AsError(b.parent, transfer.StageOpen, b.fault)
	}
	return fs.ErrClosed
}

// pause waits before every reopening but the first one: a random time, so that
// many readers of one broken store do not come back together.
func (b *Body) pause() {
	if b.tries == 0 {
		return
	}
	t := time.NewTimer(rand.N(backoff << (b.tries - 1)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.ctx.Done():
	}
}

// final tells the errors that opening once more cannot mend.
func final(k transfer.Kind) bool {
	switch k {
	case transfer.KindUnavailable, transfer.KindThrottled, transfer.KindStale:
		return false
	}
	return true
}

// describe names a fault without an address or query in it.
func describe(err error) string {
	if e, ok := errors.AsType[*transfer.Error](err); ok {
		return e.What
	}
	if errors.Is(err, errStalled) {
		return errStalled.Error()
	}
	return transfer.Cause(err)
}
