package delivery_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// The ticket is fetched while the source opens, for a file alone and for each file
// of an event, the failing ones among them.
func TestTicketAndSourceAreAskedAtOnce(t *testing.T) {
	slow := func(ctx context.Context, key string) transfer.Outcome {
		w := &world{content: "x",
			onOpen:   func(int) error { time.Sleep(time.Second); return nil },
			onTicket: func(context.Context, int) error { time.Sleep(time.Second); return nil },
		}
		c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
		return c.Deliver(ctx, plan(key), func() {})
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if o := slow(t.Context(), "k"); state(o) != "delivered" || time.Since(start) != time.Second {
			t.Errorf("a file alone: %s after %v, want a second", state(o), time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		outs := delivery.DeliverAll(t.Context(), plans("a a a b b b"), func(ctx context.Context, p transfer.Plan, _ func()) transfer.Outcome {
			if p.Item.Ref.Key == "5" {
				return slow(ctx, "missing")
			}
			return slow(ctx, "k")
		}, func(*transfer.Outcome) {})
		for i, o := range outs {
			if want := map[bool]string{true: "skipped gone", false: "delivered"}[i == 5]; state(o) != want {
				t.Errorf("file %d: %s, want %s", i, state(o), want)
			}
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("two groups of three files took %v, want 3s", took)
		}
	})
}
