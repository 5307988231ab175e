package delivery

import (
	"context"
	"time"
)

// The time that is kept for the answer. The answer is due 500 ms before the
// deadline of the platform (docs/reference/answers.md, Limits).
const (
	// minReserve leaves 250 ms to write the answer: the smallest function has a
	// fourteenth of a CPU. shortReserve is for limits of about a second, where
	// minReserve would leave next to nothing for the file.
	minReserve   = 750 * time.Millisecond
	shortReserve = 600 * time.Millisecond
	maxReserve   = 2 * time.Second // of one file; a guess at what is enough for any
	// reservePerFile is what the answer costs per file. 10,000 files were measured
	// to take 0.23 s of a CPU, that is 3.3 s on a fourteenth of one.
	reservePerFile = 350 * time.Microsecond
)

// WithReserve ends the context of an invocation before its deadline, so that there
// is time left to say what happened to its files. The reserve is a tenth of what
// remains, from minReserve to maxReserve, plus a share for each file, but at most
// half of what remains. Call it once, when the number of files is known.
func WithReserve(ctx context.Context, files int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	reserve := min(max(left/10, minReserve), maxReserve) + time.Duration(files)*reservePerFile
	return context.WithDeadline(ctx, deadline.Add(-min(reserve, max(left/2, shortReserve))))
}
