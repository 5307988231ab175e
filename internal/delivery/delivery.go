// Package delivery takes files through the stages from Open to Settle (see package
// transfer). It owns the order of the stages, the retry loop around them and the
// deadline. It does no I/O of its own: the stages are interfaces.
//
// # One file
//
// Deliver opens the source and asks for a ticket at the same time. Then it uploads
// the file, checks the receipt, and asks the source whether it has changed. If it
// has, the file is delivered again. At the end it tells the receivers and settles
// the source. The result is an Outcome, which holds the error if there is one.
//
// # Retries
//
// A RetryBudget decides by the error's Kind. Throttled, Unavailable and Corrupt are
// tried again after a random wait. Stale renews the token or the ticket once. Every
// other Kind ends the delivery.
//
// # Many files
//
// DeliverAll delivers the plans of one event, several at once. Plans of one FIFO group
// go one after the other. Plans with the same source and destination share one delivery.
//
// # The deadline
//
// WithReserve ends the work early enough for the answer. What does not fit fails as
// OutOfTime.
package delivery

import (
	"context"
	"log/slog"
	"time"

	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Deliverer delivers plans. It is safe for concurrent use.
type Deliverer struct {
	Sources  map[string]transfer.Source // by scheme
	Tickets  transfer.TicketIssuer
	Uploader transfer.Uploader
	Notifier transfer.Notifier // nil: there are no receivers
	Settler  transfer.Settler  // nil: the source is kept as it is

	// PartUploader uploads files of at least PartThreshold bytes whose source has
	// ranges. It compares what it sent by itself. nil: every file goes in one piece.
	PartUploader  transfer.Uploader
	PartThreshold int64

	// NotifyWarns makes a receiver that cannot be told a warning, where the caller learns
	// the file ID from the answer. Otherwise the delivery fails, so that it comes again.
	NotifyWarns bool

	// Log takes lines of the level debug: what was decided about a file, and why. nil: none.
	Log *slog.Logger

	// MaxRetryWait bounds the waits before retries of one delivery or ticket,
	// added up. A failure that would need a longer wait is the answer. 0 sets no
	// bound other than the deadline.
	MaxRetryWait time.Duration
	// SourceFirst asks for a ticket only after the source has answered, so that a
	// caller who names sources that do not exist spends no ticket. Otherwise the
	// two are asked side by side.
	SourceFirst bool
}

// Deliver delivers one file within the deadline of ctx (see WithReserve), with
// retries, and says how it ended. It is a DeliverFunc.
func (d *Deliverer) Deliver(ctx context.Context, p transfer.Plan, sent func()) transfer.Outcome {
	src, ok := d.Sources[p.Item.Ref.Scheme]
	if !ok {
		err := transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "this function has no credentials for %s:// sources; configure them", p.Item.Ref.Scheme)
		err.Code = "NoCredentials"
		return transfer.Outcome{Plan: p, Err: err}
	}
	return d.deliver(ctx, src, p, sent)
}

// DeliverFrom is Deliver with a source that the caller provides.
func (d *Deliverer) DeliverFrom(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome {
	return d.deliver(ctx, src, p, func() {})
}

func (d *Deliverer) deliver(ctx context.Context, src transfer.Source, p transfer.Plan, sent func()) transfer.Outcome {
	start := time.Now()
	ctx = transfer.WithPauses(ctx, d.MaxRetryWait)
	j := &job{Deliverer: d, src: src, sent: sent, out: transfer.Outcome{Plan: p}}
	j.retries.note = d.retried(&j.out.Plan)
	err := j.run(ctx)
	switch {
	case err == nil:
	case err.Kind != transfer.KindNotFound || err.Stage != transfer.StageOpen:
		j.out.Err = err
	case j.out.FileID == "":
		j.out.Reason = transfer.ReasonGone
	} // else the source went after it was delivered
	j.out.Took = time.Since(start)
	return j.out
}

// Ticket gets a ticket for a caller who uploads the file without us.
func (d *Deliverer) Ticket(ctx context.Context, dest transfer.Dest) (ticket transfer.Ticket, _ error) {
	r := retries{note: d.retried(&transfer.Plan{Dest: dest})}
	err := r.do(transfer.WithPauses(ctx, d.MaxRetryWait), func(ctx context.Context) *transfer.Error {
		var err error
		if ticket, err = d.Tickets.Ticket(ctx, dest); err != nil {
			return transfer.AsError(ctx, transfer.StageTicket, err)
		}
		return nil
	})
	if err != nil {
		return transfer.Ticket{}, err
	}
	return ticket, nil
}

// A job is one file that is being delivered.
type job struct {
	*Deliverer
	src      transfer.Source
	sent     func() // called when the bytes are where they belong
	retries  retries
	out      transfer.Outcome
	etag     string // the source's content that was uploaded last; "" cannot be told
	noRanges bool   // the source has turned out not to send ranges
	md5      bool   // an ETag of COS has contradicted a CRC64 that agreed: the next attempts compute the MD5
}

// run is the whole delivery. What was uploaded may have overwritten something
// newer if the source changed meanwhile, so then it is uploaded again: the
// delivery that finishes last leaves the newest content.
//
// Each change costs a try and a wait like any failure. When they are spent the
// delivery fails, although an upload succeeded. A concurrent delivery may have
// stored the newer content before our older one arrived, and no later event would
// correct that. The failure is retryable, so this event comes again.
func (j *job) run(ctx context.Context) *transfer.Error {
	for {
		if err := j.retries.do(ctx, j.upload); err != nil {
			return err
		}
		var now sourceState
		err := j.retries.do(ctx, func(ctx context.Context) (err *transfer.Error) {
			now, err = j.confirm(ctx)
			return err
		})
		switch {
		case err != nil:
			return err
		case now == sourceGone: // what was delivered is the newest there was
			return j.notify(ctx)
		case now == sourceSame:
			if err := j.notify(ctx); err != nil {
				return err
			}
			j.settle(ctx)
			return nil
		}
		if err := j.retries.wait(ctx, errKeepsChanging); err != nil {
			return err
		}
	}
}

var errKeepsChanging = &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindUnavailable, Code: "SourceKeepsChanging",
	What: "the source was overwritten during each upload, so the newest content is not delivered yet; it is tried again when the event comes again"}

