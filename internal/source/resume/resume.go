package resume

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// MaxReopenings is how often in a row a Body is reopened without progress. It is a
	// guess: what lasts longer is left to the next attempt, which begins anew.
	MaxReopenings = 5
	// Progress is how many bytes give all reopenings back. A gateway that ends each
	// download after some time or size thus does not end the file. 256 KiB is a guess:
	// less than such gateways let pass, and enough to bound the requests for one file.
	Progress = 256 << 10

	// backoff bounds the first wait; each later bound is twice the one before. All waits
	// together are below 1.5 s, because the upload is open meanwhile.
	backoff = 100 * time.Millisecond
)

// An Opener opens the same content again, from offset to its end. It returns a
// *transfer.Error of Kind Corrupt when the content is no longer the same. The body that
// it returns ends when ctx does.
type Opener func(ctx context.Context, offset int64) (io.ReadCloser, error)

// A Body reads a source to its end across broken connections. One goroutine may Read
// while another one calls Close; all else is for one goroutine.
type Body struct {
	parent context.Context // the owner's: its end is OutOfTime
	ctx    context.Context // ends with parent, or by Close
	cancel context.CancelFunc
	reopen Opener
	size   int64

	off     int64 // bytes returned so far
	since   int64 // off when tries was last 0
	tries   int   // reopenings without progress
	resumes int
	cause   error // why the present connection ended; nil while it works
	err     error // what every further Read returns

	mu     sync.Mutex // guards what Close shares with Read
	cur    io.ReadCloser
	closed bool
}

// New returns a Body that reads first, which holds the whole content of size bytes, and
// goes on with reopen when first breaks off. The end of ctx ends it. Its errors are
// *transfer.Error: Unavailable when MaxReopenings brought no progress, OutOfTime when ctx
// is done, else the one that reopen returned.
//
// Bytes beyond size are returned as they come, because the caller checks the length. An error at
// or after size is the end of the content.
func New(ctx context.Context, first io.ReadCloser, size int64, reopen Opener) *Body {
	b := &Body{parent: ctx, reopen: reopen, size: size, cur: first}
	b.ctx, b.cancel = context.WithCancel(ctx)
	return b
}

// Resumes returns how often the source was reopened and read on.
func (b *Body) Resumes() int { return b.resumes }

// Read reads on. It reopens the source first when its connection is broken.
func (b *Body) Read(p []byte) (int, error) {
	for b.err == nil {
		if b.err = b.ended(); b.err != nil {
			break
		}
		if b.cause != nil {
			b.err = b.resume()
			continue
		}
		n, err := b.cur.Read(p)
		b.count(n)
		switch {
		case err != nil && b.off >= b.size:
			b.err = io.EOF
			return n, b.err
		case err != nil:
			b.cause = err
		}
		if n > 0 || err == nil {
			return n, nil
		}
	}
	return 0, b.err
}

// count gives the reopenings back after some progress.
func (b *Body) count(n int) {
	b.off += int64(n)
	if b.off-b.since >= Progress {
		b.since, b.tries = b.off, 0
	}
}

// Close ends the body and all that it waits for. It may be called while Read runs, and
// more than once.
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

// resume tries once to replace the broken connection by one that starts at off. It
// returns an error only if no further try can help.
func (b *Body) resume() error {
	if b.tries == MaxReopenings {
		return transfer.Errorf(transfer.StageOpen, transfer.KindUnavailable,
			"the source broke off %d times (the last time: %s); try again later", b.tries+1, describe(b.cause))
	}
	b.pause()
	if err := b.ended(); err != nil {
		return err
	}
	if b.tries == 0 {
		b.since = b.off
	}
	b.tries++
	next, err := b.reopen(b.ctx, b.off)
	if err == nil {
		return b.use(next)
	}
	if e, ok := errors.AsType[*transfer.Error](err); ok && isFinal(e.Kind) && b.ctx.Err() == nil {
		return e
	}
	b.cause = err
	return nil
}

// use makes next the connection to read, unless the body was closed meanwhile.
func (b *Body) use(next io.ReadCloser) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		next.Close()
		return fs.ErrClosed
	}
	b.cur.Close()
	b.cur, b.cause = next, nil
	b.resumes++
	return nil
}

// ended says whether it is too late to go on: the owner's time is over, or the body was
// closed. A connection may deliver what it has buffered long after that.
func (b *Body) ended() error {
	switch {
	case b.ctx.Err() == nil:
		return nil
	case b.parent.Err() != nil:
		return transfer.AsError(b.parent, transfer.StageOpen, b.cause)
	}
	return fs.ErrClosed
}

// pause waits before every reopening but the first one. The time is random, so that many
// readers of one broken store do not come back together.
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

// isFinal reports whether opening once more cannot help.
func isFinal(k transfer.Kind) bool {
	switch k {
	case transfer.KindUnavailable, transfer.KindThrottled, transfer.KindStale:
		return false
	}
	return true
}

// describe names an error without an address or query in it.
func describe(err error) string {
	if e, ok := errors.AsType[*transfer.Error](err); ok {
		return e.What
	}
	return transfer.Cause(err)
}
