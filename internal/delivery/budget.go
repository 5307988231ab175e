package delivery

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A RetryBudget is what one trip may still spend on failures: a few tries with a
// growing wait, and one renewal of whatever ran out. The zero value is a full one.
type RetryBudget struct {
	tries   int
	renewed bool
}

const (
	maxTries    = 6                // failures that are waited out; the next one ends the trip
	longestNap  = 30 * time.Second // cap of one back-off
	longestWait = 90 * time.Second // what asks for more is the platform's to try again
)

// Decide takes a failure off the budget. It says how long to wait before the step
// is taken again, or, with again false, that the failure is the answer. chance,
// from [0, 1), places the wait between nothing and the back-off of this try (full
// jitter), on top of what the other side asked for.
func (b *RetryBudget) Decide(err *transfer.Error, chance float64) (wait time.Duration, again bool) {
	var base time.Duration
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
	if b.tries++; b.tries > maxTries || err.After > longestWait {
		return 0, false
	}
	return err.After + time.Duration(chance*float64(min(base<<b.tries, longestNap))), true
}

// spend decides about a failure: nil means that the step is to be taken again,
// now that the wait is over. It never waits past the deadline: then the failure
// itself is the answer, in time.
func (b *RetryBudget) spend(ctx context.Context, err *transfer.Error) *transfer.Error {
	wait, again := b.Decide(err, rand.Float64())
	if !again {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return err
	}
}
