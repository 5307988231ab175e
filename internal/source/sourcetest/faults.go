package sourcetest

import (
	"net/http"
	"sync"
	"time"
)

// Faults is a handler in front of a store that breaks connections off on demand.
type Faults struct {
	next http.Handler

	mu   sync.Mutex
	cuts []cut
	open int
	idle chan struct{} // closed when open falls to 0
}

type cut struct {
	after int64
	then  func()
}

// NewFaults returns Faults in front of next.
func NewFaults(next http.Handler) *Faults { return &Faults{next: next, idle: make(chan struct{})} }

// Cut breaks a coming GET off once after bytes of its body were sent, with more
// to follow, and calls then, if any, just before. Cuts queue up: each GET takes one.
func (f *Faults) Cut(after int64, then func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cuts = append(f.cuts, cut{after, then})
}

// Settle waits until no request is being answered, for some seconds at most, and
// returns how many still are.
func (f *Faults) Settle() int {
	f.mu.Lock()
	open, idle := f.open, f.idle
	f.mu.Unlock()
	if open == 0 {
		return 0
	}
	select {
	case <-idle:
	case <-time.After(5 * time.Second):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.open++
	if r.Method == http.MethodGet && len(f.cuts) > 0 {
		w = &cutter{ResponseWriter: w, cut: f.cuts[0]}
		f.cuts = f.cuts[1:]
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open--; f.open == 0 {
			close(f.idle)
			f.idle = make(chan struct{})
		}
	}()
	f.next.ServeHTTP(w, r)
}

// A cutter passes bytes on until its cut is due.
type cutter struct {
	http.ResponseWriter
	cut
}

func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.after {
		c.after -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.after])
	http.NewResponseController(c.ResponseWriter).Flush()
	if c.then != nil {
		c.then()
	}
	panic(http.ErrAbortHandler)
}
