// Package telemetry says what happened: one JSON line per file, and for each
// invocation one line of metrics (CloudWatch Embedded Metric Format on Lambda,
// plain fields elsewhere). docs/reference/log.md has the schema. Nothing that is
// written holds a secret, because outcomes and errors hold none.
package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"strings"
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

// New returns a Logger. It writes records at or above level to out, and metrics
// whatever the level. function names the Lambda function and turns on the Embedded
// Metric Format.
func New(out io.Writer, level slog.Level, function string) *Logger {
	out = &lineWriter{out: out}
	return &Logger{
		log:      slog.New(tagged{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})}),
		plain:    slog.New(tagged{slog.NewJSONHandler(out, nil)}),
		out:      out,
		function: function,
	}
}

// Log returns the plain logger; its lines hold the request ID of their context.
func (l *Logger) Log() *slog.Logger { return l.log }

// Audit is Log for lines that are written whatever the level is.
func (l *Logger) Audit() *slog.Logger { return l.plain }

// Refusal counts a request that was answered 401 or 403.
func (l *Logger) Refusal(ctx context.Context, status int) {
	l.write(ctx, metrics{"Refusals": int64(1), "Status": strconv.Itoa(status)}, "Function", "Status")
}

// Check writes the metrics of a piece of a check.
func (l *Logger) Check(ctx context.Context, missing, different, failed int64) {
	l.write(ctx, metrics{"CheckMissing": missing, "CheckDifferent": different, "CheckFailed": failed}, "Function")
}

// File writes the line of one file.
func (l *Logger) File(ctx context.Context, o *transfer.Outcome) {
	level, attrs := slog.LevelInfo, make([]slog.Attr, 0, 19) // room for every field of a line
	add := func(a slog.Attr) { attrs = append(attrs, a) }
	if ref := o.Plan.Item.Ref; ref != (transfer.Ref{}) {
		add(slog.String("source", ref.String()))
	}
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
		add(slog.String("code", code(o.Err)))
		add(slog.String("help", transfer.Help(code(o.Err))))
		add(slog.String("error", o.Err.What))
		add(slog.Bool("retryable", o.Err.Kind.Retryable()))
	}
	if o.Receipts != nil {
		add(slog.Any("receipts", o.Receipts))
	}
	if o.Warning != "" {
		level = max(level, slog.LevelWarn)
		add(slog.String("warning", o.Warning))
	}
	if o.Status() != transfer.StatusSkipped {
		add(slog.Int("attempts", o.Attempts))
		add(slog.Int("resumes", o.Resumes))
		if o.Parts > 0 {
			add(slog.Int("parts", o.Parts))
			add(slog.Int("resumedParts", o.ResumedParts))
		}
		add(slog.Int64("durationMs", o.Took.Milliseconds()))
	}
	l.log.LogAttrs(ctx, level, "file", attrs...)
}

// code is the error's label, made fit for a dimension of CloudWatch, which takes
// ASCII only: a store may name its codes as it likes, at any length.
func code(err *transfer.Error) string {
	const most = 64 // twice the longest known code
	label := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, err.Label())
	if label == "" {
		return string(err.Kind)
	}
	return label[:min(len(label), most)]
}

// Invocation writes the metrics of one invocation: one line for its outcomes, and
// one for each failure of a file, a receiver or ON_DELIVERED. An outcome that several items share is in outs once.
// tokens is how many access tokens were fetched.
func (l *Logger) Invocation(ctx context.Context, outs []transfer.Outcome, tokens int64, took time.Duration) {
	m := metrics{"TokenFetches": tokens, "Duration": took.Milliseconds()}
	for _, name := range []string{"FilesDelivered", "FilesSkipped", "FilesFailed", "BytesDelivered", "Attempts", "Resumes", "TicketFetches", "Parts", "ResumedParts"} {
		m[name] = int64(0)
	}
	for i := range outs {
		m.count(&outs[i])
	}
	l.write(ctx, m, "Function")
	for i := range outs {
		for _, name := range outs[i].Untold {
			kind, _, _ := strings.Cut(name, ":")
			l.write(ctx, metrics{"ReceiptFailures": int64(1), "Receiver": kind}, "Function", "Receiver")
		}
		if outs[i].Unsettled {
			l.write(ctx, metrics{"SettleFailures": int64(1)}, "Function")
		}
		if err := outs[i].Err; err != nil {
			l.write(ctx, metrics{"Failures": int64(1), "Kind": string(err.Kind), "Code": code(err)}, "Function", "Kind", "Code")
		}
	}
}

// metrics are one line: numbers are metrics, text is a dimension.
type metrics map[string]any

func (m metrics) count(o *transfer.Outcome) {
	add := func(name string, n int64) { m[name] = m[name].(int64) + n }
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
	add("Parts", int64(o.Parts))
	add("ResumedParts", int64(o.ResumedParts))
}

// write writes a line of metrics with all leading runs of its dimensions: by
// function, by function and kind, by function, kind and code.
func (l *Logger) write(ctx context.Context, m metrics, dimensions ...string) {
	if l.function == "" {
		attrs := make([]slog.Attr, 0, len(m))
		for _, name := range sorted(m) {
			attrs = append(attrs, slog.Any(name, m[name]))
		}
		l.plain.LogAttrs(ctx, slog.LevelInfo, "metrics", attrs...)
		return
	}
	type metric struct{ Name, Unit string }
	var defs []metric
	for _, name := range sorted(m) {
		if _, ok := m[name].(int64); ok {
			defs = append(defs, metric{name, unit(name)})
		}
	}
	var sets [][]string
	for n := range dimensions {
		sets = append(sets, dimensions[:n+1])
	}
	m["Function"] = l.function
	m["requestId"] = RequestID(ctx)
	m["_aws"] = map[string]any{
		"Timestamp":         time.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": "tcbferry", "Dimensions": sets, "Metrics": defs}},
	}
	if line, err := json.Marshal(m); err == nil {
		l.out.Write(append(line, '\n'))
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
