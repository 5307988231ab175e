// Package scheduled runs a check in pieces, each of which is one invocation of a function.
// The answer of a piece is the event of the next one, so that a state machine can go on
// until Done:
//
//	{"run":"2026-11-26"} -> {"run":…,"piece":1,"after":"in/k","done":false,"missing":3,…} -> … "done":true
//
// The event may also be a batch of a Step Functions Distributed Map, with the rows of an S3
// inventory. Then the piece is the batch, and BatchInput.run its run.
//
// A piece writes what is not the same into a bucket: PIECE.txt holds the lines of the report,
// PIECE.csv a manifest for S3 Batch Operations. Both are missing where everything is the
// same. The last piece writes summary.json, which is its answer.
package scheduled

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Progress is the event and the answer of a piece. The counts are of all pieces so far.
type Progress struct {
	Run     string `json:"run"`       // names the reports; by default the time
	Piece   int    `json:"piece"`     // how many have been done
	After   string `json:"after"`     // the key to go on behind
	Done    bool   `json:"done"`      // nothing is left
	Reports string `json:"reports"`   // where they are, as s3://bucket/prefix/
	Same    int64  `json:"same"`      //
	Missing int64  `json:"missing"`   // in CloudBase's storage
	Changed int64  `json:"different"` //
	Failed  int64  `json:"failed"`    // could not be compared, or can never be delivered
	Skipped int64  `json:"skipped"`   // folders, excluded and unrouted keys
	Sent    int64  `json:"sent"`      // to the queue
}

// A Piecewise check is what Handle needs.
type Piecewise struct {
	Checker *check.Checker
	Lister  check.Lister
	Source  transfer.Ref // what is checked: a bucket and a prefix of its keys
	Reports Bucket
	Prefix  string // of the reports' keys, with a slash at its end
	Queue   Queue  // gets what is missing or different; nil: nothing is sent
	// MaxReport is the size in bytes at which a piece ends, because its report is held in
	// memory.
	MaxReport int
	// Count is told what a piece has found.
	Count func(ctx context.Context, missing, different, failed int64)
}

// A Bucket takes the reports.
type Bucket interface {
	Name() string
	Put(ctx context.Context, key, contentType string, body []byte) error
}

// A Queue takes events of objects, at most MaxBatch at once.
type Queue interface {
	Send(ctx context.Context, events []string) error
}

const (
	// MaxBatch is the most messages of one SendMessageBatch.
	MaxBatch = 10
	// maxReport holds some 100,000 lines, and is a small part of the function's memory.
	maxReport = 16 << 20
	// reserve is what a piece leaves of its time for the report; a guess.
	reserve = 20 * time.Second
)

// errUnfinished is the error of a piece that another one is to go on from: its time was up,
// or its report has become large.
var errUnfinished = errors.New("the time of an invocation was not enough; send fewer items at a time")

// Handle does one piece. It ends in time to say where the next one goes on. Its error says
// that nothing was found out, so that the same event may be sent again.
func (w *Piecewise) Handle(ctx context.Context, payload []byte) ([]byte, error) {
	var doc struct {
		Progress
		Items      json.RawMessage
		BatchInput struct{ Run string }
	}
	if err := json.Unmarshal(payload, &doc); err != nil {
		return nil, errors.New("the event is no JSON object; send {} to begin a check")
	}
	p := doc.Progress
	if doc.Items != nil {
		return w.batch(ctx, payload, doc.BatchInput.Run)
	}
	p.Run = runName(p.Run)
	p.Piece++
	found, err := w.piece(ctx, w.Checker, check.List(w.Lister, w.Source, p.After), &p, fmt.Sprintf("%05d", p.Piece))
	switch {
	case err == nil:
		p.Done = true
	case !errors.Is(err, errUnfinished):
		return nil, err
	case found.After == "" || found.After == p.After:
		return nil, errors.New("not a single file could be compared in the time of an invocation; give the function a longer timeout")
	default:
		p.After = found.After
	}
	answer, err := json.Marshal(p)
	if err == nil && p.Done {
		err = w.Reports.Put(ctx, w.Prefix+p.Run+"/summary.json", "application/json", answer)
	}
	return answer, err
}

// batch checks the rows of an inventory, whose keys are always form-encoded
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html). Some
// rows may be out of date.
func (w *Piecewise) batch(ctx context.Context, payload []byte, run string) ([]byte, error) {
	env, derr := event.Decode(payload, event.HostLambda)
	if derr != nil {
		return nil, derr
	}
	items := func(context.Context) iter.Seq2[transfer.Item, error] {
		return func(yield func(transfer.Item, error) bool) {
			for _, item := range env.Items {
				if item.Err != nil {
					yield(item, item.Err)
					return
				}
				if item.AltKey != "" {
					item.Ref.Key, item.AltKey = item.AltKey, ""
				}
				if item.Ref.Bucket == w.Source.Bucket && strings.HasPrefix(item.Ref.Key, w.Source.Key) && item.Reason == "" && !yield(item, nil) {
					return
				}
			}
		}
	}
	checker := *w.Checker
	checker.Confirm = true
	p := Progress{Run: runName(run), Piece: 1, Done: true}
	if _, err := w.piece(ctx, &checker, items, &p, batchName(env.Items[0])); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// piece checks items until there is no time left, writes the report, and adds what it found
// to p.
func (w *Piecewise) piece(ctx context.Context, checker *check.Checker, items check.Items, p *Progress, name string) (check.Summary, error) {
	limited, cancel := withReserve(ctx)
	defer cancel()
	r := &report{queue: w.Queue, most: w.MaxReport}
	found, err := checker.Check(limited, items, func(result check.Result) error { return r.add(ctx, result) })
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = errUnfinished
	}
	if err != nil && !errors.Is(err, errUnfinished) {
		return found, err
	}
	folder := w.Prefix + p.Run + "/"
	if failed := errors.Join(r.flush(ctx), r.put(ctx, w.Reports, folder+name)); failed != nil {
		return found, failed
	}
	w.Count(ctx, found.Missing, found.Different, found.Failed)
	p.Reports = "s3://" + w.Reports.Name() + "/" + folder
	p.Same += found.Same
	p.Missing += found.Missing
	p.Changed += found.Different
	p.Failed += found.Failed
	p.Skipped += found.Skipped
	p.Sent += r.sent
	return found, err
}

// withReserve leaves some of ctx's time, a third at most.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(reserve, time.Until(deadline)/3)))
}

// runName makes a run's name fit for a key. A state machine gives the time of its start.
func runName(run string) string {
	if run == "" {
		run = time.Now().UTC().Format(time.RFC3339)
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, run)
}
