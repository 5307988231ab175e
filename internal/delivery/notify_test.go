package delivery_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// receivers are two receivers; fail is asked about each try.
type receivers struct {
	world *world
	fail  func(receiver, try int) *transfer.Error
	tries [2]int
	told  []string
}

func (r *receivers) Receivers() []string { return []string{"db:files", "function:notify"} }

func (r *receivers) Notify(_ context.Context, n int, o *transfer.Outcome) error {
	r.tries[n]++
	if r.fail != nil {
		if err := r.fail(n, r.tries[n]); err != nil {
			return err
		}
	}
	r.told = append(r.told, fmt.Sprintf("%d %s %d %s", n, o.FileID, o.Size, r.world.stored))
	return nil
}

// A settled file was settled after so many receivers were told.
type settled struct {
	receivers *receivers
	after     int
}

func (s *settled) Settle(context.Context, transfer.Ref, string, *transfer.Outcome) error {
	s.after = len(s.receivers.told)
	return nil
}

func TestNotify(t *testing.T) {
	t.Parallel()
	unavailable := &transfer.Error{Stage: transfer.StageNotify, Kind: transfer.KindUnavailable, What: "db:files did not answer"}
	denied := &transfer.Error{Stage: transfer.StageNotify, Kind: transfer.KindDenied, What: "db:files is not there"}
	failing := func(receiver int, until int, err *transfer.Error) func(int, int) *transfer.Error {
		return func(n, try int) *transfer.Error {
			if n == receiver && try <= until {
				return err
			}
			return nil
		}
	}
	for _, tc := range []struct {
		name    string
		change  func(*world)
		fail    func(receiver, try int) *transfer.Error
		warns   bool
		limit   time.Duration
		state   string
		tries   string
		told    string
		settled int // receivers told before; -1: it was not
		posts   int
	}{
		{name: "both in order", state: "delivered", tries: "[1 1]", told: "[db:files function:notify]", settled: 2, posts: 1},
		{name: "tried again without an upload", fail: failing(0, 2, unavailable), state: "delivered", tries: "[3 1]", told: "[db:files function:notify]", settled: 2, posts: 1},
		{name: "final", fail: failing(0, 99, denied), state: "failed Denied", tries: "[1 0]", told: "[]", settled: -1, posts: 1},
		{name: "the second is final", fail: failing(1, 99, denied), state: "failed Denied", tries: "[1 1]", told: "[db:files]", settled: -1, posts: 1},
		{name: "never answers", fail: failing(0, 99, unavailable), state: "failed Unavailable", tries: "[7 0]", told: "[]", settled: -1, posts: 1},
		{name: "three tries after a hard upload", change: func(w *world) {
			w.onPost = func(n int, _ string) (transfer.Receipt, error) {
				if n <= 6 {
					return transfer.Receipt{}, newError(transfer.KindUnavailable, transfer.StageUpload)
				}
				return transfer.Receipt{}, nil
			}
		}, fail: failing(0, 2, unavailable), state: "delivered", tries: "[3 1]", told: "[db:files function:notify]", settled: 2, posts: 7},
		{name: "a warning", fail: failing(0, 99, denied), warns: true, state: "delivered", tries: "[1 1]", told: "[function:notify]", settled: 1, posts: 1},
		{name: "the source went", change: func(w *world) {
			w.onStat = func(int) error { return newError(transfer.KindNotFound, transfer.StageOpen) }
		}, state: "delivered", tries: "[1 1]", told: "[db:files function:notify]", settled: -1, posts: 1},
		{name: "nothing is told of a file that is not stored", change: func(w *world) {
			w.onPost = func(int, string) (transfer.Receipt, error) {
				return transfer.Receipt{}, newError(transfer.KindDenied, transfer.StageUpload)
			}
		}, state: "failed Denied", tries: "[0 0]", told: "[]", settled: -1, posts: 1},
		{name: "nor of one that was changed on its way", change: func(w *world) {
			w.onPost = func(int, string) (transfer.Receipt, error) { return receipt("other"), nil }
		}, state: "failed Corrupt", tries: "[0 0]", told: "[]", settled: -1, posts: 7},
		{name: "out of time", limit: 300 * time.Millisecond, fail: func(int, int) *transfer.Error { time.Sleep(time.Second); return unavailable },
			state: "failed OutOfTime", tries: "[1 0]", told: "[]", settled: -1, posts: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{content: "content"}
				if tc.change != nil {
					tc.change(w)
				}
				r := &receivers{world: w, fail: tc.fail}
				s := &settled{r, -1}
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(tc.limit, time.Hour))
				defer cancel()
				d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, Notifier: r, Settler: s, NotifyWarns: tc.warns}
				o := d.Deliver(ctx, plan("k"), func() {})
				if state(o) != tc.state || fmt.Sprint(r.tries) != tc.tries || fmt.Sprint(o.Receipts) != tc.told || s.after != tc.settled || w.posts != tc.posts {
					t.Errorf("%s (%v), tries %v, told %v, settled after %d, %d posts", state(o), o.Err, r.tries, o.Receipts, s.after, w.posts)
				}
				for _, told := range r.told {
					if !strings.HasSuffix(told, " cloud://e.b/k 7 content") {
						t.Errorf("told %s", told)
					}
				}
				entry, _ := o.MarshalJSON()
				if at := o.Err != nil && o.Err.Stage == transfer.StageNotify; at != (len(o.Untold) > 0 && !tc.warns) || at && !strings.Contains(string(entry), `"fileId":"cloud://e.b/k"`) {
					t.Errorf("the entry is %s", entry)
				}
				if tc.warns && !strings.Contains(o.Warning, "db:files") {
					t.Errorf("the warning is %q", o.Warning)
				}
			})
		})
	}
}
