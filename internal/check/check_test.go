package check_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
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
	running int                    // calls and HEADs under way
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
	time.Sleep(100 * time.Millisecond)
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

func TestEveryState(t *testing.T) {
	t.Parallel()
	w, s := expect(t, "= a, + b, * c, ! bad/d, = e, = two/f", func(w *world, c *check.Checker) {
		for _, key := range []string{"a", "b", "c", "bad/d", "e", "folder/", "two/f"} {
			w.add(key)
		}
		delete(w.stored, "b")
		w.stored["c"].Set("Content-Length", "8")
	})
	if want := (check.Summary{Same: 3, Missing: 1, Different: 1, Failed: 1, Skipped: 1, After: "two/f"}); s != want || s.Clean() || s.Checked() != 6 {
		t.Errorf("%+v", s)
	}
	if w.tickets != 2 {
		t.Errorf("%d tickets for two environments", w.tickets)
	}
}

// What is compared, and when the source is asked as well.
func TestComparison(t *testing.T) {
	t.Parallel()
	const multipart, crc = sum + "-2", "11051210869376104954"
	cos := func(item *transfer.Item) { item.Ref.Scheme = transfer.SchemeCOS }
	for name, tc := range map[string]struct {
		item   func(*transfer.Item)
		stored map[string]string // headers to replace; "" removes
		source *transfer.Object
		want   check.State
		heads  int
	}{
		"MD5 equal":                    {want: '='},
		"MD5 in capitals":              {item: func(i *transfer.Item) { i.ETag = strings.ToUpper(sum) }, want: '='},
		"MD5 differs":                  {stored: map[string]string{"Etag": otherSum}, want: '*', heads: 1},
		"size differs":                 {stored: map[string]string{"Content-Length": "6"}, want: '*', heads: 1},
		"size unknown, MD5 equal":      {stored: map[string]string{"Content-Length": ""}, want: '='},
		"sizes alone":                  {item: func(i *transfer.Item) { i.ETag = multipart }, want: '='},
		"sizes alone, CDN hides ETag":  {stored: map[string]string{"Etag": "", "X-Cos-Hash-Crc64ecma": ""}, want: '='},
		"weak ETag is none":            {stored: map[string]string{"Etag": `W/"` + otherSum + `"`}, want: '='},
		"nothing to compare":           {stored: map[string]string{"Etag": "", "X-Cos-Hash-Crc64ecma": "", "Content-Length": ""}, want: '!'},
		"stored with KMS":              {stored: map[string]string{"Etag": otherSum, "X-Cos-Server-Side-Encryption": "cos/kms"}, want: '='},
		"source with KMS":              {stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: sum}, want: '=', heads: 1},
		"replaced since it was listed": {stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: otherSum, MD5: otherSum}, want: '=', heads: 1},
		"size not listed":              {item: func(i *transfer.Item) { i.Size, i.ETag = -1, "" }, want: '=', heads: 1},
		"ETag not listed":              {item: func(i *transfer.Item) { i.ETag = "" }, stored: map[string]string{"Etag": otherSum}, want: '*', heads: 1},
		"COS, MD5 equal":               {item: cos, want: '='},
		"COS, CRC64 equal":             {item: func(i *transfer.Item) { cos(i); i.ETag = multipart }, source: &transfer.Object{Size: 7, ETag: multipart, CRC64: crc}, want: '=', heads: 1},
		"COS, CRC64 differs":           {item: func(i *transfer.Item) { cos(i); i.ETag = multipart }, source: &transfer.Object{Size: 7, ETag: multipart, CRC64: "1"}, want: '*', heads: 1},
		"COS, CRC64 decides over MD5":  {item: cos, stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: sum, CRC64: crc}, want: '=', heads: 1},
		"COS without CRC64":            {item: cos, stored: map[string]string{"Etag": otherSum, "X-Cos-Hash-Crc64ecma": ""}, source: &transfer.Object{Size: 7, ETag: sum}, want: '*', heads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				item := w.add("a")
				if tc.item != nil {
					tc.item(item)
				}
				for h, v := range tc.stored {
					if w.stored["a"].Set(h, v); v == "" {
						w.stored["a"].Del(h)
					}
				}
				w.source["a"] = tc.source
				var got check.Result
				_, err := w.checker().Check(t.Context(), w.Items(), func(r check.Result) error { got = r; return nil })
				if err != nil || got.State != tc.want || w.heads != tc.heads || (got.Why == "") != (tc.want == '=') {
					t.Errorf("%c %q after %d requests to the source, want %c after %d (%v)", got.State, got.Why, w.heads, tc.want, tc.heads, err)
				}
			})
		})
	}
}

