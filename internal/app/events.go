package app

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/courier"
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
	return func(ctx context.Context, payload []byte) ([]byte, error) { return a.event(ctx, host, payload) }, nil
}

// event is one invocation: Decode, Plan, Carry, Reply.
func (a *app) event(ctx context.Context, host event.Host, payload []byte) (reply []byte, err error) {
	start, fetched := time.Now(), a.fetches()
	defer func() {
		if r := recover(); r != nil { // of the fleet's panics none gets here
			a.journal.Log().ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = &EventNotUnderstood{&transfer.Error{Stage: transfer.Decode, Kind: transfer.Malformed,
				What: "tcbferry itself failed on this event; the log has the stack, please report it"}}
		}
	}()
	ctx, cancel := courier.WithReserve(ctx)
	defer cancel()
	env, derr := event.Decode(payload, host)
	if derr != nil {
		return nil, &EventNotUnderstood{transfer.AsError(ctx, transfer.Decode, derr)}
	}
	outs := courier.Fleet(ctx, env.Items, event.Newest(env.Items), func(ctx context.Context, i int) transfer.Outcome {
		o := a.item(ctx, env.Items[i])
		a.journal.File(ctx, &o)
		return o
	})
	a.journal.Invocation(ctx, outs, a.fetches()-fetched, time.Since(start))
	return env.Reply(outs, event.ReplyOptions{PartialBatch: a.Partial})
}

// item answers one item: what the event or the routes decide needs no courier.
func (a *app) item(ctx context.Context, item transfer.Item) transfer.Outcome {
	if item.Err != nil || item.Reason != "" {
		return transfer.Outcome{Plan: transfer.Plan{Item: item}, Err: item.Err, Reason: item.Reason}
	}
	plan, reason, err := a.Table.Plan(item)
	if err != nil || reason != "" {
		return transfer.Outcome{Plan: plan, Err: err, Reason: reason}
	}
	return a.courier.Carry(ctx, plan)
}
