package transfer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A bound is for all pauses together, those at the same time counted once.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := func(ctx context.Context, d time.Duration, want bool) {
			t.Helper()
			if transfer.MayPause(ctx, d) != want {
				t.Errorf("a pause of %v: %v, want %v", d, !want, want)
			}
		}
		ctx := transfer.WithPauses(t.Context(), 10*time.Second)
		may(ctx, 11*time.Second, false)
		may(ctx, 4*time.Second, true)
		may(ctx, 3*time.Second, true) // within the first
		transfer.Pause(ctx, 2*time.Second)
		may(ctx, 4*time.Second, true) // two seconds more
		transfer.Pause(ctx, time.Hour)
		may(ctx, 5*time.Second, false)
		may(ctx, 3*time.Second, true)
		transfer.Spend(ctx, time.Second)
		may(ctx, 4*time.Second, false)

		may(transfer.WithPauses(t.Context(), 0), time.Hour, true)
		ending, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		may(ending, time.Hour, false)
		if transfer.Pause(ending, time.Hour) {
			t.Error("the pause outlasted its context")
		}
	})
}
