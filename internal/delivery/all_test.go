package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// plans are one plan for each word, which names its group; - has none. Each is a
// file of its own.
func plans(groups string) []transfer.Outcome {
	var all []transfer.Outcome
	for i, g := range strings.Fields(groups) {
		p := plan(fmt.Sprint(i))
		p.Item.Group = strings.Trim(g, "-")
		all = append(all, transfer.Outcome{Plan: p})
	}
	return all
}

// A ledger counts reports by source key.
type ledger struct {
	mu      sync.Mutex
	reports map[string]int
}

func (l *ledger) report(o *transfer.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reports == nil {
		l.reports = map[string]int{}
	}
	l.reports[o.Plan.Item.Ref.Key]++
}

func TestGroupsGoInOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	var l ledger
	outs := delivery.DeliverAll(t.Context(), plans("a b a b a -"), func(_ context.Context, p transfer.Plan, _ func()) transfer.Outcome {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, p.Item.Ref.Key)
		o := transfer.Outcome{Plan: p}
		if p.Item.Ref.Key == "2" {
			o.Err = newError(transfer.KindDenied, transfer.StageUpload)
		}
		return o
	}, l.report)
	var got []string
	for _, o := range outs {
		got = append(got, state(o))
	}
	want := []string{"delivered", "delivered", "failed Denied", "delivered", "failed Unavailable", "delivered"}
	if !slices.Equal(got, want) || slices.Contains(order, "4") || slices.Index(order, "0") > slices.Index(order, "2") {
		t.Errorf("%v in order %v, want %v", got, order, want)
	}
	for i := range outs {
		if n := l.reports[fmt.Sprint(i)]; n != 1 {
			t.Errorf("file %d was reported %d times; one that was not tried is reported too", i, n)
		}
	}
}

// What needs no delivery is its own outcome; a failure among it stops its group.
func TestDecidedPlans(t *testing.T) {
	all := plans("a a b b")
	all[0].Reason = transfer.ReasonFolder
	all[2].Err = newError(transfer.KindMalformed, transfer.StageDecode)
	var l ledger
	outs := delivery.DeliverAll(t.Context(), all, func(_ context.Context, p transfer.Plan, _ func()) transfer.Outcome { return transfer.Outcome{Plan: p} }, l.report)
	for i, want := range []string{"skipped folder", "delivered", "failed Malformed", "failed Unavailable"} {
		if state(outs[i]) != want || l.reports[fmt.Sprint(i)] != 1 {
			t.Errorf("plan %d: %s, %d reports; want %s and one", i, state(outs[i]), l.reports[fmt.Sprint(i)], want)
		}
	}
}

// Which plans share a delivery, and whose it is.
func TestShared(t *testing.T) {
	type notice struct {
		key, path, order string
		seconds          int64
	}
	for _, tc := range []struct {
		name    string
		notices []notice
		want    []int
		change  func(all []transfer.Outcome)
	}{
		{"none", nil, nil, nil},
		{"different keys", []notice{{"a", "x", "1", 0}, {"b", "x", "2", 0}}, []int{0, 1}, nil},
		{"greatest order", []notice{{"a", "x", "1", 9}, {"a", "x", "3", 0}, {"a", "x", "2", 9}}, []int{1, 1, 1}, nil},
		{"order before none", []notice{{"a", "x", "1", 0}, {"a", "x", "", 9}}, []int{0, 0}, nil},
		{"then time", []notice{{"a", "x", "", 2}, {"a", "x", "", 3}, {"a", "x", "", 1}}, []int{1, 1, 1}, nil},
		{"then position", []notice{{"a", "x", "1", 1}, {"a", "x", "1", 1}}, []int{1, 1}, nil},
		{"two dates", []notice{{"a", "25/a", "1", 1}, {"a", "26/a", "2", 2}, {"a", "25/a", "0", 0}}, []int{0, 1, 0}, nil},
		{"another region", []notice{{"a", "x", "1", 0}, {"a", "x", "2", 0}}, []int{0, 1}, func(all []transfer.Outcome) { all[1].Plan.Item.Ref.Region = "eu-west-1" }},
		{"another app", []notice{{"a", "x", "1", 0}, {"a", "x", "2", 0}}, []int{0, 1}, func(all []transfer.Outcome) { all[1].Plan.Dest.App = "wx2" }},
		{"another second spelling", []notice{{"a b", "x", "1", 0}, {"a b", "x", "2", 0}}, []int{0, 1}, func(all []transfer.Outcome) { all[1].Plan.Item.AltKey = "a+b" }},
		{"decided", []notice{{"a", "x", "1", 0}, {"a", "x", "9", 0}, {"a", "x", "9", 0}, {"a", "x", "2", 0}}, []int{3, 1, 2, 3}, func(all []transfer.Outcome) {
			all[1].Reason, all[2].Err = transfer.ReasonNotCreated, newError(transfer.KindMalformed, transfer.StageDecode)
		}},
	} {
		var all []transfer.Outcome
		for _, n := range tc.notices {
			p := plan(n.key)
			p.Dest.Path, p.Item.Order, p.Item.Time = n.path, n.order, time.Unix(n.seconds, 0)
			all = append(all, transfer.Outcome{Plan: p})
		}
		if tc.change != nil {
			tc.change(all)
		}
		for i := range all {
			all[i].Plan.Item.ID = fmt.Sprint(i)
		}
		reports := 0
		var mu sync.Mutex
		outs := delivery.DeliverAll(t.Context(), all, func(_ context.Context, p transfer.Plan, _ func()) transfer.Outcome { return transfer.Outcome{Plan: p} },
			func(*transfer.Outcome) { mu.Lock(); reports++; mu.Unlock() })
		by := map[string]bool{}
		for i, o := range outs {
			by[o.Plan.Item.ID] = true
			if want := fmt.Sprint(tc.want[i]); o.Plan.Item.ID != want {
				t.Errorf("%s: plan %d has the outcome of %s, want %s", tc.name, i, o.Plan.Item.ID, want)
			}
		}
		if reports != len(by) {
			t.Errorf("%s: %d reports of %d outcomes", tc.name, reports, len(by))
		}
	}
}

