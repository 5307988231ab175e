package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrStalled is what a Write, or the wait for an answer, ends with when no byte has
// moved for too long. It is a timeout to whoever asks for one.
var ErrStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string { return "the connection stalled: no byte moved for too long" }
func (stalled) Timeout() bool { return true }

const (
	// ticks is how many times a blocked write looks up, within the stall time, to
	// see whether anything has moved.
	ticks = 3
	// hugeSize is how much of an upload over plain HTTP leaves at once; net/http's
	// own 32 KiB take more than twice the CPU time. When there are many uploads, all
	// but the first few make do with largeSize, for the sake of memory
	// (docs/benchmarks.md).
	hugeSize  = 1 << 20
	few       = 4
	largeSize = 512 << 10
	// secureSize is the same over TLS, where each piece is there twice, as it is and
	// encrypted, and smallSize the size for all but the first few there. A smaller file
	// gets no more than it needs.
	secureSize = 256 << 10
	fewSecure  = 2
	smallSize  = 64 << 10
	// hold is how long bytes of a slow source are kept back for others to join them.
	hold = 50 * time.Millisecond
	// linger is how long a write to a connection that the peer has closed waits for
	// the peer's last words.
	linger = 250 * time.Millisecond
)

// Buffers grow to what they are first needed for.
var (
	hugeBuffers  = newPool()
	hugeSlots    = make(chan struct{}, few)
	largeBuffers = newPool()
	secureSlots  = make(chan struct{}, fewSecure)
	securePieces = pieces{newPool(), newPool()}
	smallPieces  = pieces{newPool(), newPool()}
)

// pieces are the two buffers of an upload over TLS: what is to be sent, as it is and
// as records.
type pieces struct{ plain, records *sync.Pool }

func newPool() *sync.Pool { return &sync.Pool{New: func() any { return new([]byte) }} }

// A Conn is a net.Conn whose writes end when they move no byte for the stall
// time. Only writes are timed: net/http waits in Read throughout a long upload,
// so that a read deadline would end uploads that are well.
type Conn struct {
	net.Conn
	stall time.Duration

	mu    sync.Mutex
	timed bool // the caller has set a write deadline of its own

	once sync.Once
	over chan struct{} // closed when there is nothing more to read

	lead

	joint sync.Mutex // held while what was held back is written
	held  *[]byte    // what is held back, nil when nothing is to be; see secure
}

// NewConn wraps c. The stall time of a real connection is IdleTimeout; tests shorten it.
func NewConn(c net.Conn, stall time.Duration) *Conn {
	return &Conn{Conn: c, stall: stall, over: make(chan struct{})}
}

// Write returns ErrStalled when no byte has moved for the stall time, however
// long the whole of p takes. A write deadline set by the caller takes the place
// of that rule.
//
// When the peer has closed the connection, Write waits for a moment until all
// that the peer sent has been read: net/http drops an answer that it has not yet
// seen when a write fails, and COS closes so when it refuses an upload early.
func (c *Conn) Write(p []byte) (n int, err error) {
	if c.hold(p) || c.keep(p) {
		return len(p), nil
	}
	return c.join(p, c.write)
}

func (c *Conn) write(p []byte) (n int, err error) {
	for still := 0; still < ticks; {
		if err := c.tick(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			c.hearOut()
			return n, err
		case !errors.Is(err, os.ErrDeadlineExceeded) || c.isTimed():
			return n, err
		case m > 0:
			still = 0
		default:
			still++
		}
	}
	return n, ErrStalled
}

// tick gives the next piece of a write its time, unless the caller keeps its own.
func (c *Conn) tick() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed {
		return nil
	}
	return c.Conn.SetWriteDeadline(time.Now().Add(c.stall / ticks))
}

func (c *Conn) isTimed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timed
}

func (c *Conn) hearOut() {
	t := time.NewTimer(linger)
	defer t.Stop()
	select {
	case <-c.over:
	case <-t.C:
	}
}

// ReadFrom sends all of r in pieces as large as the buffer, so long as r is quick
// enough to fill it. net/http finds this method when it copies a request's body
// to a connection without TLS.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	head := c.take()
	if size := small(head, r); size < smallSize {
		return pump(head, r, smallPieces.plain, size, c.write)
	}
	select {
	case hugeSlots <- struct{}{}:
		defer func() { <-hugeSlots }()
		return pump(head, r, hugeBuffers, hugeSize, c.write)
	default:
		return pump(head, r, largeBuffers, largeSize, c.write)
	}
}

// small is how large a small buffer must be to take in head and all of r, and to see
// that it ends.
func small(head []byte, r io.Reader) int {
	if body, ok := r.(*io.LimitedReader); ok {
		return int(min(int64(len(head))+body.N+1, smallSize))
	}
	return smallSize
}

// pump writes head and all of r in pieces of size, with a buffer from pool. It
// returns how many bytes of r were written.
func pump(head []byte, r io.Reader, pool *sync.Pool, size int, write func([]byte) (int, error)) (n int64, err error) {
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	*buf = slices.Grow((*buf)[:0], size)[:size]
	for led := copy(*buf, head); ; led = 0 {
		m, rerr := fill(r, (*buf)[led:])
		if led+m > 0 {
			w, err := write((*buf)[:led+m])
			n += int64(max(0, w-led))
			if err != nil {
				return n, err
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// fill reads until p is full, r ends, or the first bytes have been held back for
// long enough.
func fill(r io.Reader, p []byte) (n int, err error) {
	var first time.Time
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
		if now := time.Now(); first.IsZero() {
			first = now
		} else if now.Sub(first) > hold {
			break
		}
	}
	return n, err
}

// Read reads from the connection, without a time limit.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.once.Do(func() { close(c.over) })
	}
	return n, err
}

// Close closes the connection and ends a Write that waits.
func (c *Conn) Close() error {
	c.once.Do(func() { close(c.over) })
	return c.Conn.Close()
}

// SetWriteDeadline makes the caller responsible for the time of writes, until it
// sets the zero time.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timed = !t.IsZero()
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is SetReadDeadline and SetWriteDeadline in one.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
