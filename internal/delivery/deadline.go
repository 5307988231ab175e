package delivery

import (
	"context"
	"time"
)

// WithReserve ends an invocation's context a little before its deadline, so that
// there is time left to say what happened: a tenth of what remains, at most 2 s
// and at least 750 ms (half of what remains, when that is less), for a function
// with little memory has little CPU, and its answer is due 500 ms before the
// deadline. Call it once, at the start of the invocation.
func WithReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	reserve := min(max(left/10, 750*time.Millisecond), 2*time.Second, left/2)
	return context.WithDeadline(ctx, deadline.Add(-reserve))
}
