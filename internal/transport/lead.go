package transport

import "bytes"

// A lead holds the header of a request back until the first piece of the body, so
// that both leave together: net/http sends the header of a stream by itself, which
// costs a small file a system call here and a wake-up there (docs/benchmarks.md).
// One goroutine at a time uses it, the one that writes the request.
type lead struct {
	due  bool   // the next write is a header that a body follows
	head []byte // what is held back
}

// A leader is a connection with a lead.
type leader interface{ expectBody() }

func (l *lead) expectBody() { l.due = true }

var endOfHeader = []byte("\r\n\r\n")

// keep holds p back if it is a header alone: then the body is still to come.
func (l *lead) keep(p []byte) bool {
	if !l.due {
		return false
	}
	l.due = false
	if bytes.Index(p, endOfHeader) != len(p)-len(endOfHeader) {
		return false
	}
	l.head = append(l.head[:0], p...)
	return true
}

// take returns what is held back, for the caller to write.
func (l *lead) take() []byte {
	head := l.head
	l.head = l.head[:0]
	return head
}

// join writes what is held back and p. It returns how much of p was written.
func (l *lead) join(p []byte, write func([]byte) (int, error)) (int, error) {
	head := l.take()
	if len(head) == 0 {
		return write(p)
	}
	n, err := write(append(head, p...))
	return max(0, n-len(head)), err
}
