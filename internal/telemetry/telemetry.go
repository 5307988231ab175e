// Package telemetry says what happened: one JSON line per file, and for each
// invocation one line of metrics (CloudWatch Embedded Metric Format on Lambda,
// plain fields elsewhere). docs/operations.md has the schema. Nothing that is
// written holds a secret, for outcomes and errors hold none.
package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Logger writes log lines and metrics. It is safe for concurrent use.
type Logger struct {
	log      *slog.Logger
	plain    *slog.Logger // of metrics that are plain fields: whatever the level
	out      io.Writer
	function string // the name of the Lambda function; "" anywhere else
}

// New returns a Logger that writes to out what is at least as grave as level,
// and metrics always. function names the Lambda function and turns on the
// Embedded Metric Format.
func New(out io.Writer, level slog.Level, function string) *Logger {
	out = &lineWriter{out: out}
	return &Logger{
		log:      slog.New(tagged{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})}),
		plain:    slog.New(tagged{slog.NewJSONHandler(out, nil)}),
		out:      out,
		function: function,
	}
}

// Log is the journal as a logger; lines carry the request ID of their context.
func (j *Logger) Log() *slog.Logger { return j.log }

// File writes the line of one file.
func (j *Logger) File(ctx context.Context, o *transfer.Outcome) {
	level, attrs := slog.LevelInfo, make([]slog.Attr, 0, 16)
	add := func(a slog.Attr) { attrs = append(attrs, a) }
	add(slog.String("source", o.Plan.Item.Ref.String()))
	add(slog.String("status", o.Status()))
	if id := o.Plan.Item.ID; id != "" {
		add(slog.String("item", id))
	}
	if o.Plan.Dest.Path != "" {
		add(slog.String("env", o.Plan.Dest.Env))
		add(slog.String("path", o.Plan.Dest.Path))
	}
	switch o.Status() {
	case transfer.StatusSkipped:
		add(slog.String("reason", string(o.Reason)))
	case transfer.StatusDelivered:
		add(slog.String("fileId", o.FileID))
		add(slog.Int64("size", o.Size))
		add(slog.Any("verified", o.Verified))
	case transfer.StatusFailed:
		level = slog.LevelError
		add(slog.String("stage", string(o.Err.Stage)))
		add(slog.String("kind", string(o.Err.Kind)))
		add(slog.String("code", o.Err.Label()))
		add(slog.String("error", o.Err.What))
		add(slog.Bool("retryable", o.Err.Kind.Retryable()))
	}
	if o.Warning != "" {
		level = max(level, slog.LevelWarn)
		add(slog.String("warning", o.Warning))
	}
	if o.Status() != transfer.StatusSkipped {
		add(slog.Int("attempts", o.Attempts))
		add(slog.Int("resumes", o.Resumes))
		add(slog.Int64("durationMs", o.Took.Milliseconds()))
	}
	j.log.LogAttrs(ctx, level, "file", attrs...)
}

// Invocation writes the metrics of one invocation: its outcomes, the access
// tokens it fetched and how long it took.
func (j *Logger) Invocation(ctx context.Context, outs []transfer.Outcome, tokens int64, took time.Duration) {
	t := tally{"TokenFetches": tokens, "Duration": took.Milliseconds()}
	for _, name := range []string{"FilesDelivered", "FilesSkipped", "FilesFailed", "BytesDelivered", "Attempts", "Resumes", "TicketFetches"} {
		t[name] = int64(0)
	}
	for i := range outs {
		t.count(&outs[i])
	}
	j.metrics(ctx, t, "Function")
	for i := range outs {
		if err := outs[i].Err; err != nil {
			j.metrics(ctx, tally{"Failures": int64(1), "Kind": string(err.Kind), "Code": err.Label()}, "Function", "Kind", "Code")
		}
	}
}

// A tally is one line of metrics: numbers are metrics, text is a dimension.
type tally map[string]any

func (t tally) count(o *transfer.Outcome) {
	add := func(name string, n int64) { t[name] = t[name].(int64) + n }
	switch o.Status() {
	case transfer.StatusDelivered:
		add("FilesDelivered", 1)
		add("BytesDelivered", o.Size)
	case transfer.StatusSkipped:
		add("FilesSkipped", 1)
	case transfer.StatusFailed:
		add("FilesFailed", 1)
	}
	add("Attempts", int64(o.Attempts))
	add("Resumes", int64(o.Resumes))
	add("TicketFetches", int64(o.Tickets))
}

// metrics writes a tally with all leading runs of its dimensions: by function,
// by function and kind, by function, kind and code.
func (j *Logger) metrics(ctx context.Context, t tally, dimensions ...string) {
	if j.function == "" {
		attrs := make([]slog.Attr, 0, len(t))
		for _, name := range sorted(t) {
			attrs = append(attrs, slog.Any(name, t[name]))
		}
		j.plain.LogAttrs(ctx, slog.LevelInfo, "metrics", attrs...)
		return
	}
	type metric struct{ Name, Unit string }
	var defs []metric
	for _, name := range sorted(t) {
		if _, ok := t[name].(int64); ok {
			defs = append(defs, metric{name, unit(name)})
		}
	}
	var sets [][]string
	for n := range dimensions {
		sets = append(sets, dimensions[:n+1])
	}
	t["Function"] = j.function
	t["requestId"] = RequestID(ctx)
	t["_aws"] = map[string]any{
		"Timestamp":         time.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": "tcbferry", "Dimensions": sets, "Metrics": defs}},
	}
	if line, err := json.Marshal(t); err == nil {
		j.out.Write(append(line, '\n'))
	}
}

func unit(name string) string {
	switch name {
	case "Duration":
		return "Milliseconds"
	case "BytesDelivered":
		return "Bytes"
	}
	return "Count"
}

// lineWriter keeps the lines of loggers and metrics from mixing.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
