package scheduled_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/check/scheduled"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A world is a source of keys in/0000 to in/NNNN whose every tenth file is missing in the
// storage, and a bucket and a queue that keep what they get.
type world struct {
	mu       sync.Mutex
	files    int
	call     time.Duration // how long a call for links takes
	reports  map[string]string
	messages []string
	counted  [3]int64
	asked    map[string]bool // file IDs
	queueErr error
	putErr   error
}

func key(i int) string { return fmt.Sprintf("in/%04d", i) }

func (w *world) List(_ context.Context, prefix transfer.Ref, after, _ string) (items []transfer.Item, next string, err error) {
	for i := range w.files {
		if k := key(i); k > after && strings.HasPrefix(k, prefix.Key) {
			items = append(items, transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: k}, Size: 7, ETag: "e", Time: time.Date(1999, 3, 9, 0, 0, 0, 0, time.UTC)})
		}
	}
	return items, "", nil
}

func (w *world) Ticket(_ context.Context, d transfer.Dest) (transfer.Ticket, error) {
	return transfer.Ticket{FileID: "cloud://e.b-1/" + d.Path}, nil
}

func (w *world) Links(ctx context.Context, _ string, ids []string, _ time.Duration) ([]transfer.Link, error) {
	select {
	case <-time.After(w.call):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	links := make([]transfer.Link, len(ids))
	for i, id := range ids {
		w.asked[id] = true
		links[i].URL = "https://cdn.example/" + id
		if strings.HasSuffix(id, "0") {
			links[i] = transfer.Link{Err: transfer.Errorf(transfer.StageTicket, transfer.KindNotFound, "NONEXIST")}
		}
	}
	return links, nil
}

func (w *world) Name() string { return "reports" }

func (w *world) Put(_ context.Context, key, _ string, body []byte) error {
	if w.putErr != nil {
		return w.putErr
	}
	w.reports[key] = string(body)
	return nil
}

func (w *world) Send(_ context.Context, events []string) error {
	if len(events) > scheduled.MaxBatch {
		return errors.New("too many")
	}
	if w.queueErr == nil {
		w.messages = append(w.messages, events...)
	}
	return w.queueErr
}

// pieces makes the check of a world.
func (w *world) pieces() *scheduled.Piecewise {
	w.reports, w.asked = map[string]string{}, map[string]bool{}
	return &scheduled.Piecewise{
		Checker: &check.Checker{
			Plan: func(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
				return transfer.Plan{Item: item, Dest: transfer.Dest{Env: "e", Path: item.Ref.Key}}, "", nil
			},
			Storage: func(string) check.Storage { return w },
			Head: func(context.Context, transfer.Ref) (*transfer.Object, error) {
				return &transfer.Object{Size: 7, ETag: "e"}, nil
			},
			Reader: &http.Client{Transport: new(http.Transport)},
			Quick:  true,
		},
		Lister: w, Source: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: "in/"},
		Reports: w, Prefix: "check/", Queue: w, MaxReport: 1 << 20,
		Count: func(_ context.Context, missing, different, failed int64) {
			w.counted[0] += missing
			w.counted[1] += different
			w.counted[2] += failed
		},
	}
}

// handle invokes the function with a limit of a minute.
func handle(t *testing.T, p *scheduled.Piecewise, event string) (answer string, progress scheduled.Progress, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := p.Handle(ctx, []byte(event))
	if ctx.Err() != nil {
		t.Error("the answer came after the deadline")
	}
	if err == nil {
		err = json.Unmarshal(out, &progress)
	}
	return string(out), progress, err
}

// Pieces, each with the answer of the one before, find what one check would.
func TestPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{files: 10_000, call: 2 * time.Second}
		p := w.pieces()
		var state scheduled.Progress
		event, pieces := `{"run":"2026-11-26T01:00:00.123Z"}`, 0
		for ; !state.Done && pieces < 100; pieces++ {
			after := state.After
			var err error
			if event, state, err = handle(t, p, event); err != nil {
				t.Fatal(err)
			}
			if !state.Done && state.After <= after {
				t.Fatalf("piece %d goes on after %q, the one before after %q", pieces, state.After, after)
			}
		}
		if !state.Done || pieces < 2 || state.Piece != pieces || state.Same != 9000 || state.Missing != 1000 || state.Sent != 1000 || state.Reports != "s3://reports/check/2026-11-26T01-00-00.123Z/" {
			t.Errorf("after %d pieces %+v", pieces, state)
		}
		var lines, manifest string
		for i := range pieces {
			lines += w.reports[fmt.Sprintf("check/2026-11-26T01-00-00.123Z/%05d.txt", i+1)]
			manifest += w.reports[fmt.Sprintf("check/2026-11-26T01-00-00.123Z/%05d.csv", i+1)]
		}
		var wantLines, wantManifest string
		for i := range 1000 {
			wantLines += "+ s3://b/" + key(10*i) + "\n"
			wantManifest += "b," + key(10*i) + "\n"
		}
		if lines != wantLines || manifest != wantManifest || w.reports["check/2026-11-26T01-00-00.123Z/summary.json"] != event {
			t.Errorf("the reports hold %d and %d bytes, want %d and %d", len(lines), len(manifest), len(wantLines), len(wantManifest))
		}
		if len(w.messages) != 1000 || w.messages[1] != `{"version":"0","detail-type":"Object Created","source":"aws.s3","time":"1999-03-09T00:00:00Z","detail":{"bucket":{"name":"b"},"object":{"key":"in/0010"},"reason":"tcbferry check"}}` {
			t.Errorf("%d messages, one is %s", len(w.messages), w.messages[1])
		}
		if w.counted != [3]int64{1000, 0, 0} {
			t.Errorf("counted %v", w.counted)
		}
	})
}

