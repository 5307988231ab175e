package multipart

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	maxTries   = 5                // of one step; what fails more often is for the next delivery (a guess)
	longestNap = 10 * time.Second // cap of one back-off
	// longestWait is how long COS may ask to be left alone within an invocation.
	longestWait = 90 * time.Second
)

// again takes a step until it succeeds, fails for good, or has failed too often. Only
// the step is repeated, so that one part's failure costs that part.
func again(ctx context.Context, step func() *transfer.Error) *transfer.Error {
	for try := 1; ; try++ {
		err := step()
		if err == nil || try == maxTries || !transient(err) || err.After > longestWait {
			return err
		}
		base := 200 * time.Millisecond
		if err.Kind == transfer.KindThrottled {
			base = time.Second
		}
		wait := err.After + rand.N(min(base<<try, longestNap))
		if !transfer.MayPause(ctx, wait) || !transfer.Pause(ctx, wait) {
			return err
		}
	}
}

// transient tells what the same step may overcome. A source that changed is read anew
// from its start; an upload that is gone is begun anew; a replaced part is listed anew.
func transient(err *transfer.Error) bool {
	switch err.Kind {
	case transfer.KindUnavailable, transfer.KindThrottled:
		return err.Code != noSuchUpload
	case transfer.KindCorrupt:
		return err.Stage != transfer.StageOpen && err.Code != invalidPart
	}
	return false
}
