package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// world is a source, a ticket desk and COS in memory. Its hooks see each call
// with its number, from 1, and may fail it.
type world struct {
	mu       sync.Mutex
	content  string // of the one source object; its own ETag
	gone     bool
	stored   string
	opens    int
	stats    int
	tickets  int
	posts    int
	life     time.Duration
	onOpen   func(n int) error
	onStat   func(n int) error
	onTicket func(ctx context.Context, n int) error
	onPost   func(n int, body string) (transfer.Receipt, error)
}

func (w *world) call(n *int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n++
	return *n
}

func (w *world) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	if n := w.call(&w.opens); w.onOpen != nil {
		if err := w.onOpen(n); err != nil {
			return nil, err
		}
	}
	if w.gone || strings.HasSuffix(ref.Key, "missing") {
		return nil, fault(transfer.KindNotFound, transfer.StageOpen)
	}
	return &transfer.Object{Body: io.NopCloser(strings.NewReader(w.content)), Size: int64(len(w.content)), ETag: w.content}, nil
}

func (w *world) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	if n := w.call(&w.stats); w.onStat != nil {
		if err := w.onStat(n); err != nil {
			return "", err
		}
	}
	if w.gone {
		return "", fault(transfer.KindNotFound, transfer.StageOpen)
	}
	return w.content, nil
}

func (w *world) Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error) {
	if n := w.call(&w.tickets); w.onTicket != nil {
		if err := w.onTicket(ctx, n); err != nil {
			return transfer.Ticket{}, err
		}
	}
	life := w.life
	if life == 0 {
		life = 15 * time.Minute
	}
	return transfer.Ticket{FileID: "cloud://e.b/" + d.Path, Expires: time.Now().Add(life)}, nil
}

func (w *world) Upload(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	n := w.call(&w.posts)
	body, err := io.ReadAll(obj.Body)
	if err != nil {
		return transfer.Receipt{}, err
	}
	if w.onPost != nil {
		if r, err := w.onPost(n, string(body)); err != nil || r.Status != 0 {
			return r, err
		}
	}
	w.stored = string(body)
	return receipt(w.stored), nil
}

func receipt(body string) transfer.Receipt {
	sum := crc64.Checksum([]byte(body), crc64.MakeTable(crc64.ECMA))
	return transfer.Receipt{Status: 204, ETag: "e", CRC64: fmt.Sprint(sum), RequestID: "r"}
}

func fault(k transfer.Kind, s transfer.Stage) *transfer.Error {
	return &transfer.Error{Kind: k, Stage: s, What: "on purpose"}
}

func carry(ctx context.Context, w *world) transfer.Outcome {
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	return c.Carry(ctx, plan("k"))
}

func plan(key string) transfer.Plan {
	return transfer.Plan{Item: transfer.Item{Ref: transfer.Ref{Scheme: "s3", Bucket: "b", Key: key}}, Dest: transfer.Dest{Env: "e", Path: key}}
}

// state is an outcome in one line.
func state(o transfer.Outcome) string {
	s := o.Status()
	if o.Err != nil {
		s += " " + string(o.Err.Kind)
	}
	return strings.TrimSpace(s + " " + string(o.Reason))
}

// first fails the first n calls.
func first(n int, err *transfer.Error) func(int) error {
	return func(call int) error {
		if call <= n {
			return err
		}
		return nil
	}
}

