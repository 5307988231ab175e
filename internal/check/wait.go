package check

import (
	"context"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// settling are the waits before a file that is not there is asked for again: CloudBase
// knows a file only some time after COS has stored it (wire-cloudbase.md D). How long that takes is
// not documented. 15 s in all is a guess.
var settling = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

const (
	// recent is how old a source may be whose delivery may have ended just now. It is a
	// guess that covers a queue and some retries.
	recent = 15 * time.Minute
	// maxVain is how many batches in a row may be waited for in vain. Without that bound
	// a million files that nobody has delivered would be waited for one batch after the
	// other. It is a guess.
	maxVain = 16
)

// mayAppear reports whether a file that is not there may have been delivered just now.
func (r *run) mayAppear(f *file, why *transfer.Error) bool {
	young := f.item.Time.IsZero() || time.Since(f.item.Time) < recent
	return why.Kind == transfer.KindNotFound && young && r.vain.Load() < maxVain
}

const (
	// firstWait is before the second attempt. It doubles with each, up to maxWait.
	firstWait = 500 * time.Millisecond
	maxWait   = 30 * time.Second
	// manyTries of a call that the whole check depends on are half a minute. fewTries of
	// what only one file depends on are 4 s. All are guesses.
	manyTries = 7
	fewTries  = 4
	// maxThrottled is how long a limit is waited out. WeChat counts calls by the minute
	// (45011), so that ten of them are ample.
	maxThrottled = 10 * time.Minute
)

// A pacer holds all calls back while one waits for a limit.
type pacer struct {
	mu    sync.Mutex
	until time.Time
}

// hold has the calls that follow wait so long.
func (p *pacer) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// wait returns when no limit is waited for.
func (p *pacer) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		d := time.Until(p.until)
		p.mu.Unlock()
		if d <= 0 {
			return nil
		}
		if !transfer.Pause(ctx, d) {
			return context.Cause(ctx)
		}
	}
}

// insist makes a call up to tries times while it fails in passing, and again while it is
// throttled. limits are shared by the calls that one limit counts.
func insist[T any](ctx context.Context, limits *pacer, tries int, call func() (T, error)) (result T, err error) {
	start, delay := time.Now(), firstWait
	for try := 1; ; try++ {
		if err := limits.wait(ctx); err != nil {
			return result, err
		}
		if result, err = call(); err == nil {
			return result, nil
		}
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		e := transfer.AsError(ctx, transfer.StageCheck, err)
		wait := max(delay, e.After)
		switch {
		case e.Kind == transfer.KindThrottled && time.Since(start)+wait < maxThrottled:
			limits.hold(wait)
		case e.Kind.Retryable() && e.Kind != transfer.KindThrottled && try < tries && wait <= maxWait:
			if !transfer.Pause(ctx, wait) {
				return result, context.Cause(ctx)
			}
		default:
			return result, e
		}
		delay = min(2*delay, maxWait)
	}
}

// A semaphore holds one element for each thing under way. Those that wait acquire it in
// the order in which they came.
type semaphore chan struct{}

func (s semaphore) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s semaphore) release() { <-s }
