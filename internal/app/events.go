package app

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Where a function runs; see package event.
const (
	Lambda = event.Lambda
	SCF    = event.SCF
)

// A Handler answers one payload.
type Handler = func(ctx context.Context, payload []byte) ([]byte, error)

// EventNotUnderstood is the error of a payload that is none of the envelopes.
// Its type name is what Lambda and SCF show as the error type.
type EventNotUnderstood struct{ why *transfer.Error }

func (e *EventNotUnderstood) Error() string { return e.why.Error() }

// Misconfigured is the error of an environment that cannot be used. On SCF, where
// it fails an invocation, its type name is shown.
type Misconfigured struct{ error }

// Events returns the handler of an event function. It writes its journal to out.
func Events(ctx context.Context, host event.Host, getenv func(string) string, out io.Writer) (Handler, error) {
	c, err := config.Load(getenv)
	if err != nil {
		return nil, err
	}
	a, err := build(ctx, c, out)
	if err != nil {
		return nil, err
	}
	if host == Lambda {
		a.warm(ctx)
	}
	return func(ctx context.Context, payload []byte) ([]byte, error) { return a.event(ctx, host, payload) }, nil
}

// event is one invocation: Decode, Plan, Carry, Reply.
func (a *app) event(ctx context.Context, host event.Host, payload []byte) (reply []byte, err error) {
	start, fetched := time.Now(), a.fetches()
	defer a.survive(ctx, func(e *transfer.Error) { err = &EventNotUnderstood{e} })
	ctx, cancel := delivery.WithReserve(ctx)
	defer cancel()
	env, derr := event.Decode(payload, host)
	if derr != nil {
		e := transfer.AsError(ctx, transfer.StageDecode, derr)
		a.journal.Log().ErrorContext(ctx, "event not understood", "error", e.What)
		return nil, &EventNotUnderstood{e}
	}
	outs := delivery.DeliverAll(ctx, env.Items, event.Dedupe(env.Items), func(ctx context.Context, i int) transfer.Outcome {
		o := a.item(ctx, env.Items[i])
		a.journal.File(ctx, &o)
		return o
	})
	a.journal.Invocation(ctx, outs, a.fetches()-fetched, time.Since(start))
	return env.Reply(outs, event.ReplyOptions{PartialBatch: a.Partial})
}

// item answers one item: what the event or the routes decide needs no courier.
func (a *app) item(ctx context.Context, item transfer.Item) (o transfer.Outcome) {
	defer a.survive(ctx, func(e *transfer.Error) {
		o = transfer.Outcome{Plan: transfer.Plan{Item: item}, Err: e}
	})
	if item.Err != nil || item.Reason != "" {
		return transfer.Outcome{Plan: transfer.Plan{Item: item}, Err: item.Err, Reason: item.Reason}
	}
	plan, reason, err := a.Table.Plan(item)
	if err != nil || reason != "" {
		return transfer.Outcome{Plan: plan, Err: err, Reason: reason}
	}
	return a.courier.Carry(ctx, plan)
}

// survive turns a panic into an error, so that one file or event does not take
// the process and the others with it. Of the panic's value only the type is
// logged: anything else might hold a secret.
func (a *app) survive(ctx context.Context, fail func(*transfer.Error)) {
	if r := recover(); r != nil {
		a.journal.Log().ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		fail(&transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindUnavailable, Code: "Panic",
			What: "tcbferry itself failed on this; the log has the stack, please report it"})
	}
}