func TestKinds(t *testing.T) {
	post := func(n int, err *transfer.Error) func(int, string) (transfer.Receipt, error) {
		return func(call int, _ string) (transfer.Receipt, error) {
			if call <= n {
				return transfer.Receipt{}, err
			}
			return transfer.Receipt{}, nil
		}
	}
	ticket := func(n int, err *transfer.Error) func(context.Context, int) error {
		return func(_ context.Context, call int) error { return first(n, err)(call) }
	}
	const always = 1000
	for _, tc := range []struct {
		name string
		w    *world
		want string
		// how often each side was asked; -1 does not matter
		opens, tickets, posts int
	}{
		{"plain", &world{}, "delivered", 1, 1, 1},
		{"gone", &world{gone: true}, "skipped gone", 1, 1, 0},
		{"gone outranks a refused ticket", &world{gone: true, onTicket: ticket(always, fault(transfer.KindDenied, transfer.StageTicket))}, "skipped gone", 1, 1, 0},
		{"source denied", &world{onOpen: first(always, fault(transfer.KindDenied, transfer.StageOpen))}, "failed Denied", 1, 1, 0},
		{"source throttled twice", &world{onOpen: first(2, fault(transfer.KindThrottled, transfer.StageOpen))}, "delivered", 3, 3, 1},
		{"source down", &world{onOpen: first(always, fault(transfer.KindUnavailable, transfer.StageOpen))}, "failed Unavailable", 7, 7, 0},
		{"ticket refused", &world{onTicket: ticket(always, fault(transfer.KindRefused, transfer.StageTicket))}, "failed Refused", 1, 1, 0},
		{"ticket unavailable once", &world{onTicket: ticket(1, fault(transfer.KindUnavailable, transfer.StageTicket))}, "delivered", 2, 2, 1},
		{"post stale once", &world{onPost: post(1, fault(transfer.KindStale, transfer.StageUpload))}, "delivered", 2, 2, 2},
		{"post stale twice", &world{onPost: post(2, fault(transfer.KindStale, transfer.StageUpload))}, "failed Stale", 2, 2, 2},
		{"post malformed", &world{onPost: post(1, fault(transfer.KindMalformed, transfer.StageUpload))}, "failed Malformed", 1, 1, 1},
		{"post unavailable 6 times", &world{onPost: post(6, fault(transfer.KindUnavailable, transfer.StageUpload))}, "delivered", 7, 7, 7},
		{"post corrupt once", &world{onPost: post(1, fault(transfer.KindCorrupt, transfer.StageUpload))}, "delivered", 2, 2, 2},
		{"wrong checksum always", &world{onPost: func(int, string) (transfer.Receipt, error) { return receipt("other"), nil }}, "failed Corrupt", 7, 7, 7},
		{"unknown error", &world{onPost: func(n int, _ string) (transfer.Receipt, error) { return transfer.Receipt{}, io.ErrUnexpectedEOF }}, "failed Unavailable", 7, 7, 7},
		{"ticket expired on arrival", &world{life: -time.Second}, "failed Stale", 2, 4, 0},
		{"ask again fails once", &world{onStat: first(1, fault(transfer.KindUnavailable, transfer.StageOpen))}, "delivered", 1, 1, 1},
		{"ask again never works", &world{onStat: first(always, fault(transfer.KindUnavailable, transfer.StageOpen))}, "failed Unavailable", 1, 1, 1},
		{"deleted after delivery", &world{onStat: first(always, fault(transfer.KindNotFound, transfer.StageOpen))}, "delivered", 1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tc.w
				w.content = "hello"
				o := carry(t.Context(), w)
				if got := state(o); got != tc.want {
					t.Errorf("outcome %q, want %q (%v)", got, tc.want, o.Err)
				}
				if w.opens != tc.opens || w.tickets != tc.tickets || w.posts != tc.posts {
					t.Errorf("%d opens, %d tickets, %d posts; want %d, %d, %d", w.opens, w.tickets, w.posts, tc.opens, tc.tickets, tc.posts)
				}
				if o.Attempts != w.posts || o.Tickets != w.tickets {
					t.Errorf("the outcome counts %d uploads and %d tickets, there were %d and %d", o.Attempts, o.Tickets, w.posts, w.tickets)
				}
				if o.Status() == transfer.StatusDelivered && (w.stored != "hello" || o.FileID != "cloud://e.b/k" || o.Size != 5 || !o.Proved()) {
					t.Errorf("delivered %q as %+v", w.stored, o)
				}
			})
		})
	}
}

func TestNewestWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "old"}
		w.onPost = func(n int, body string) (transfer.Receipt, error) {
			if n == 1 {
				w.content = "new" // overwritten while the old content is on its way
			}
			return transfer.Receipt{}, nil
		}
		o := carry(t.Context(), w)
		if state(o) != "delivered" || w.stored != "new" || o.Attempts != 2 {
			t.Errorf("%s after %d uploads, stored %q", state(o), o.Attempts, w.stored)
		}
	})
}

func TestDeletedWhileItIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "old"}
		w.onStat = func(int) error { w.content, w.gone = "new", false; return nil }
		w.onOpen = func(n int) error { w.gone = n > 1; return nil }
		if o := carry(t.Context(), w); state(o) != "delivered" {
			t.Errorf("%s (%v); it was delivered before it went", state(o), o.Err)
		}
	})
}

func TestOtherSpelling(t *testing.T) {
	w := &world{content: "x"}
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	p, alt := plan("missing"), plan("decoded")
	p.Alt = &alt
	o := c.Carry(t.Context(), p)
	if state(o) != "delivered" || o.Plan.Item.Ref.Key != "decoded" {
		t.Errorf("%s as %s", state(o), o.Plan.Item.Ref)
	}
}

func TestNoCredentials(t *testing.T) {
	p := plan("k")
	p.Item.Ref.Scheme = "cos"
	w := &world{}
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	if o := c.Carry(t.Context(), p); state(o) != "failed Denied" || !strings.Contains(o.Err.What, "cos://") {
		t.Errorf("%s: %v", state(o), o.Err)
	}
}

// A source that is cut off, length and all, is told by what the event said of
// the very same content.
func TestShorterThanItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			etag string
			size int64
			want string
		}{{"hello", 9, "failed Corrupt"}, {"hello", 5, "delivered"}, {"hello", -1, "delivered"}, {"older", 9, "delivered"}, {"", 9, "delivered"}} {
			w := &world{content: "hello"}
			c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
			p := plan("k")
			p.Item.ETag, p.Item.Size = tc.etag, tc.size
			if o := c.Carry(t.Context(), p); state(o) != tc.want {
				t.Errorf("ETag %q, size %d: %s, want %s", tc.etag, tc.size, state(o), tc.want)
			}
		}
	})
}

func TestOldTicketIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "x"}
		w.onOpen = func(int) error { time.Sleep(40 * time.Second); return nil }
		if o := carry(t.Context(), w); state(o) != "delivered" || w.tickets != 2 || w.opens != 1 {
			t.Errorf("%s, %d tickets for a source that opens slowly, want 2", state(o), w.tickets)
		}
	})
}

// The deadline is an answer: whatever hangs or fails, Carry is back in time.
func TestDeadline(t *testing.T) {
	hang := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	down := func(context.Context, int) error { return fault(transfer.KindUnavailable, transfer.StageTicket) }
	tomorrow := &transfer.Error{Kind: transfer.KindThrottled, Stage: transfer.StageTicket, What: "tomorrow", After: 24 * time.Hour}
	later := &transfer.Error{Kind: transfer.KindThrottled, Stage: transfer.StageTicket, What: "later", After: time.Minute}
	for _, tc := range []struct {
		name     string
		limit    time.Duration
		onTicket func(context.Context, int) error
		want     string
		within   time.Duration // of the limit, at the latest
	}{
		{"hangs", 30 * time.Second, hang, "failed OutOfTime", 28 * time.Second},
		{"hangs, 10 s", 10 * time.Second, hang, "failed OutOfTime", 9 * time.Second},
		{"hangs, 3 s", 3 * time.Second, hang, "failed OutOfTime", 2250 * time.Millisecond},
		{"hangs, 1 s", time.Second, hang, "failed OutOfTime", 500 * time.Millisecond},
		{"down, 1 s", time.Second, down, "failed Unavailable", 500 * time.Millisecond},
		{"asks for more than is waited", time.Hour, func(context.Context, int) error { return tomorrow }, "failed Throttled", 0},
		{"asks for a minute", 30 * time.Second, func(context.Context, int) error { return later }, "failed Throttled", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.limit)
				defer cancel()
				ctx, release := delivery.WithReserve(ctx)
				defer release()
				start := time.Now()
				o := carry(ctx, &world{content: "x", onTicket: tc.onTicket})
				if took := time.Since(start); state(o) != tc.want || took > tc.within {
					t.Errorf("%s after %v, want %q within %v", state(o), took, tc.want, tc.within)
				}
			})
		})
	}
}

