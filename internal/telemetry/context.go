package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
)

// IDs identify one invocation: the platform's request ID and, on Lambda, the
// X-Ray trace ID. Caller is the ARN of the IAM principal that the platform has
// authenticated, "" where it names none.
type IDs struct{ Request, Trace, Caller string }

type idsKey struct{}

// WithIDs returns a context whose log lines hold the IDs.
func WithIDs(ctx context.Context, ids IDs) context.Context {
	return context.WithValue(ctx, idsKey{}, ids)
}

// RequestID returns the request ID of the context, or "".
func RequestID(ctx context.Context) string {
	ids, _ := ctx.Value(idsKey{}).(IDs)
	return ids.Request
}

// WithCaller returns a context that also names the IAM caller.
func WithCaller(ctx context.Context, arn string) context.Context {
	ids, _ := ctx.Value(idsKey{}).(IDs)
	ids.Caller = arn
	return WithIDs(ctx, ids)
}

// Caller returns the ARN of the context's IAM caller, or "".
func Caller(ctx context.Context) string {
	ids, _ := ctx.Value(idsKey{}).(IDs)
	return ids.Caller
}

// tagged adds the IDs of the context to each record.
type tagged struct{ slog.Handler }

func (h tagged) Handle(ctx context.Context, r slog.Record) error {
	ids, _ := ctx.Value(idsKey{}).(IDs)
	if ids.Request != "" {
		r.AddAttrs(slog.String("requestId", ids.Request))
	}
	if ids.Trace != "" {
		r.AddAttrs(slog.String("traceId", ids.Trace))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tagged) WithAttrs(as []slog.Attr) slog.Handler { return tagged{h.Handler.WithAttrs(as)} }
func (h tagged) WithGroup(name string) slog.Handler    { return tagged{h.Handler.WithGroup(name)} }

func sorted(m metrics) []string { return slices.Sorted(maps.Keys(m)) }
