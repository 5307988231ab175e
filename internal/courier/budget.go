package courier

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A budget is what one trip may still spend on failures: a few tries with a
// growing wait, and one renewal of whatever ran out.
type budget struct {
	tries   int
	renewed bool
}

const (
	maxTries   = 6                // failures that are waited out; the next one ends the trip
	longestNap = 30 * time.Second // cap of one back-off
)

// spend decides about a failure: nil means that the step is to be taken again,
// now that the wait is over. It never waits past the deadline: then the failure
// itself is the answer, in time.
func (b *budget) spend(ctx context.Context, err *transfer.Error) *transfer.Error {
	var base time.Duration
	switch err.Kind {
	case transfer.Stale:
		if b.renewed {
			return err
		}
		b.renewed = true
		return nil
	case transfer.Throttled:
		base = time.Second
	case transfer.Unavailable:
		base = 200 * time.Millisecond
	case transfer.Corrupt:
		base = 50 * time.Millisecond
	default:
		return err
	}
	if b.tries++; b.tries > maxTries {
		return err
	}
	wait := err.After + rand.N(min(base<<b.tries, longestNap)) // full jitter
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