func TestSourceGoneMeanwhile(t *testing.T) {
	t.Parallel()
	_, s := expect(t, "= a, + d", func(w *world, c *check.Checker) {
		gone := transfer.Errorf(transfer.StageOpen, transfer.KindNotFound, "gone")
		for _, key := range []string{"a", "b", "c", "d"} {
			w.add(key)
		}
		w.stored["b"].Set("Content-Length", "9")
		delete(w.stored, "c")
		delete(w.stored, "d")
		w.failing["b"], w.failing["c"] = gone, gone
		c.Confirm = true
	})
	if s.Skipped != 2 {
		t.Errorf("%+v", s)
	}
}

// A source that cannot be asked does not end the check.
func TestSourceUnreadable(t *testing.T) {
	t.Parallel()
	expect(t, "! a, = b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b")
		w.stored["a"].Set("Content-Length", "9")
		w.failing["a"] = transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "no permission")
	})
}

func TestTooLargeForOnePiece(t *testing.T) {
	t.Parallel()
	expect(t, "! a, ! b, = c, + d", func(w *world, c *check.Checker) {
		for _, key := range []string{"a", "b", "c", "d"} {
			w.add(key).Size = 11
			w.stored[key].Set("Content-Length", "11")
		}
		w.items[3].Size = 10
		delete(w.stored, "a")
		delete(w.stored, "d")
		w.stored["b"].Set("Content-Length", "3")
		w.source["b"] = &transfer.Object{Size: 11}
		c.MaxSize = 10
	})
}

func TestQuickReadsNoLink(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, + b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b")
		delete(w.stored, "b")
		c.Quick = true
	})
	if w.most["heads"] != 0 || w.heads != 0 {
		t.Errorf("%v HEADs, %d requests to the source", w.most, w.heads)
	}
}

// A file that was delivered just now is asked for again; one whose source is old is not.
func TestNotKnownYet(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, = b, + old, + never", func(w *world, c *check.Checker) {
		start := time.Now()
		for _, key := range []string{"a", "b", "old", "never"} {
			w.add(key)
		}
		w.known["a"] = start.Add(3 * time.Second)
		w.known["b"] = start.Add(10 * time.Second)
		w.items[2].Time = start.Add(-time.Hour)
		w.known["old"] = start.Add(time.Second)
		delete(w.stored, "never")
	})
	if got := fmt.Sprint(w.calls); got != "[4 3 3 3 2 2]" {
		t.Errorf("calls for %s files", got)
	}
}

// Nobody waits again and again for files that were never delivered.
func TestWaitingInVainEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 20_000 {
			w.add(fmt.Sprintf("%06d", i))
		}
		clear(w.stored)
		start := time.Now()
		_, s, err := w.run(w.checker())
		if took := time.Since(start); err != nil || s.Missing != 20_000 || took > 2*time.Minute {
			t.Errorf("%+v in %v (%v)", s, took, err)
		}
	})
}

func TestThrottledIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("a", "b")
		start := time.Now()
		w.refuse = func([]string) error {
			if time.Since(start) > 50*time.Second {
				return nil
			}
			return transfer.Errorf(transfer.StageTicket, transfer.KindThrottled, "45011")
		}
		lines, _, err := w.run(w.checker())
		if err != nil || strings.Join(lines, " ") != "= a = b" || time.Since(start) < 50*time.Second || len(w.calls) > 10 {
			t.Errorf("%v %v after %v, %d calls", lines, err, time.Since(start), len(w.calls))
		}
	})
}