// Out of time, the answer still says what went wrong before.
func TestOutOfTimeNamesTheFailureBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o := carry(ctx, &world{content: "x", onTicket: func(ctx context.Context, n int) error {
			if n > 1 {
				<-ctx.Done()
			}
			return fault(transfer.KindUnavailable, transfer.StageTicket)
		}})
		if state(o) != "failed OutOfTime" || !strings.Contains(o.Err.What, "on purpose") {
			t.Errorf("%s: %v", state(o), o.Err)
		}
	})
}

func TestHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := &transfer.Error{Kind: transfer.KindUnavailable, Stage: transfer.StageTicket, What: "later", After: 7 * time.Second}
		start := time.Now()
		o := carry(t.Context(), &world{content: "x", onTicket: func(_ context.Context, n int) error { return first(1, err)(n) }})
		if took := time.Since(start); state(o) != "delivered" || took < 7*time.Second || took > 9*time.Second {
			t.Errorf("%s after %v, want about 7 s", state(o), took)
		}
	})
}

type settler struct{ err error }

func (s settler) Settle(context.Context, transfer.Ref, string, *transfer.Outcome) error { return s.err }

func TestSettle(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{{nil, ""}, {errors.New("kept"), "kept"}} {
		w := &world{content: "x"}
		c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, Settler: settler{tc.err}}
		if o := c.Carry(t.Context(), plan("k")); state(o) != "delivered" || o.Warning != tc.want {
			t.Errorf("%s with warning %q, want %q", state(o), o.Warning, tc.want)
		}
	}
}

func items(groups string) []transfer.Item {
	var is []transfer.Item
	for _, g := range strings.Fields(groups) {
		is = append(is, transfer.Item{ID: g, Group: strings.Trim(g, "-")})
	}
	return is
}

func self(n int) []int {
	l := make([]int, n)
	for i := range l {
		l[i] = i
	}
	return l
}

func TestFleetOrder(t *testing.T) {
	var mu sync.Mutex
	var order []int
	is := items("a b a b a -")
	outs := delivery.DeliverAll(t.Context(), is, self(len(is)), func(_ context.Context, i int) transfer.Outcome {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, i)
		o := transfer.Outcome{Plan: transfer.Plan{Item: is[i]}}
		if i == 2 {
			o.Err = fault(transfer.KindDenied, transfer.StageUpload)
		}
		return o
	})
	var got []string
	for _, o := range outs {
		got = append(got, state(o))
	}
	want := []string{"delivered", "delivered", "failed Denied", "delivered", "failed Unavailable", "delivered"}
	if !slices.Equal(got, want) || slices.Contains(order, 4) || slices.Index(order, 0) > slices.Index(order, 2) {
		t.Errorf("%v in order %v, want %v", got, order, want)
	}
}

func TestFleetSharesLeaders(t *testing.T) {
	var mu sync.Mutex
	runs := map[int]int{}
	is := items("- - - -")
	outs := delivery.DeliverAll(t.Context(), is, []int{2, 1, 2, 2}, func(_ context.Context, i int) transfer.Outcome {
		mu.Lock()
		defer mu.Unlock()
		runs[i]++
		return transfer.Outcome{FileID: fmt.Sprint(i)}
	})
	if len(runs) != 2 || runs[2] != 1 || runs[1] != 1 || outs[0].FileID != "2" || outs[3].FileID != "2" {
		t.Errorf("runs %v, outcomes %v", runs, outs)
	}
}

func TestFleetIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		is := items(strings.Repeat("- ", 30))
		start := time.Now()
		delivery.DeliverAll(t.Context(), is, self(len(is)), func(_ context.Context, i int) transfer.Outcome {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return transfer.Outcome{}
		})
		if most != delivery.Concurrency || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once in %v, want %d", most, time.Since(start), delivery.Concurrency)
		}
	})
}