// A piece whose report is full ends before the next line, which the piece after it has.
func TestFullReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{files: 3000}
		p := w.pieces()
		p.Queue, p.MaxReport = nil, 1000
		event, lines, pieces := "{}", 0, 0
		for state := (scheduled.Progress{}); !state.Done && pieces < 10; pieces++ {
			var err error
			if event, state, err = handle(t, p, event); err != nil {
				t.Fatal(err)
			}
		}
		for name, body := range w.reports {
			if len(body) > 1020 {
				t.Errorf("%s has %d bytes", name, len(body))
			}
			if strings.HasSuffix(name, ".txt") {
				lines += strings.Count(body, "\n")
			}
		}
		if pieces < 2 || lines != 300 || w.counted[0] != 300 {
			t.Errorf("%d pieces, %d lines, %d counted", pieces, lines, w.counted[0])
		}
	})
}

// The rows of an inventory are a piece of their own.
func TestBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{files: 1}
		p := w.pieces()
		event := `{"BatchInput":{"bucket":"b","run":"r"},"Items":[{"Bucket":"b","Key":"in/%30%31%310","LastModifiedDate":"1999-03-09T00:00:00Z","Size":"7"},{"Bucket":"b","Key":"in/%30+11"},{"Bucket":"b","Key":"out/0020"},{"Bucket":"c","Key":"in/0020"}]}`
		_, state, err := handle(t, p, event)
		if err != nil || !state.Done || state.Same != 1 || state.Missing != 1 || !w.asked["cloud://e.b-1/in/0 11"] || len(w.messages) != 1 || len(w.reports) != 2 {
			t.Fatalf("%+v, %v, %d messages, reports %v", state, err, len(w.messages), w.reports)
		}
		first := fmt.Sprint(w.reports)
		if _, _, err := handle(t, p, event); err != nil || fmt.Sprint(w.reports) != first || !strings.Contains(first, "+ s3://b/in/0110\n") {
			t.Errorf("a second try makes other reports: %v, %v", err, w.reports)
		}
	})
}

// What cannot be written or sent is an error, so that the piece comes again.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event  string
		change func(*world, *scheduled.Piecewise)
		want   string
	}{
		"no JSON":       {"[]", func(*world, *scheduled.Piecewise) {}, "the event is no JSON object; send {} to begin a check"},
		"queue":         {"{}", func(w *world, _ *scheduled.Piecewise) { w.queueErr = errors.New("AccessDenied") }, "what is to be delivered again could not be sent to the queue: AccessDenied"},
		"bucket":        {"{}", func(w *world, _ *scheduled.Piecewise) { w.putErr = errors.New("the report cannot be written") }, "the report cannot be written"},
		"too slow":      {"{}", func(w *world, _ *scheduled.Piecewise) { w.call = time.Hour }, "not a single file could be compared in the time of an invocation; give the function a longer timeout"},
		"batch, slow":   {`{"Items":[{"Bucket":"b","Key":"in/1"}]}`, func(w *world, _ *scheduled.Piecewise) { w.call = time.Hour }, "the time of an invocation was not enough; send fewer items at a time"},
		"batch, empty":  {`{"Items":[],"BatchInput":{"bucket":"b"}}`, func(*world, *scheduled.Piecewise) {}, "decode: Items is empty"},
		"batch, no map": {`{"Items":7}`, func(*world, *scheduled.Piecewise) {}, "decode: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{files: 100}
				p := w.pieces()
				tc.change(w, p)
				_, _, err := handle(t, p, tc.event)
				if err == nil || !strings.HasPrefix(err.Error(), tc.want) || w.counted != [3]int64{} || len(w.reports) != 0 {
					t.Errorf("%v, want %q; counted %v, reports %v", err, tc.want, w.counted, w.reports)
				}
			})
		})
	}
}
