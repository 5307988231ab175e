package check_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A world is a source and a storage, both in memory. Links lead to its RoundTrip.
type world struct {
	mu      sync.Mutex
	items   []transfer.Item
	stored  map[string]http.Header // by cloud path: what a HEAD answers
	known   map[string]time.Time   // when the storage knows a file, if not at once
	calls   []int                  // how many files each call of Links named
	most    map[string]int         // the most of each kind at once
	active  map[string]int
	tickets int
	heads   int // of sources
	read    int // items that Check has taken

	refuse  func(ids []string) error                  // Links
	answer  func(path string) (*http.Response, error) // RoundTrip
	source  map[string]*transfer.Object               // Head; others are as listed
	failing map[string]error                          // Head
}

func newWorld(keys ...string) *world {
	w := &world{stored: map[string]http.Header{}, known: map[string]time.Time{}, most: map[string]int{}, active: map[string]int{}, source: map[string]*transfer.Object{}, failing: map[string]error{}}
	for _, key := range keys {
		w.add(key)
	}
	return w
}

const (
	sum      = "9a0364b9e99bb480dd25e1f0284c8555"
	otherSum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// add puts a key into the source and the same file into the storage.
func (w *world) add(key string) *transfer.Item {
	w.items = append(w.items, transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: key}, Size: 7, ETag: sum, Time: time.Now()})
	w.stored[key] = http.Header{"Content-Length": {"7"}, "Etag": {`"` + sum + `"`}, "X-Cos-Hash-Crc64ecma": {"11051210869376104954"}}
	return &w.items[len(w.items)-1]
}

func (w *world) enter(kind string) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active[kind]++
	w.most[kind] = max(w.most[kind], w.active[kind])
	return func() { w.mu.Lock(); w.active[kind]--; w.mu.Unlock() }
}

func (w *world) Ticket(_ context.Context, d transfer.Dest) (transfer.Ticket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tickets++
	return transfer.Ticket{FileID: "cloud://" + d.Env + ".bucket-1/" + d.Path}, nil
}

func (w *world) Links(_ context.Context, env string, ids []string, _ time.Duration) ([]transfer.Link, error) {
	defer w.enter("links")()
	time.Sleep(100 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, len(ids))
	if w.refuse != nil {
		if err := w.refuse(ids); err != nil {
			return nil, err
		}
	}
	links := make([]transfer.Link, len(ids))
	for i, id := range ids {
		path, ok := strings.CutPrefix(id, "cloud://"+env+".bucket-1/")
		if _, stored := w.stored[path]; !ok || !stored || time.Now().Before(w.known[path]) {
			links[i].Err = transfer.Errorf(transfer.StageTicket, transfer.KindNotFound, "NONEXIST")
			continue
		}
		links[i].URL = "https://cdn.example/" + path + "?sign=secret"
	}
	return links, nil
}

func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	defer w.enter("heads")()
	select {
	case <-time.After(100 * time.Millisecond):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	path := strings.TrimPrefix(req.URL.Path, "/")
	if w.answer != nil {
		if resp, err := w.answer(path); resp != nil || err != nil {
			return resp, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &http.Response{StatusCode: 200, Header: w.stored[path].Clone(), Body: http.NoBody}, nil
}

func (w *world) Head(_ context.Context, ref transfer.Ref) (*transfer.Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heads++
	if err := w.failing[ref.Key]; err != nil {
		return nil, err
	}
	if o := w.source[ref.Key]; o != nil {
		return o, nil
	}
	return &transfer.Object{Size: 7, ETag: sum, MD5: sum}, nil
}

func (w *world) Items() check.Items {
	return func(context.Context) iter.Seq2[transfer.Item, error] {
		return func(yield func(transfer.Item, error) bool) {
			for _, item := range w.items {
				w.mu.Lock()
				w.read++
				w.mu.Unlock()
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// checker plans each key for its own path in env. Keys that end in / are folders; those
// in bad/ can never be delivered; those in two/ go to another environment.
func (w *world) checker() *check.Checker {
	return &check.Checker{
		Plan: func(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
			p := transfer.Plan{Item: item, Dest: transfer.Dest{Env: "env", Path: item.Ref.Key}}
			switch key := item.Ref.Key; {
			case strings.HasSuffix(key, "/"):
				return p, transfer.ReasonFolder, nil
			case strings.HasPrefix(key, "bad/"):
				return p, "", transfer.Errorf(transfer.StageRoute, transfer.KindRefused, "the cloud path is refused")
			case strings.HasPrefix(key, "two/"):
				p.Dest.App, p.Dest.Env = "app2", "env2"
			}
			return p, "", nil
		},
		Storage: func(string) check.Storage { return w },
		Head:    w.Head,
		Reader:  &http.Client{Transport: w},
	}
}

// run checks everything and returns the lines without "s3://b/".
func (w *world) run(c *check.Checker) (lines []string, s check.Summary, err error) {
	s, err = c.Check(context.Background(), w.Items(), func(r check.Result) error {
		lines = append(lines, strings.Replace(r.String(), "s3://b/", "", 1))
		return nil
	})
	return lines, s, err
}

// expect runs the check in a bubble of its own time.
func expect(t *testing.T, want string, prepare func(*world, *check.Checker)) (w *world, s check.Summary) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld()
		c := w.checker()
		prepare(w, c)
		lines, summary, err := w.run(c)
		if got := strings.Join(lines, ", "); err != nil || got != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
		s = summary
	})
	return w, s
}