// upload is one attempt: Open, Ticket, Upload through a meter, Check.
func (j *job) upload(ctx context.Context) *transfer.Error {
	obj, ticket, err := j.prepare(ctx)
	if err != nil {
		return err
	}
	defer obj.Body.Close()
	j.uploads(ctx, ticket, obj)
	if j.goesInParts(obj) {
		return j.uploadParts(ctx, ticket, obj)
	}
	j.out.Parts, j.out.ResumedParts = 0, 0
	m := meter.New(obj)
	if j.md5 {
		m.ComputeMD5()
	}
	metered := *obj
	metered.Body = j.paced(ctx, m, obj)
	j.out.Attempts++
	receipt, uerr := j.Uploader.Upload(ctx, ticket, &metered)
	if obj.Resumes != nil {
		j.out.Resumes += obj.Resumes()
	}
	if uerr != nil {
		return transfer.AsError(ctx, transfer.StageUpload, uerr)
	}
	verified, cerr := m.Check(receipt)
	if cerr != nil {
		j.md5 = j.md5 || m.OnlyETagDiffers(receipt)
		return transfer.AsError(ctx, transfer.StageCheck, cerr)
	}
	j.etag = obj.ETag
	j.out.FileID, j.out.Size, j.out.Verified = ticket.FileID, obj.Size, verified
	j.out.ETag, j.out.CRC64 = receipt.ETag, receipt.CRC64
	j.out.ContentType, j.out.DeliveredAt = receipt.ContentType, time.Now()
	return nil
}

// prepare opens the source and gets a ticket, side by side unless SourceFirst.
// If both fail, the source's error is the one that counts.
func (j *job) prepare(ctx context.Context) (*transfer.Object, transfer.Ticket, *transfer.Error) {
	dest := j.out.Plan.Dest // open may choose another plan
	type result struct {
		ticket transfer.Ticket
		at     time.Time // zero: no ticket was asked for
		err    *transfer.Error
	}
	early := make(chan result, 1)
	early <- result{}
	ticketCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !j.SourceFirst {
		<-early
		j.out.Tickets++
		go func() {
			ticket, err := j.ticket(ticketCtx, dest)
			early <- result{ticket, time.Now(), err}
		}()
	}
	obj, err := j.open(ctx)
	if err != nil {
		cancel()
		<-early
		return nil, transfer.Ticket{}, err
	}
	got := <-early
	if other := j.out.Plan.Dest; other != dest || got.err == nil && (time.Since(got.at) > maxTicketAge || expired(got.ticket)) {
		j.out.Tickets++
		got.ticket, got.err = j.ticket(ctx, other)
	}
	if got.err == nil {
		got.err = usable(got.ticket, j.out.Plan.Item.Ref)
	}
	if got.err != nil {
		obj.Body.Close()
		return nil, transfer.Ticket{}, got.err
	}
	return obj, got.ticket, nil
}

// maxTicketAge is how old a ticket may be when its upload begins. A ticket lives
// 900 s (wire.md section 0), and a slow upload may need nearly all of them.
// Sources answer within seconds, so a second ticket is rare. 30 s is a guess.
const maxTicketAge = 30 * time.Second

func (j *job) ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, *transfer.Error) {
	ticket, err := j.Tickets.Ticket(ctx, dest)
	if err != nil {
		return transfer.Ticket{}, transfer.AsError(ctx, transfer.StageTicket, err)
	}
	return ticket, nil
}

// open opens the source. If the first spelling of the key is not found, it opens
// the other one.
func (j *job) open(ctx context.Context) (*transfer.Object, *transfer.Error) {
	obj, err := j.src.Open(ctx, j.out.Plan.Item.Ref)
	if err != nil {
		err := transfer.AsError(ctx, transfer.StageOpen, err)
		if alt := j.out.Plan.Alt; alt != nil && err.Kind == transfer.KindNotFound {
			j.debug(ctx, *alt, "other spelling of the key", slog.String("notFound", j.out.Plan.Item.Ref.String()))
			j.out.Plan = *alt
			return j.open(ctx)
		}
		return nil, err
	}
	if err := j.fits(obj); err != nil {
		obj.Body.Close()
		return nil, err
	}
	return obj, nil
}

// A sourceState says what confirm found of the source.
type sourceState int

const (
	sourceSame sourceState = iota // or the store cannot tell
	sourceChanged
	sourceGone
)

// confirm asks the source whether its content is still the one that was
// uploaded. An answer without an ETag cannot tell: that counts as the same, but
// the settler gets no ETag, so that nothing is deleted.
func (j *job) confirm(ctx context.Context) (sourceState, *transfer.Error) {
	if j.etag == "" {
		return sourceSame, nil
	}
	etag, err := j.src.Stat(ctx, j.out.Plan.Item.Ref)
	if err != nil {
		err := transfer.AsError(ctx, transfer.StageOpen, err)
		if err.Kind == transfer.KindNotFound {
			return sourceGone, nil
		}
		return 0, err
	}
	switch etag {
	case j.etag:
		return sourceSame, nil
	case "":
		j.etag = ""
		return sourceSame, nil
	}
	return sourceChanged, nil
}
