package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Where a function runs; see package event.
const (
	Lambda = event.HostLambda
	SCF    = event.HostSCF
)

// A Handler answers one payload.
type Handler = func(ctx context.Context, payload []byte) ([]byte, error)

// EventNotUnderstood is the error of a payload that is none of the envelopes.
// Its type name is what Lambda and SCF show as the error type.
type EventNotUnderstood struct{ why *transfer.Error }

func (e *EventNotUnderstood) Error() string { return e.why.Error() }

// Misconfigured is the error of an environment that cannot be used. It names the
// variables. On SCF, where it fails an invocation, its type name is shown.
type Misconfigured struct{ error }

// Events returns the handler of an event function. It writes its log to out. Its
// error is a Misconfigured.
func Events(ctx context.Context, host event.Host, getenv func(string) string, out io.Writer) (Handler, error) {
	c, err := config.Load(getenv)
	if err != nil {
		return nil, Misconfigured{err}
	}
	a, err := build(ctx, c, out)
	if err == nil && host == Lambda {
		err = a.checkPartCredentials(ctx)
	}
	if err != nil {
		return nil, Misconfigured{err}
	}
	a.logStart(ctx, host)
	if host == Lambda {
		a.warm(ctx)
		a.fetchToken(ctx)
	}
	return func(ctx context.Context, payload []byte) ([]byte, error) { return a.event(ctx, host, payload) }, nil
}

// event is one invocation: Decode, Plan, deliver, Reply.
func (a *app) event(ctx context.Context, host event.Host, payload []byte) (reply []byte, err error) {
	defer a.recoverPanic(ctx, func(e *transfer.Error) { err = &EventNotUnderstood{e} })
	start := time.Now()
	env, derr := event.Decode(payload, host)
	if derr != nil {
		e := transfer.AsError(ctx, transfer.StageDecode, derr)
		a.logger.Log().ErrorContext(ctx, "event not understood", "error", e.What)
		return nil, &EventNotUnderstood{e}
	}
	ctx, cancel := delivery.WithReserve(ctx, len(env.Items))
	defer cancel()
	plans := make([]transfer.Outcome, len(env.Items))
	for i, item := range env.Items {
		plans[i] = a.plan(ctx, item)
	}
	var mu sync.Mutex
	var reported []transfer.Outcome // without the copies that other items share
	outs := delivery.DeliverAll(ctx, plans, a.deliver, func(o *transfer.Outcome) {
		a.logger.File(ctx, o)
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, *o)
	})
	a.logger.Invocation(ctx, reported, a.newFetches(), time.Since(start))
	return env.Reply(outs, event.ReplyOptions{PartialBatch: a.Partial})
}

// plan routes one item. The outcome is final if the event or the routes decide
// that nothing is to be delivered.
func (a *app) plan(ctx context.Context, item transfer.Item) (o transfer.Outcome) {
	o = transfer.Outcome{Plan: transfer.Plan{Item: item}, Err: item.Err, Reason: item.Reason}
	if item.Err != nil || item.Reason != "" {
		return o
	}
	defer a.recoverPanic(ctx, func(e *transfer.Error) { o.Err = e })
	o.Plan, o.Reason, o.Err = a.Table.Plan(item)
	if log := a.logger.Log(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "plan", "source", item.Ref.String(), "why", a.Table.Why(item.Ref), "env", o.Plan.Dest.Env, "path", o.Plan.Dest.Path, "reason", o.Reason)
	}
	return o
}

// deliver is Deliverer.Deliver without its panics.
func (a *app) deliver(ctx context.Context, p transfer.Plan, sent func()) (o transfer.Outcome) {
	defer a.recoverPanic(ctx, func(e *transfer.Error) { o = transfer.Outcome{Plan: p, Err: e} })
	return a.deliverer.Deliver(ctx, p, sent)
}

// recoverPanic turns a panic into an error, so that the process and the other
// files go on. Of the panic's value only the type is logged, because the rest
// might hold a secret.
func (a *app) recoverPanic(ctx context.Context, fail func(*transfer.Error)) {
	if r := recover(); r != nil {
		a.logger.Log().ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		err := transfer.Errorf(transfer.StageOpen, transfer.KindUnavailable, "tcbferry itself failed on this; the log has the stack, please report it")
		err.Code = "Panic"
		fail(err)
	}
}
