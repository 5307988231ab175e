package cospost

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

var errShut = errors.New("the upload is over")

// A gate is the request's body: head, file, tail. It keeps two promises that
// net/http cannot: the tail, whose closing boundary makes the form whole, comes
// only after exactly the file's size and its io.EOF; and once shut has returned
// nobody reads the file, although net/http may go on reading the body after the
// answer is there.
type gate struct {
	mu         sync.Mutex // held while the file is read
	head, tail []byte     // what is left of them
	file       io.Reader
	left       int64 // bytes of the file that are still to come
	ended      bool  // the file has ended where it should
	err        error // why the file could not be read to its end

	over atomic.Bool
}

func (g *gate) Read(p []byte) (n int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.over.Load():
		return 0, errShut
	case g.err != nil:
		return 0, g.err
	case len(g.head) > 0:
		n = copy(p, g.head)
		g.head = g.head[n:]
		return n, nil
	case !g.ended:
		if n, err = g.readFile(p); n > 0 || err != nil || !g.ended {
			return n, err
		}
	case len(g.tail) == 0:
		return 0, io.EOF
	}
	n = copy(p, g.tail)
	g.tail = g.tail[n:]
	return n, nil
}

func (g *gate) readFile(p []byte) (int, error) {
	n, err := g.file.Read(p)
	g.left -= int64(n)
	switch {
	case g.left < 0:
		n, g.err = 0, fault(transfer.KindCorrupt, "the source holds more than it announced; try again")
	case err == io.EOF && g.left > 0:
		g.err = fault(transfer.KindCorrupt, fmt.Sprintf("the source ended %d bytes early; try again", g.left))
	case err == io.EOF:
		g.ended = true
	default:
		g.err = err
	}
	return n, g.err
}

// Close stops further reads. It does not wait for one that is under way, for
// net/http calls it from wherever it stands.
func (g *gate) Close() error {
	g.over.Store(true)
	return nil
}

// shut stops further reads and waits for the one that is under way. whole tells
// whether everything was read, err what the file failed with.
func (g *gate) shut() (whole bool, err error) {
	g.over.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended && len(g.tail) == 0, g.err
}