// What ends a check, and how fast.
func TestErrorsEndTheCheck(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]transfer.Kind{"refused": transfer.KindDenied, "out of order": transfer.KindUnavailable, "throttled for ever": transfer.KindThrottled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				for i := range 3000 {
					w.add(fmt.Sprintf("%04d", i))
				}
				failure := transfer.Errorf(transfer.StageTicket, kind, "no")
				calls := 0
				w.refuse = func([]string) error {
					if calls++; calls <= 10 {
						return nil
					}
					return failure
				}
				lines, s, err := w.run(w.checker())
				if !errors.Is(err, failure) || len(lines) > 500 || int(s.Same) != len(lines) || s.After != fmt.Sprintf("%04d", len(lines)-1) {
					t.Errorf("%d lines, %+v, %v", len(lines), s, err)
				}
			})
		})
	}
}

// A storage that takes fewer files a call, and one path that it refuses.
func TestRefusedCallsAreHalved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 40 {
			w.add(fmt.Sprintf("%02d", i))
		}
		w.refuse = func(ids []string) error {
			if len(ids) > 20 || strings.Contains(strings.Join(ids, " "), "/17") {
				return transfer.Errorf(transfer.StageTicket, transfer.KindRefused, "parameter")
			}
			return nil
		}
		lines, s, err := w.run(w.checker())
		if err != nil || s.Same != 39 || s.Failed != 1 || lines[17] != "! 17" {
			t.Errorf("%v %+v %v", lines, s, err)
		}
	})
}

func TestLinksThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		err    error
		want   string
		why    string
	}{
		"not found":     {404, nil, "+ a, = b", "HTTP 404"},
		"forbidden":     {403, nil, "! a, = b", "HTTP 403; check the environment's storage permissions"},
		"out of order":  {500, nil, "! a, = b", "HTTP 500; try again later"},
		"no connection": {0, errors.New("dial https://cdn.example/a?sign=secret"), "! a, = b", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := expect(t, tc.want, func(w *world, c *check.Checker) {
				w.add("a")
				w.add("b")
				w.answer = func(path string) (*http.Response, error) {
					if path == "b" {
						return nil, nil
					}
					if tc.err != nil {
						return nil, tc.err
					}
					return &http.Response{StatusCode: tc.status, Header: http.Header{}, Body: http.NoBody}, nil
				}
			})
			synctest.Test(t, func(t *testing.T) {
				var why string
				w.items = w.items[:1]
				w.items[0].Time = time.Now()
				w.checker().Check(t.Context(), w.Items(), func(r check.Result) error { why = r.Why; return nil })
				if !strings.Contains(why, tc.why) || strings.Contains(why, "secret") {
					t.Errorf("%q", why)
				}
			})
		})
	}
}

// A CDN that is down ends the check, before each of a million files is tried four times.
func TestNoLinkCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 3000 {
			w.add(fmt.Sprintf("%04d", i))
		}
		w.answer = func(string) (*http.Response, error) { return nil, errors.New("down") }
		lines, _, err := w.run(w.checker())
		if err == nil || !strings.Contains(err.Error(), "CDN") || len(lines) > 60 {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	})
}

// However many files there are, the calls are full, few things are under way at once, and
// the check is never far ahead of its report.
func TestBounds(t *testing.T) {
	t.Parallel()
	const n = 20_000
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range n {
			w.add(fmt.Sprintf("%06d", i)).Time = time.Time{}
		}
		w.answer = func(path string) (*http.Response, error) { // one that holds up all others
			if path == "000777" {
				time.Sleep(20 * time.Second)
			}
			return nil, nil
		}
		reported, ahead := 0, 0
		s, err := w.checker().Check(t.Context(), w.Items(), func(r check.Result) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if r.Item.Ref.Key != fmt.Sprintf("%06d", reported) {
				t.Fatalf("%s is reported as number %d", r.Item.Ref.Key, reported)
			}
			ahead = max(ahead, w.read-reported)
			reported++
			return nil
		})
		if err != nil || s.Same != n || len(w.calls) != n/50 {
			t.Errorf("%+v %v, %d calls", s, err, len(w.calls))
		}
		if w.most["heads"] != 16 || w.most["links"] > 4 || ahead > 2100 {
			t.Errorf("at once: %v; ahead by %d", w.most, ahead)
		}
	})
}

