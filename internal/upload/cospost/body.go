package cospost

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

var errStopped = errors.New("the upload is over")

// A formBody is the request's body: head, file, tail. It keeps two promises that
// net/http does not make. The tail closes the form, so it comes only after exactly
// the file's size and its io.EOF. A body without a tail, of a PUT, would be whole before
// that: its last byte is kept back and becomes the tail. And nothing reads the file after
// stop has returned, although net/http may read the body after the answer has come.
type formBody struct {
	mu         sync.Mutex // held while the file is read
	head, tail []byte     // what is left of them
	file       io.Reader
	left       int64 // bytes of the file that are still to come
	ended      bool  // the file has ended where it should
	err        error // why the file could not be read to its end

	stopped atomic.Bool
}

func (b *formBody) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped.Load():
		return 0, errStopped
	case b.err != nil:
		return 0, b.err
	case len(b.head) > 0:
		n = copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	case !b.ended:
		if n, err = b.readFile(p); n > 0 || err != nil || !b.ended {
			return n, err
		}
	case len(b.tail) == 0:
		return 0, io.EOF
	}
	n = copy(p, b.tail)
	b.tail = b.tail[n:]
	return n, nil
}

func (b *formBody) readFile(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		n, b.err = 0, newError(transfer.KindCorrupt, "the source holds more than it announced; try again")
	case b.left == 0 && n > 0 && len(b.tail) == 0:
		n--
		b.tail = []byte{p[n]}
		if err != nil && err != io.EOF {
			b.err = err
		}
		b.ended = err == io.EOF
	case err == io.EOF && b.left > 0:
		b.err = newError(transfer.KindCorrupt, "the source ended %d bytes early; try again", b.left)
	case err == io.EOF:
		b.ended = true
	default:
		b.err = err
	}
	return n, b.err
}

// end reads the end of an empty file.
func (b *formBody) end() error {
	for p := make([]byte, 1); !b.ended; {
		if _, err := b.Read(p); err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// Close makes further reads fail. It does not wait for one that is under way, because
// net/http calls it from anywhere.
func (b *formBody) Close() error {
	b.stopped.Store(true)
	return nil
}

// stop makes further reads fail and waits for the one that is under way. complete
// tells whether all of the form was read, the closing boundary included; err is what
// the file failed with.
func (b *formBody) stop() (complete bool, err error) {
	b.stopped.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended && len(b.tail) == 0, b.err
}
