package check

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// linkAge is how long a link must be good for: it waits for up to fifty others before it
// is read. An hour is a guess.
const linkAge = time.Hour

// ticketPath is the path that a ticket is asked for. No file is stored there.
const ticketPath = "tcbferry-check"

// A destination is one environment, asked with one app or API key.
type destination struct {
	*run
	dest    transfer.Dest
	storage Storage

	mu     sync.Mutex
	prefix string // of file IDs: cloud://env.bucket/
}

// fileIDs returns the IDs of files. The first call learns the bucket in them from a ticket.
func (d *destination) fileIDs(ctx context.Context, files []*file) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.prefix == "" {
		dest := d.dest
		dest.Path = ticketPath
		ticket, err := insist(ctx, d.limits, manyTries, func() (transfer.Ticket, error) { return d.storage.Ticket(ctx, dest) })
		if err != nil {
			return nil, err
		}
		d.prefix = strings.TrimSuffix(ticket.FileID, ticketPath)
	}
	ids := make([]string, len(files))
	for i, f := range files {
		ids[i] = d.prefix + f.dest.Path
	}
	return ids, nil
}

// ask finishes the files of a batch. An error ends the check. A file that is not there, or
// that the storage could not tell about, is asked for again with the others of its kind.
// The caller has acquired one of r.asks.
func (r *run) ask(d *destination, files []*file) error {
	defer r.asks.release()
	ids, err := d.fileIDs(r.ctx, files)
	if err != nil {
		return err
	}
	waited, appeared := false, false
	for round := 0; len(files) > 0; round++ {
		links, err := d.links(ids)
		if err != nil {
			return err
		}
		var again []*file
		var againIDs []string
		for i, f := range files {
			link := links[i]
			switch {
			case link.Err == nil:
				appeared = appeared || round > 0
				if err := r.found(f, link); err != nil {
					return err
				}
				continue
			case round < len(settling) && (link.Err.Kind.Retryable() || r.mayAppear(f, link.Err)):
				again, againIDs = append(again, f), append(againIDs, ids[i])
				continue
			}
			if err := r.lost(f, link.Err); err != nil {
				return err
			}
		}
		if len(again) > 0 {
			waited = true
			r.asks.release()
			transfer.Pause(r.ctx, settling[round]) // if ctx ends, the next call fails
			_ = r.asks.acquire(context.WithoutCancel(r.ctx))
		}
		files, ids = again, againIDs
	}
	switch {
	case appeared:
		r.vain.Store(0)
	case waited:
		r.vain.Add(1)
	}
	return nil
}

// found is told of a file that exists.
func (r *run) found(f *file, link transfer.Link) error {
	if r.Quick {
		f.finish(StateSame, "")
		return nil
	}
	return r.compareLater(func() { r.compare(f, link) })
}

// lost is told of a file that the storage does not have or cannot tell about.
func (r *run) lost(f *file, why *transfer.Error) error {
	switch {
	case why.Kind != transfer.KindNotFound:
		f.finish(StateFailed, why.What)
	case r.Confirm || f.item.Size < 0:
		return r.compareLater(func() {
			if f.know(r.ctx, r.Head) {
				r.missing(f, notStored)
			}
		})
	default:
		r.missing(f, notStored)
	}
	return nil
}

const notStored = "it is not in CloudBase's storage"

// compareLater runs one of at most maxHeads comparisons.
func (r *run) compareLater(compare func()) error {
	if err := r.heads.acquire(r.ctx); err != nil {
		return err
	}
	r.workers.Go(func() {
		defer r.heads.release()
		compare()
	})
	return nil
}

// links asks for the links of files, in one call if the storage takes one.
func (d *destination) links(ids []string) ([]transfer.Link, error) {
	all, place := unique(ids)
	found, err := d.split(all)
	if err != nil {
		return nil, err
	}
	links := make([]transfer.Link, len(ids))
	for i := range ids {
		links[i] = found[place[i]]
	}
	return links, nil
}

// split asks in halves where a call is Refused: it may name too many files, or one of them
// may be refused for itself.
func (d *destination) split(ids []string) ([]transfer.Link, error) {
	links, err := insist(d.ctx, d.limits, manyTries, func() ([]transfer.Link, error) {
		return d.storage.Links(d.ctx, d.dest.Env, ids, linkAge)
	})
	if err == nil {
		return links, nil
	}
	e := transfer.AsError(d.ctx, transfer.StageCheck, err)
	switch {
	case e.Kind != transfer.KindRefused:
		return nil, e
	case len(ids) == 1:
		return []transfer.Link{{Err: e}}, nil
	}
	first, err := d.split(ids[:len(ids)/2])
	if err != nil {
		return nil, err
	}
	second, err := d.split(ids[len(ids)/2:])
	return append(first, second...), err
}
