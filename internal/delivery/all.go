package delivery

import (
	"context"
	"sync"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Concurrency is how many files of one envelope are carried side by side.
const Concurrency = 8

// DeliverAll carries the items of one envelope, at most Concurrency at a time, and returns
// one outcome for each. Items of one group go in order, and after a failure the
// rest of the group is not tried. An item whose leader is another item shares
// that one's outcome, so that each file is carried once. carry is called with
// the index of a leader and must not panic.
func DeliverAll(ctx context.Context, items []transfer.Item, leader []int, carry func(context.Context, int) transfer.Outcome) []transfer.Outcome {
	outs := make([]transfer.Outcome, len(items))
	shared := map[int]func() transfer.Outcome{} // by those who lead others
	for i, l := range leader {
		if l != i && shared[l] == nil {
			shared[l] = sync.OnceValue(func() transfer.Outcome { return carry(ctx, l) })
		}
	}
	lanes, waiting := lanes(items), make(chan []int)
	var wg sync.WaitGroup
	for range min(Concurrency, len(lanes)) {
		wg.Go(func() {
			for lane := range waiting {
				failed := false
				for _, i := range lane {
					if failed {
						outs[i] = transfer.Outcome{Plan: transfer.Plan{Item: items[i]}, Err: notTried}
						continue
					}
					if once := shared[leader[i]]; once != nil {
						outs[i] = once()
					} else {
						outs[i] = carry(ctx, i)
					}
					failed = outs[i].Err != nil
				}
			}
		})
	}
	for _, lane := range lanes {
		waiting <- lane
	}
	close(waiting)
	wg.Wait()
	return outs
}

var notTried = &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindUnavailable, Code: "NotTried",
	What: "not tried, for an earlier message of its group failed; it comes again in its turn"}

// lanes splits the items into runs that must go in order, in order of first
// appearance: one lane for each group, one for each item without a group.
func lanes(items []transfer.Item) [][]int {
	var all [][]int
	at := map[string]int{}
	for i, item := range items {
		n, ok := at[item.Group]
		if !ok || item.Group == "" {
			n = len(all)
			at[item.Group] = n
			all = append(all, nil)
		}
		all[n] = append(all[n], i)
	}
	return all
}
