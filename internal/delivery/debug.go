package delivery

import (
	"context"
	"log/slog"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// debug writes a line of the level debug about one file, where such lines are wanted.
func (d *Deliverer) debug(ctx context.Context, p transfer.Plan, msg string, attrs ...slog.Attr) {
	if d.Log == nil || !d.Log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	if p.Item.Ref != (transfer.Ref{}) {
		attrs = append(attrs, slog.String("source", p.Item.Ref.String()))
	}
	d.Log.LogAttrs(ctx, slog.LevelDebug, msg, append(attrs, slog.String("path", p.Dest.Path))...)
}

// retried returns what notes the retries of one delivery.
func (d *Deliverer) retried(p *transfer.Plan) func(context.Context, *transfer.Error, time.Duration) {
	return func(ctx context.Context, err *transfer.Error, wait time.Duration) {
		d.debug(ctx, *p, "try again", slog.String("stage", string(err.Stage)), slog.String("kind", string(err.Kind)),
			slog.String("code", err.Label()), slog.String("error", err.What), slog.Int64("waitMs", wait.Milliseconds()))
	}
}

// uploads notes how the file is uploaded, and why so.
func (j *job) uploads(ctx context.Context, ticket transfer.Ticket, obj *transfer.Object) {
	how, why := "POST", "the ticket is one for a form"
	if ticket.Put {
		how, why = "PUT", "the ticket is one of an API key"
	}
	switch {
	case j.PartUploader == nil:
		why += "; MULTIPART_THRESHOLD is not set"
	case j.goesInParts(obj):
		how, why = "parts", "it reaches MULTIPART_THRESHOLD, and its source has ranges"
	case obj.Size < j.PartThreshold:
		why += "; it is below MULTIPART_THRESHOLD"
	default:
		why += "; its source has no ranges"
	}
	j.debug(ctx, j.out.Plan, "upload", slog.String("how", how), slog.String("why", why), slog.Int64("size", obj.Size), slog.Int("attempt", j.out.Attempts+1))
}