// Two destinations that take turns each get full calls, and a rare one does not hold up
// the other.
func TestInterleavedDestinations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var want []string
		for i := range 10_000 {
			key := fmt.Sprintf("one/%06d", i)
			if i%2 == 0 || i == 4001 {
				key = fmt.Sprintf("two/%06d", i)
			}
			w.add(key)
			want = append(want, "= "+key)
		}
		c := w.checker()
		c.Quick = true
		lines, _, err := w.run(c)
		if err != nil || strings.Join(lines, "\n") != strings.Join(want, "\n") || len(w.calls) > 202 {
			t.Errorf("%d lines, %d calls, %v", len(lines), len(w.calls), err)
		}
	})
}

func TestOneRareDestination(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("two/a")
		for i := range 10_000 {
			w.add(fmt.Sprintf("z%06d", i))
		}
		_, s, err := w.run(w.checker())
		if err != nil || s.Same != 10_001 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// Keys that are planned for one path are asked for once.
func TestTwoKeysForOnePath(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, * b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b").ETag = otherSum
		w.source["b"] = &transfer.Object{Size: 7, ETag: otherSum, MD5: otherSum}
		c.Plan = func(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
			return transfer.Plan{Item: item, Dest: transfer.Dest{Env: "env", Path: "a"}}, "", nil
		}
	})
	if fmt.Sprint(w.calls) != "[1]" {
		t.Errorf("calls for %v files", w.calls)
	}
}

// An interrupted check says where to go on, and nothing before that is left out.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 5000 {
			w.add(strconv.Itoa(10_000 + i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var keys []string
		tell := func(r check.Result) error { keys = append(keys, r.Item.Ref.Key); return nil }
		s, err := w.checker().Check(ctx, w.Items(), tell)
		if !errors.Is(err, context.DeadlineExceeded) || s.After != keys[len(keys)-1] || len(keys) < 1000 {
			t.Fatalf("%+v %v after %d results", s, err, len(keys))
		}
		w.items = w.items[len(keys):]
		if _, err := w.checker().Check(t.Context(), w.Items(), tell); err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			if key != strconv.Itoa(10_000+i) {
				t.Fatalf("number %d is %s", i, key)
			}
		}
		if len(keys) != 5000 {
			t.Errorf("%d results", len(keys))
		}
	})
}

func TestReportEndsTheCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("a", "b", "c")
		full := errors.New("no space left")
		s, err := w.checker().Check(t.Context(), w.Items(), func(r check.Result) error {
			if r.Item.Ref.Key == "b" {
				return full
			}
			return nil
		})
		if !errors.Is(err, full) || s.After != "a" {
			t.Errorf("%+v %v", s, err)
		}
	})
}

// pages is a Lister of three pages. The second fails twice.
type pages struct{ asked []string }

func (p *pages) List(_ context.Context, prefix transfer.Ref, after, page string) ([]transfer.Item, string, error) {
	p.asked = append(p.asked, after+"|"+page)
	item := func(key string) transfer.Item { prefix.Key = key; return transfer.Item{Ref: prefix} }
	switch {
	case page == "":
		return []transfer.Item{item("a"), item("b")}, "2", nil
	case page == "2" && len(p.asked) < 4:
		return nil, "", transfer.Errorf(transfer.StageOpen, transfer.KindUnavailable, "out of order")
	case page == "2":
		return nil, "3", nil
	}
	return []transfer.Item{item("c")}, "", nil
}

func TestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pages{}
		var keys string
		for item, err := range check.List(p, transfer.Ref{}, "0")(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			keys += item.Ref.Key
		}
		if keys != "abc" || strings.Join(p.asked, " ") != "0| 0|2 0|2 0|2 0|3" {
			t.Errorf("%s by %v", keys, p.asked)
		}
	})
}

func TestUnlistable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		denied := transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "no")
		items := func(context.Context) iter.Seq2[transfer.Item, error] {
			return func(yield func(transfer.Item, error) bool) { yield(transfer.Item{}, denied) }
		}
		_, err := newWorld().checker().Check(t.Context(), items, func(check.Result) error { return nil })
		if !errors.Is(err, denied) {
			t.Error(err)
		}
	})
}
