package local

import (
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// A follower passes on the lines that a function writes, as they come.
type follower struct {
	program *platform.Program
	line    func(string)

	mu   sync.Mutex
	next int64
	quit chan struct{}
	done chan struct{}
}

// follow begins to pass on lines.
func follow(program *platform.Program, line func(string)) *follower {
	f := &follower{program: program, line: line, quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(200 * time.Millisecond) // a guess: soon enough for people
		defer tick.Stop()
		for {
			select {
			case <-f.quit:
				f.flush()
				return
			case <-tick.C:
				f.flush()
			}
		}
	}()
	return f
}

// flush passes on what is there: a function's lines are there when its answer is.
func (f *follower) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines, next := f.program.OutputSince(f.next)
	f.next = next
	for line := range strings.Lines(lines) {
		f.line(strings.TrimRight(line, "\r\n"))
	}
}

// stop passes on the last lines.
func (f *follower) stop() {
	close(f.quit)
	<-f.done
}
