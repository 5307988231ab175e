package delivery

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Concurrency is how many files of one envelope are delivered at once. A small file
// spends most of its time waiting for answers, so more than one keeps the CPU busy.
// Eight, a guess, also fit into the smallest function's memory when all are large
// (docs/benchmarks.md).
const Concurrency = 8

const (
	// SmallConcurrency is how many files are delivered at once if those above 8 are small.
	// Over a long line a small file is two round trips and next to no CPU, so that eight
	// at once were the limit: 18 files of 10 kB a second at 200 ms (large-files.md, Measured).
	SmallConcurrency = 32
	// SmallSize is the greatest size, by the event, of a small file: 32 of them fit into
	// the smallest memory.
	SmallSize = 1 << 20

	// groupConcurrency is how many groups are under way at once. Those that are not sent
	// wait for receivers, which takes little memory. At 40 ms for a receiver 64 allow for
	// some 1,400 files a second, which is what two CPUs deliver (docs/benchmarks.md).
	groupConcurrency = 64
)

// A DeliverFunc delivers one plan. It calls sent when the file's bytes are where they
// belong, so that the next file begins while the receivers of this one are told.
type DeliverFunc func(ctx context.Context, p transfer.Plan, sent func()) transfer.Outcome

// DeliverAll delivers the files of one envelope and returns one outcome for each plan,
// in order. At most Concurrency files are sent at once that are above SmallSize or of
// unknown size, and at most SmallConcurrency in all.
//
// A plan that already has a Reason or an Err is not delivered: it is its own
// outcome. Plans of one Item.Group go in order, and after a failure the rest of
// the group is not tried. Plans with the same source and destination are
// delivered once and share the outcome. report is called once for each outcome,
// so not again for one that is shared; it may be called by several goroutines at
// once. Neither function may panic.
func DeliverAll(ctx context.Context, plans []transfer.Outcome, deliver DeliverFunc, report func(*transfer.Outcome)) []transfer.Outcome {
	outs := make([]transfer.Outcome, len(plans))
	once := make([]func() transfer.Outcome, len(plans))
	large, slots := make(chan struct{}, Concurrency), make(chan struct{}, SmallConcurrency)
	for i, r := range representatives(plans) {
		if once[r] == nil {
			once[r] = sync.OnceValue(func() transfer.Outcome {
				o := plans[r]
				if !decided(&o) {
					sent := func() { <-slots }
					if size := o.Plan.Item.Size; size < 0 || size > SmallSize {
						large <- struct{}{}
						sent = func() { <-slots; <-large }
					}
					slots <- struct{}{}
					sent = sync.OnceFunc(sent)
					o = deliver(ctx, o.Plan, sent)
					sent()
				}
				report(&o)
				return o
			})
		}
		once[i] = once[r]
	}
	groups, waiting := orderedGroups(plans), make(chan []int)
	var wg sync.WaitGroup
	for range min(groupConcurrency, len(groups)) {
		wg.Go(func() {
			for group := range waiting {
				failed := false
				for _, i := range group {
					if failed {
						outs[i] = transfer.Outcome{Plan: plans[i].Plan, Err: errNotTried}
						report(&outs[i])
						continue
					}
					outs[i] = once[i]()
					failed = outs[i].Err != nil
				}
			}
		})
	}
	for _, group := range groups {
		waiting <- group
	}
	close(waiting)
	wg.Wait()
	return outs
}

var errNotTried = &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindUnavailable, Code: "NotTried",
	What: "not tried, because an earlier message of its group failed; it comes again in its turn"}

func decided(o *transfer.Outcome) bool { return o.Reason != "" || o.Err != nil }

// representatives returns for each plan the index of the plan that is delivered
// for it. Of several with the same source and destination that is the one with
// the greatest Order, then Time, then position. One delivery is enough for all,
// because it delivers the newest content. Decided plans stand for themselves.
func representatives(plans []transfer.Outcome) []int {
	type file struct {
		ref    transfer.Ref
		altKey string
		dest   transfer.Dest
	}
	of := func(p *transfer.Plan) file { return file{p.Item.Ref, p.Item.AltKey, p.Dest} }
	newest := make(map[file]int, len(plans))
	for i := range plans {
		if decided(&plans[i]) {
			continue
		}
		f := of(&plans[i].Plan)
		if j, ok := newest[f]; !ok || compareAge(plans[i].Plan.Item, plans[j].Plan.Item) >= 0 {
			newest[f] = i
		}
	}
	all := make([]int, len(plans))
	for i := range plans {
		all[i] = i
		if !decided(&plans[i]) {
			all[i] = newest[of(&plans[i].Plan)]
		}
	}
	return all
}

// compareAge is positive when a is newer than b.
func compareAge(a, b transfer.Item) int {
	return cmp.Or(strings.Compare(a.Order, b.Order), a.Time.Compare(b.Time))
}

// orderedGroups splits the plans into runs that must go in order, in order of
// first appearance: one for each group, one for each plan without a group.
func orderedGroups(plans []transfer.Outcome) [][]int {
	var all [][]int
	at := map[string]int{}
	for i := range plans {
		group := plans[i].Plan.Item.Group
		n, ok := at[group]
		if !ok || group == "" {
			n = len(all)
			at[group] = n
			all = append(all, nil)
		}
		all[n] = append(all[n], i)
	}
	return all
}