// Small files go many at once; others, and those of unknown size, do not.
func TestConcurrencyIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		size int64 // of every other file; the rest are large
		most int
		took time.Duration
	}{
		"unknown":  {-1, delivery.Concurrency, 10 * time.Second},
		"large":    {delivery.SmallSize + 1, delivery.Concurrency, 10 * time.Second},
		"small":    {delivery.SmallSize, delivery.SmallConcurrency, 6 * time.Second}, // 40 large ones, eight at once; small ones may all come before them
		"no bytes": {0, delivery.SmallConcurrency, 6 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			all := plans(strings.Repeat("- ", 80))
			for i := range all {
				all[i].Plan.Item.Size = 1 << 30
				if i%2 == 0 {
					all[i].Plan.Item.Size = c.size
				}
			}
			var mu sync.Mutex
			now, large, most := 0, 0, 0
			start := time.Now()
			delivery.DeliverAll(t.Context(), all, func(_ context.Context, p transfer.Plan, _ func()) transfer.Outcome {
				count := func(by int) {
					mu.Lock()
					defer mu.Unlock()
					now += by
					if p.Item.Size < 0 || p.Item.Size > delivery.SmallSize {
						if large += by; large > delivery.Concurrency {
							t.Errorf("%s: %d large files at once", name, large)
						}
					}
					most = max(most, now)
				}
				count(1)
				time.Sleep(time.Second)
				count(-1)
				return transfer.Outcome{}
			}, func(*transfer.Outcome) {})
			if most > c.most || c.most == delivery.Concurrency && most != c.most || c.most > delivery.Concurrency && most <= delivery.Concurrency || time.Since(start) > c.took {
				t.Errorf("%s: %d at once in %v, want %d in %v", name, most, time.Since(start), c.most, c.took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		delivery.DeliverAll(t.Context(), plans(strings.Repeat("- ", 96)), func(context.Context, transfer.Plan, func()) transfer.Outcome {
			time.Sleep(time.Second)
			return transfer.Outcome{}
		}, func(*transfer.Outcome) {})
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("96 small files took %v, want 3s", took)
		}
	})
}

// While receivers are told, the next files are sent; no more are sent at once for that.
func TestFilesAreSentWhileReceiversAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := plans(strings.Repeat("- ", 64))
		for i := range all {
			all[i].Plan.Item.Size = -1
		}
		var sending, most atomic.Int64
		start := time.Now()
		delivery.DeliverAll(t.Context(), all, func(_ context.Context, _ transfer.Plan, sent func()) transfer.Outcome {
			most.Store(max(most.Load(), sending.Add(1)))
			time.Sleep(time.Second)
			sending.Add(-1)
			sent()
			time.Sleep(4 * time.Second) // receivers are told
			return transfer.Outcome{}
		}, func(*transfer.Outcome) {})
		if took := time.Since(start); took != 12*time.Second || most.Load() != delivery.Concurrency {
			t.Errorf("64 files took %v, %d were sent at once; want 12s and %d", took, most.Load(), delivery.Concurrency)
		}
	})
}
