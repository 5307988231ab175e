package check_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

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

// An interrupted check says where to go on, and nothing before that is left out.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 5000 {
			w.add(strconv.Itoa(10_000 + i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var keys []string
		tell := func(r check.Result) error {
			if keys = append(keys, r.Item.Ref.Key); r.State != check.StateSame {
				t.Errorf("%s: %s", r, r.Why)
			}
			if len(keys) == 1500 {
				cancel()
				synctest.Wait() // all that is under way ends
			}
			return nil
		}
		s, err := w.checker().Check(ctx, w.Items(), tell)
		if !errors.Is(err, context.Canceled) || s.After != keys[len(keys)-1] || len(keys) > 1600 {
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

// A check that has time for nothing but keys that it skips gets on as well.
func TestInterruptedAmongSkippedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 2500 {
			w.add(fmt.Sprintf("%04d/", i))
		}
		w.add("a")
		w.known["a"] = time.Now().Add(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s, err := w.checker().Check(ctx, w.Items(), func(check.Result) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || s.After != "1999/" || s.Skipped != 2500 {
			t.Errorf("%+v %v", s, err)
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

// What was listed before a listing broke off is reported.
func TestUnlistable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("a", "b")
		denied := transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "no")
		items := func(ctx context.Context) iter.Seq2[transfer.Item, error] {
			return func(yield func(transfer.Item, error) bool) {
				for item := range w.Items()(ctx) {
					yield(item, nil)
				}
				yield(transfer.Item{}, denied)
			}
		}
		s, err := w.checker().Check(t.Context(), items, func(check.Result) error { return nil })
		if !errors.Is(err, denied) || s.Same != 2 {
			t.Errorf("%+v %v", s, err)
		}
	})
}
