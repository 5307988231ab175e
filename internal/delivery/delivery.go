// Package courier carries one file through stages 3 to 6: open the source and
// ask for a ticket side by side, post, check, ask whether the source is still
// the same, settle. It owns the order of the stages, the one retry loop, and the
// deadline; it does no I/O of its own.
package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Deliverer carries plans. It is safe for concurrent use.
type Deliverer struct {
	Sources  map[string]transfer.Source // by scheme
	Tickets  transfer.TicketIssuer
	Uploader transfer.Uploader
	Settler  transfer.Settler // nil: the source is kept as it is
}

// Carry brings one file to its destination, whatever it takes within the
// deadline of ctx (see WithReserve), and says how it ended.
func (c *Deliverer) Carry(ctx context.Context, p transfer.Plan) transfer.Outcome {
	ref := p.Item.Ref
	src, ok := c.Sources[ref.Scheme]
	if !ok {
		return transfer.Outcome{Plan: p, Err: &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied, Code: "NoCredentials",
			What: fmt.Sprintf("this function has no credentials for %s:// sources; configure them", ref.Scheme)}}
	}
	return c.CarryFrom(ctx, src, p)
}

// CarryFrom is Carry with a source of the caller's.
func (c *Deliverer) CarryFrom(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome {
	start := time.Now()
	t := &trip{courier: c, src: src, out: transfer.Outcome{Plan: p}}
	t.out.Err = t.run(ctx)
	if err := t.out.Err; err != nil && err.Kind == transfer.KindNotFound && err.Stage == transfer.StageOpen {
		t.out.Err = nil
		if t.out.FileID == "" { // else it was delivered before it went
			t.out.Reason = transfer.ReasonGone
		}
	}
	t.out.Took = time.Since(start)
	return t.out
}

// Ticket fetches a ticket for somebody who uploads the file without us.
func (c *Deliverer) Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error) {
	var b RetryBudget
	for {
		ticket, err := c.Tickets.Ticket(ctx, d)
		if err == nil {
			return ticket, nil
		}
		if err := b.spend(ctx, transfer.AsError(ctx, transfer.StageTicket, err)); err != nil {
			return transfer.Ticket{}, err
		}
	}
}

// A trip is one file under way.
type trip struct {
	courier *Deliverer
	src     transfer.Source
	out     transfer.Outcome
	etag    string // the source's content that was delivered last
	budget  RetryBudget
}

// A step does one part of a trip and names the next; nil means that the trip is
// done. A step that failed is taken again if the budget allows.
type step func(context.Context) (step, *transfer.Error)

