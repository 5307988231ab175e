package platform

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// keep is how many bytes of output are remembered.
const keep = 256 << 10

// A record is what processes wrote. They write to a file of their own and not
// into a pipe: what a process wrote before it answered is there when its
// answer is, and no reader can lag behind. Only the last part is ever read.
type record struct {
	mu   sync.Mutex
	file *os.File // nil before open and after close
	last []byte   // what was in the file when it was closed
}

// open returns the file that a new process writes to.
func (r *record) open() (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		file, err := os.CreateTemp("", "platform-output-")
		if err != nil {
			return nil, fmt.Errorf("no file for its output: %w", err)
		}
		r.file = file
	}
	return r.file, nil
}

// close removes the file and remembers its last part.
func (r *record) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return
	}
	r.last = r.read()
	r.file.Close()
	os.Remove(r.file.Name())
	r.file = nil
}

// read returns the last part of the file. The caller holds mu.
func (r *record) read() []byte {
	info, err := r.file.Stat()
	if err != nil {
		return nil
	}
	from := max(0, info.Size()-keep)
	data, _ := io.ReadAll(io.NewSectionReader(r.file, from, info.Size()-from))
	return data
}

// since returns what was written from the byte at from on, as far as it is whole lines,
// and where the next piece begins. It is empty after close.
func (r *record) since(from int64) (lines string, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return "", from
	}
	data, _ := io.ReadAll(io.NewSectionReader(r.file, from, keep)) // what cannot be read now is asked for again
	if end := bytes.LastIndexByte(data, '\n') + 1; end > 0 || len(data) < keep {
		data = data[:end]
	}
	return string(data), from + int64(len(data))
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return string(r.last)
	}
	return string(r.read())
}

// tail returns the last n lines, without the newline at the end.
func (r *record) tail(n int) string {
	lines := strings.Split(strings.TrimRight(r.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
