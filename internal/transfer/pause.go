package transfer

import (
	"context"
	"sync"
	"time"
)

// pauses are what is left of a bound. Pauses at the same time count once.
type pauses struct {
	mu   sync.Mutex
	left time.Duration
	end  time.Time // of the pause that ends last
}

type pausesKey struct{}

// WithPauses bounds the pauses before retries that MayPause allows, all together, whichever
// stage makes them. 0 sets no bound other than the deadline.
func WithPauses(ctx context.Context, bound time.Duration) context.Context {
	if bound == 0 {
		return ctx
	}
	return context.WithValue(ctx, pausesKey{}, &pauses{left: bound})
}

// MayPause reports whether a pause of d that begins now ends before the deadline of ctx and
// within what is left of the bound, and takes it off the bound.
func MayPause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	p, ok := ctx.Value(pausesKey{}).(*pauses)
	if !ok {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	end := time.Now().Add(d)
	cost := min(d, end.Sub(p.end))
	if cost > p.left {
		return false
	}
	if cost > 0 {
		p.left, p.end = p.left-cost, end
	}
	return true
}

// Spend takes off the bound what a failed try took, where a stage counts that as a pause.
func Spend(ctx context.Context, d time.Duration) {
	if p, ok := ctx.Value(pausesKey{}).(*pauses); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.left -= d
	}
}

// Pause waits for d and reports whether ctx lasted as long.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