func (t *trip) run(ctx context.Context) *transfer.Error {
	var last *transfer.Error
	for next := t.deliver; next != nil; {
		then, err := next(ctx)
		if err == nil {
			next = then
			continue
		}
		if err.Kind == transfer.KindOutOfTime && last != nil {
			err.What += "; the failure before that: " + last.What
		}
		last = err
		if err := t.budget.spend(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// deliver is one attempt: Open and Ticket, Post through a meter, Check.
func (t *trip) deliver(ctx context.Context) (step, *transfer.Error) {
	obj, ticket, err := t.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer obj.Body.Close()

	m := meter.New(obj)
	metered := *obj
	metered.Body = m
	t.out.Attempts++
	receipt, perr := t.courier.Uploader.Upload(ctx, ticket, &metered)
	if obj.Resumes != nil {
		t.out.Resumes += obj.Resumes()
	}
	if perr != nil {
		return nil, transfer.AsError(ctx, transfer.StageUpload, perr)
	}
	verified, cerr := m.Check(receipt)
	if cerr != nil {
		return nil, transfer.AsError(ctx, transfer.StageCheck, cerr)
	}
	t.etag = obj.ETag
	t.out.FileID, t.out.Size, t.out.Verified = ticket.FileID, obj.Size, verified
	t.out.ETag, t.out.CRC64 = receipt.ETag, receipt.CRC64
	return t.confirm, nil
}

// prepare opens the source and fetches a ticket side by side. A source that is
// not there outranks a ticket that was not given.
func (t *trip) prepare(ctx context.Context) (*transfer.Object, transfer.Ticket, *transfer.Error) {
	dest := t.out.Plan.Dest
	both, cancel := context.WithCancel(ctx)
	type result struct {
		ticket transfer.Ticket
		at     time.Time
		err    error
	}
	tickets := make(chan result, 1)
	t.out.Tickets++
	go func() {
		ticket, err := t.courier.Tickets.Ticket(both, dest)
		tickets <- result{ticket, time.Now(), err}
	}()

	obj, err := t.open(ctx)
	if err != nil {
		cancel()
		<-tickets
		return nil, transfer.Ticket{}, err
	}
	got := <-tickets
	cancel()
	if got.err == nil && (time.Since(got.at) > freshFor || !time.Now().Before(got.ticket.Expires)) {
		t.out.Tickets++
		got.ticket, got.err = t.courier.Tickets.Ticket(ctx, dest)
	}
	if got.err == nil && !time.Now().Before(got.ticket.Expires) {
		got.err = &transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindStale, Code: "ExpiredTicket",
			What: "WeChat gave an upload ticket that has already expired; check the clock of this machine"}
	}
	if got.err != nil {
		obj.Body.Close()
		return nil, transfer.Ticket{}, transfer.AsError(ctx, transfer.StageTicket, got.err)
	}
	return obj, got.ticket, nil
}

// freshFor is how old a ticket may be when its upload begins. A source that
// opens more slowly than this costs a second ticket, never an expired one: of
// its 900 s (wire.md section 0) the upload is to have nearly all.
const freshFor = 30 * time.Second

// open opens the source, under its other spelling if the first is not found.
func (t *trip) open(ctx context.Context) (*transfer.Object, *transfer.Error) {
	obj, err := t.src.Open(ctx, t.out.Plan.Item.Ref)
	if err != nil {
		err := transfer.AsError(ctx, transfer.StageOpen, err)
		if alt := t.out.Plan.Alt; alt != nil && err.Kind == transfer.KindNotFound {
			t.out.Plan = *alt
			return t.open(ctx)
		}
		return nil, err
	}
	if err := fits(obj, t.out.Plan.Item); err != nil {
		obj.Body.Close()
		return nil, err
	}
	return obj, nil
}

// fits tells why an open object cannot be what is to be uploaded.
func fits(obj *transfer.Object, item transfer.Item) *transfer.Error {
	switch {
	case obj.Size > transfer.MaxSize:
		return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindRefused, Code: "EntityTooLarge",
			What: fmt.Sprintf("the file has %d bytes; one upload carries at most %d (5 GiB), split it", obj.Size, int64(transfer.MaxSize))}
	case item.Size >= 0 && item.ETag != "" && item.ETag == obj.ETag && item.Size != obj.Size:
		return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindCorrupt,
			What: fmt.Sprintf("the source offers %d bytes of a file that has %d by its event; try again", obj.Size, item.Size)}
	}
	return nil
}

// confirm asks the source once more: if it changed since it was opened, what was
// delivered may have overwritten something newer, so it is delivered again.
// Whoever finishes last thus leaves the newest bytes.
func (t *trip) confirm(ctx context.Context) (step, *transfer.Error) {
	if t.etag != "" {
		etag, err := t.src.Stat(ctx, t.out.Plan.Item.Ref)
		if err != nil {
			if err := transfer.AsError(ctx, transfer.StageOpen, err); err.Kind != transfer.KindNotFound {
				return nil, err
			}
			return nil, nil // deleted since: what was delivered is the newest there was
		}
		if etag != t.etag {
			return t.deliver, nil
		}
	}
	return t.settle, nil
}

// settle does what ON_DELIVERED asks for. The file is safe by now, so what goes
// wrong here is a warning.
func (t *trip) settle(ctx context.Context) (step, *transfer.Error) {
	if s := t.courier.Settler; s != nil {
		if err := s.Settle(ctx, t.out.Plan.Item.Ref, t.etag, &t.out); err != nil {
			t.out.Warning = err.Error()
		}
	}
	return nil, nil
}
