package delivery

import (
	"context"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// receiverTries is how often a receiver is tried at least, where there is the time
// (receipts.md).
const receiverTries = 3

// notify tells the receivers of the delivery, one after the other. It takes its retries
// from the delivery's budget. The first receiver that cannot be told ends it, unless a
// failure is only a warning: then the others are told.
func (j *job) notify(ctx context.Context) *transfer.Error {
	if j.Notifier == nil {
		return nil
	}
	j.sent()
	for n, name := range j.Notifier.Receivers() {
		j.retries.budget.Reserve(receiverTries)
		err := j.retries.do(ctx, func(ctx context.Context) *transfer.Error {
			start := time.Now()
			if err := j.Notifier.Notify(ctx, n, &j.out); err != nil {
				transfer.Spend(ctx, time.Since(start))
				return transfer.AsError(ctx, transfer.StageNotify, err)
			}
			return nil
		})
		if err == nil {
			j.out.Receipts = append(j.out.Receipts, name)
			continue
		}
		j.out.Untold = append(j.out.Untold, name)
		if !j.NotifyWarns {
			// However it failed, the answer names the receiver and holds the file ID.
			failed := *err
			failed.Stage = transfer.StageNotify
			return &failed
		}
		j.warn(err.Error())
	}
	return nil
}

// settle does what ON_DELIVERED asks for. The file is safe by now, so a failure
// here is a warning.
func (j *job) settle(ctx context.Context) {
	if j.Settler == nil {
		return
	}
	if err := j.Settler.Settle(ctx, j.out.Plan.Item.Ref, j.etag, &j.out); err != nil {
		j.out.Unsettled = true
		j.warn(err.Error())
	}
}

func (j *job) warn(what string) {
	if j.out.Warning != "" {
		what = j.out.Warning + "; " + what
	}
	j.out.Warning = what
}
