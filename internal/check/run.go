package check

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// batchSize is how many files one call asks for (wire.md D.3).
	batchSize = 50
	// maxAsks is how many batches ask, or have their links read, at once. It is a guess:
	// two would bring links as fast as sixteen HEADs use them up, if both took the same time.
	maxAsks = 4
	// maxHeads is how many links are read at once, over all destinations. Sixteen is a
	// guess at what no CDN minds.
	maxHeads = 16
	// markEvery is how many skipped items have a mark among the files, so that a check that
	// ends among them goes on behind it. 1,000 are a page of a listing.
	markEvery = 1000
	// window is how many files are under way, because results come in order and one file
	// may take long. It bounds the memory: a file takes about 1 KB, its key included.
	window = 2000
)

// A file is an item on its way through a check.
type file struct {
	item   transfer.Item // without an AltKey
	altKey string        // how a list may have meant the key; "" for a certain one
	dest   transfer.Dest
	source facts // as the source itself states them, where it was asked
	result Result
	gone   bool          // the source does not exist any more: there is no result
	mark   bool          // the item was skipped, and others before it: there is no result
	done   chan struct{} // closed when result is there
}

func (f *file) finish(state State, why string) {
	f.result = Result{State: state, Item: f.item, Dest: f.dest, Why: why}
	close(f.done)
}

// A batch are the files of one destination that one call will ask for. number is that of
// its first file.
type batch struct {
	files  []*file
	number int
}

// A run is one check.
type run struct {
	*Checker
	ctx    context.Context
	cancel context.CancelCauseFunc

	queue   chan *file // in order
	workers sync.WaitGroup
	asks    semaphore
	heads   semaphore
	limits  *pacer
	vain    atomic.Int32 // batches in a row that were waited for in vain
	unread  atomic.Int32 // links in a row that were out of order

	// These are read's until queue is closed.
	skipped      int64
	unlisted     error                          // why the items ended too early
	destinations map[transfer.Dest]*destination // by app and environment
}

func newRun(ctx context.Context, c *Checker) *run {
	r := &run{
		Checker:      c,
		queue:        make(chan *file, window),
		asks:         make(semaphore, maxAsks),
		heads:        make(semaphore, maxHeads),
		limits:       new(pacer),
		destinations: map[transfer.Dest]*destination{},
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	return r
}

// read plans the items and hands them out in batches. A batch that is not full sets out
// when so many files came after its first that queue could fill up: report waits for the
// oldest file, which must not wait for the newest.
func (r *run) read(items Items) {
	defer close(r.queue)
	waiting := map[transfer.Dest]*batch{}
	number := 0
	for item, err := range items(r.ctx) {
		if err != nil {
			r.unlisted = err
			break // what came before is reported
		}
		f, ok := r.plan(item)
		if !ok {
			if r.skipped++; r.skipped%markEvery != 0 {
				continue
			}
			f.mark = true
			close(f.done)
		}
		number++
		if !f.mark && f.result.State == 0 {
			r.gather(waiting, f, number)
		}
		for dest, b := range waiting {
			if number-b.number > window-batchSize {
				r.send(waiting, dest)
			}
		}
		select {
		case r.queue <- f:
		case <-r.ctx.Done():
			return
		}
	}
	for dest := range waiting {
		r.send(waiting, dest)
	}
}

// plan makes a file of an item. It is to be skipped where ok is false.
func (r *run) plan(item transfer.Item) (f *file, ok bool) {
	altKey := item.AltKey
	item.AltKey = ""
	p, reason, err := r.Plan(item)
	f = &file{item: item, altKey: altKey, dest: p.Dest, done: make(chan struct{})}
	if reason != "" {
		return f, false
	}
	if err != nil {
		f.finish(StateFailed, err.What)
	}
	return f, true
}

func (r *run) gather(waiting map[transfer.Dest]*batch, f *file, number int) {
	dest := transfer.Dest{App: f.dest.App, Env: f.dest.Env}
	b := waiting[dest]
	if b == nil {
		b = &batch{number: number}
		waiting[dest] = b
	}
	if b.files = append(b.files, f); len(b.files) == batchSize {
		r.send(waiting, dest)
	}
}

// send waits for its turn here, so that batches set out in order.
func (r *run) send(waiting map[transfer.Dest]*batch, dest transfer.Dest) {
	files := waiting[dest].files
	delete(waiting, dest)
	d := r.destination(dest)
	if r.asks.acquire(r.ctx) != nil {
		return
	}
	r.workers.Go(func() {
		if err := r.ask(d, files); err != nil {
			r.cancel(err)
		}
	})
}

func (r *run) destination(dest transfer.Dest) *destination {
	d := r.destinations[dest]
	if d == nil {
		d = &destination{run: r, dest: dest, storage: r.Storage(dest.App)}
		r.destinations[dest] = d
	}
	return d
}

// report tells the results in order, up to the first that an end of the check leaves open.
func (r *run) report(tell func(Result) error) (Summary, error) {
	var s Summary
	for f := range r.queue {
		select {
		case <-f.done:
		case <-r.ctx.Done():
		}
		select {
		case <-f.done:
		default:
			return s, context.Cause(r.ctx)
		}
		if f.gone || f.mark {
			if s.After = f.item.Ref.Key; f.gone {
				s.Skipped++
			}
			continue
		}
		if err := tell(f.result); err != nil {
			return s, err
		}
		s.Count(f.result)
	}
	if err := context.Cause(r.ctx); err != nil {
		return s, err
	}
	return s, r.unlisted
}

// unique returns the file IDs without repetitions, and for each file the place of its own.
// Two keys may be planned for one path.
func unique(ids []string) (all []string, place []int) {
	place = make([]int, len(ids))
	for i, id := range ids {
		if place[i] = slices.Index(all, id); place[i] < 0 {
			place[i] = len(all)
			all = append(all, id)
		}
	}
	return all, place
}
