package delivery_test

import (
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// The longest waits of each kind, in order; what is not in the list is the answer.
func TestBudget(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for kind, want := range map[transfer.Kind][]time.Duration{
		transfer.KindThrottled:   {2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s},
		transfer.KindUnavailable: {400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms},
		transfer.KindCorrupt:     {100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms},
		transfer.KindStale:       {0},
		transfer.KindDenied:      {},
		transfer.KindRefused:     {},
		transfer.KindMalformed:   {},
		transfer.KindNotFound:    {},
		transfer.KindOutOfTime:   {},
	} {
		for _, chance := range []float64{0, 0.5} {
			var b delivery.RetryBudget
			for n, longest := range want {
				wait, again := b.Decide(&transfer.Error{Kind: kind, After: 3 * s}, chance)
				from := 3 * s // what the other side asked for
				if kind == transfer.KindStale {
					from = 0
				}
				if !again || wait != from+time.Duration(chance*float64(longest)) {
					t.Errorf("%s, failure %d at %v: wait %v, again %v", kind, n+1, chance, wait, again)
				}
			}
			if _, again := b.Decide(&transfer.Error{Kind: kind}, chance); again {
				t.Errorf("%s: again after %d failures", kind, len(want)+1)
			}
		}
	}
	// What the other side asks for has a bound, also where there is no deadline.
	for after, want := range map[time.Duration]bool{90 * s: true, 91 * s: false, time.Hour: false} {
		var b delivery.RetryBudget
		if _, again := b.Decide(&transfer.Error{Kind: transfer.KindThrottled, After: after}, 0); again != want {
			t.Errorf("Retry-After of %v is waited for: %v", after, again)
		}
	}
}
