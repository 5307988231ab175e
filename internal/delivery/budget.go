package delivery

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A RetryBudget is what one delivery may still spend on failures: a few tries
// with a growing wait, and one renewal of a token or ticket that ran out. The
// zero value is a full one.
type RetryBudget struct {
	tries   int
	renewed bool
}

const (
	// maxTries is how many failures are waited out; the next one is the answer.
	// With the back-off of KindUnavailable, six waits add up to 12.6 s on average
	// and 25.2 s at most. That outlasts a restart behind a load balancer. A longer
	// outage is better waited out by the queue, because waiting here is billed.
	maxTries = 6
	// maxBackoff caps one wait of ours. WeChat counts calls by the minute (45011):
	// the last waits of a throttled delivery reach the next minute.
	maxBackoff = 30 * time.Second
	// maxRetryAfter is the longest wait that the other side may ask for: a limit by
	// the minute with some slack. A longer wait is better left to the queue.
	maxRetryAfter = 90 * time.Second
)

// Decide takes a failure off the budget. It returns how long to wait before the
// next try; again is false when there is none, so that the failure is the answer.
// chance, from [0, 1), places the wait between nothing and the back-off of this
// try (full jitter), on top of what the other side asked for.
func (b *RetryBudget) Decide(err *transfer.Error, chance float64) (wait time.Duration, again bool) {
	var base time.Duration // half of the first back-off; guesses: a rate limit needs seconds, an outage less, a bad checksum least
	switch err.Kind {
	case transfer.KindStale:
		again, b.renewed = !b.renewed, true
		return 0, again
	case transfer.KindThrottled:
		base = time.Second
	case transfer.KindUnavailable:
		base = 200 * time.Millisecond
	case transfer.KindCorrupt:
		base = 50 * time.Millisecond
	default:
		return 0, false
	}
	if b.tries++; b.tries > maxTries || err.After > maxRetryAfter {
		return 0, false
	}
	return err.After + time.Duration(chance*float64(min(base<<b.tries, maxBackoff))), true
}

// Reserve makes sure that a step can be tried so many times, as far as the budget's tries
// go: a delivery that needed many leaves some for what follows it.
func (b *RetryBudget) Reserve(times int) { b.tries = min(b.tries, maxTries-(times-1)) }

// retries are one delivery's retries. How long they may take in all is the context's to
// say (transfer.WithPauses).
type retries struct {
	budget RetryBudget
	last   *transfer.Error
	note   func(ctx context.Context, err *transfer.Error, wait time.Duration) // is told of each wait that begins
}

// do takes a step until it succeeds or its failure is the answer.
func (r *retries) do(ctx context.Context, step func(context.Context) *transfer.Error) *transfer.Error {
	for {
		err := step(ctx)
		if err == nil {
			return nil
		}
		if err = r.wait(ctx, err); err != nil {
			return err
		}
	}
}

// wait takes a failure off the budget. It returns nil when the wait is over and
// the step is to be taken again. It never waits past the deadline: then it
// returns the failure at once.
func (r *retries) wait(ctx context.Context, err *transfer.Error) *transfer.Error {
	if err.Kind == transfer.KindOutOfTime && r.last != nil {
		both := *err // err may be shared
		both.What += "; the failure before that: " + r.last.What
		return &both
	}
	r.last = err
	wait, again := r.budget.Decide(err, rand.Float64())
	if !again || !transfer.MayPause(ctx, wait) {
		return err
	}
	r.note(ctx, err, wait)
	if !transfer.Pause(ctx, wait) {
		return err
	}
	return nil
}
