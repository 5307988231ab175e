package multipart

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/meter/crc64"
)

var errStopped = errors.New("the part is over")

// sums are the checksums of a stretch of a file.
type sums struct {
	crc  uint64
	nvme uint64 // where the source states one of the whole
}

func (s *sums) update(p []byte, withNVME bool) {
	s.crc = crc64.Update(s.crc, crc64.ECMA, p)
	if withNVME {
		s.nvme = crc64.Update(s.nvme, crc64.NVME, p)
	}
}

// add makes s the checksums of what it was followed by next, which has n bytes.
func (s *sums) add(next sums, n int64) {
	s.crc = crc64.Combine(s.crc, next.crc, crc64.ECMA, n)
	s.nvme = crc64.Combine(s.nvme, next.nvme, crc64.NVME, n)
}

// A partBody is the body of one part's request: it hashes what passes. Once stop has
// returned, the source is no longer read, although net/http may go on reading the body after
// the answer is there.
type partBody struct {
	withNVME bool

	mu   sync.Mutex // held while the source is read
	src  io.Reader
	left int64 // bytes that are still to come
	sums sums
	err  error // why the source could not be read to its end

	over atomic.Bool
}

func (b *partBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over.Load() {
		return 0, errStopped
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.sums.update(p[:n], b.withNVME)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		b.err = io.ErrUnexpectedEOF
	case err != nil:
		b.err = err
	}
	return n, b.err
}

// Close stops further reads. It does not wait for one that is under way, because
// net/http calls it from anywhere.
func (b *partBody) Close() error {
	b.over.Store(true)
	return nil
}

// stop stops further reads and waits for the one that is under way. It returns how many
// bytes were not read, and what the source failed with.
func (b *partBody) stop() (left int64, err error) {
	b.over.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left, b.err
}
