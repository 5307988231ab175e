package delivery_test

import (
	"context"
	"crypto/md5"
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

// world is a source, a ticket issuer and COS in memory. Its hooks see each call
// with its number, from 1, and may fail it.
type world struct {
	mu      sync.Mutex
	content string // of the one source object; its own ETag
	gone    bool
	stored  string
	opens   int
	stats   int
	tickets int
	posts   int
	life    time.Duration
	resumes int    // of each body
	md5     string // that the source states

	noETag, headNoETag bool // of all answers, of the answer to a HEAD
	onOpen             func(n int) error
	onStat             func(n int) error
	onTicket           func(ctx context.Context, n int) error
	onPost             func(n int, body string) (transfer.Receipt, error)
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
		return nil, newError(transfer.KindNotFound, transfer.StageOpen)
	}
	obj := &transfer.Object{Body: io.NopCloser(strings.NewReader(w.content)), Size: int64(len(w.content)), ETag: w.content, MD5: w.md5}
	if w.noETag {
		obj.ETag = ""
	}
	if w.resumes > 0 {
		obj.Resumes = func() int { return w.resumes }
	}
	return obj, nil
}

func (w *world) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	if n := w.call(&w.stats); w.onStat != nil {
		if err := w.onStat(n); err != nil {
			return "", err
		}
	}
	if w.gone {
		return "", newError(transfer.KindNotFound, transfer.StageOpen)
	}
	if w.headNoETag {
		return "", nil
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

func newError(k transfer.Kind, s transfer.Stage) *transfer.Error {
	return &transfer.Error{Kind: k, Stage: s, What: "on purpose"}
}

func deliver(ctx context.Context, w *world) transfer.Outcome {
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	return c.Deliver(ctx, plan("k"), func() {})
}

func plan(key string) transfer.Plan {
	return transfer.Plan{Item: transfer.Item{Ref: transfer.Ref{Scheme: "s3", Bucket: "src", Key: key}}, Dest: transfer.Dest{Env: "e", Path: key}}
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
		{"gone outranks a refused ticket", &world{gone: true, onTicket: ticket(always, newError(transfer.KindDenied, transfer.StageTicket))}, "skipped gone", 1, 1, 0},
		{"source denied", &world{onOpen: first(always, newError(transfer.KindDenied, transfer.StageOpen))}, "failed Denied", 1, 1, 0},
		{"source throttled twice", &world{onOpen: first(2, newError(transfer.KindThrottled, transfer.StageOpen))}, "delivered", 3, 3, 1},
		{"source down", &world{onOpen: first(always, newError(transfer.KindUnavailable, transfer.StageOpen))}, "failed Unavailable", 7, 7, 0},
		{"ticket refused", &world{onTicket: ticket(always, newError(transfer.KindRefused, transfer.StageTicket))}, "failed Refused", 1, 1, 0},
		{"ticket unavailable once", &world{onTicket: ticket(1, newError(transfer.KindUnavailable, transfer.StageTicket))}, "delivered", 2, 2, 1},
		{"post stale once", &world{onPost: post(1, newError(transfer.KindStale, transfer.StageUpload))}, "delivered", 2, 2, 2},
		{"post stale twice", &world{onPost: post(2, newError(transfer.KindStale, transfer.StageUpload))}, "failed Stale", 2, 2, 2},
		{"post malformed", &world{onPost: post(1, newError(transfer.KindMalformed, transfer.StageUpload))}, "failed Malformed", 1, 1, 1},
		{"post unavailable 6 times", &world{onPost: post(6, newError(transfer.KindUnavailable, transfer.StageUpload))}, "delivered", 7, 7, 7},
		{"post corrupt once", &world{onPost: post(1, newError(transfer.KindCorrupt, transfer.StageUpload))}, "delivered", 2, 2, 2},
		{"wrong checksum always", &world{onPost: func(int, string) (transfer.Receipt, error) { return receipt("other"), nil }}, "failed Corrupt", 7, 7, 7},
		{"unknown error", &world{onPost: func(n int, _ string) (transfer.Receipt, error) { return transfer.Receipt{}, io.ErrUnexpectedEOF }}, "failed Unavailable", 7, 7, 7},
		{"ticket expired on arrival", &world{life: -time.Second}, "failed Stale", 2, 4, 0},
		{"ask again fails once", &world{onStat: first(1, newError(transfer.KindUnavailable, transfer.StageOpen))}, "delivered", 1, 1, 1},
		{"ask again never works", &world{onStat: first(always, newError(transfer.KindUnavailable, transfer.StageOpen))}, "failed Unavailable", 1, 1, 1},
		{"deleted after delivery", &world{onStat: first(always, newError(transfer.KindNotFound, transfer.StageOpen))}, "delivered", 1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tc.w
				w.content = "hello"
				o := deliver(t.Context(), w)
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
		o := deliver(t.Context(), w)
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
		if o := deliver(t.Context(), w); state(o) != "delivered" {
			t.Errorf("%s (%v); it was delivered before it went", state(o), o.Err)
		}
	})
}

func TestOtherSpelling(t *testing.T) {
	w := &world{content: "x"}
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	p, alt := plan("missing"), plan("decoded")
	p.Alt = &alt
	o := c.Deliver(t.Context(), p, func() {})
	if state(o) != "delivered" || o.Plan.Item.Ref.Key != "decoded" || o.FileID != "cloud://e.b/decoded" {
		t.Errorf("%s as %s, which is %s; the ticket must be for the path of the second spelling", state(o), o.Plan.Item.Ref, o.FileID)
	}
}

func TestNoCredentials(t *testing.T) {
	p := plan("k")
	p.Item.Ref.Scheme = "cos"
	w := &world{}
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
	if o := c.Deliver(t.Context(), p, func() {}); state(o) != "failed Denied" || !strings.Contains(o.Err.What, "cos://") {
		t.Errorf("%s: %v", state(o), o.Err)
	}
}

// A source that is cut off, length and all, is observed by what the event said of
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
			if o := c.Deliver(t.Context(), p, func() {}); state(o) != tc.want {
				t.Errorf("ETag %q, size %d: %s, want %s", tc.etag, tc.size, state(o), tc.want)
			}
		}
	})
}

func TestOldTicketIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "x"}
		w.onOpen = func(int) error { time.Sleep(40 * time.Second); return nil }
		if o := deliver(t.Context(), w); state(o) != "delivered" || w.tickets != 2 || w.opens != 1 {
			t.Errorf("%s, %d tickets for a source that opens slowly, want 2", state(o), w.tickets)
		}
	})
}

// The deadline is an answer: whatever hangs or fails, Deliver is back in time.
func TestDeadline(t *testing.T) {
	hang := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	down := func(context.Context, int) error { return newError(transfer.KindUnavailable, transfer.StageTicket) }
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
		{"hangs, 1 s", time.Second, hang, "failed OutOfTime", 450 * time.Millisecond},
		{"down, 1 s", time.Second, down, "failed Unavailable", 500 * time.Millisecond},
		{"asks for more than is waited", time.Hour, func(context.Context, int) error { return tomorrow }, "failed Throttled", 0},
		{"asks for a minute", 30 * time.Second, func(context.Context, int) error { return later }, "failed Throttled", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.limit)
				defer cancel()
				ctx, release := delivery.WithReserve(ctx, 1)
				defer release()
				start := time.Now()
				o := deliver(ctx, &world{content: "x", onTicket: tc.onTicket})
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
		o := deliver(ctx, &world{content: "x", onTicket: func(ctx context.Context, n int) error {
			if n > 1 {
				<-ctx.Done()
			}
			return newError(transfer.KindUnavailable, transfer.StageTicket)
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
		o := deliver(t.Context(), &world{content: "x", onTicket: func(_ context.Context, n int) error { return first(1, err)(n) }})
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
		if o := c.Deliver(t.Context(), plan("k"), func() {}); state(o) != "delivered" || o.Warning != tc.want {
			t.Errorf("%s with warning %q, want %q", state(o), o.Warning, tc.want)
		}
	}
}

// A page in place of the object: it has no ETag, and not the size of the event.
func TestPageInPlaceOfTheObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			etag string
			size int64
			want string
		}{{"hello", 9, "failed Corrupt"}, {"hello", 5, "delivered"}, {"", 9, "delivered"}, {"hello", -1, "delivered"}} {
			w := &world{content: "hello", noETag: true}
			d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
			p := plan("k")
			p.Item.ETag, p.Item.Size = tc.etag, tc.size
			if o := d.Deliver(t.Context(), p, func() {}); state(o) != tc.want {
				t.Errorf("ETag %q, size %d: %s, want %s", tc.etag, tc.size, state(o), tc.want)
			}
		}
	})
}

// A source that changes during every upload costs tries and growing waits like
// any failure. The delivery ends as retryable, because its last upload may lie
// over newer content that another delivery has stored.
func TestSourceKeepsChanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "0"}
		w.onStat = func(n int) error { w.content = fmt.Sprint(n); return nil }
		start := time.Now()
		o := deliver(t.Context(), w)
		if state(o) != "failed Unavailable" || o.Err.Code != "SourceKeepsChanging" || !o.Err.Kind.Retryable() || w.posts != 7 || w.tickets != 7 {
			t.Errorf("%s %v after %d uploads and %d tickets, want 7", state(o), o.Err, w.posts, w.tickets)
		}
		if took := time.Since(start); took == 0 || took > 26*time.Second {
			t.Errorf("it took %v: no pause, or too long a one", took)
		}
	})
	synctest.Test(t, func(t *testing.T) { // in time for a deadline
		w := &world{content: "0"}
		w.onStat = func(n int) error { w.content = fmt.Sprint(n); time.Sleep(300 * time.Millisecond); return nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := deliver(ctx, w); o.Err == nil || !o.Err.Kind.Retryable() || w.posts > 4 {
			t.Errorf("%s after %d uploads", state(o), w.posts)
		}
	})
}

// A HEAD without an ETag cannot tell whether the source changed. The file is
// delivered, and the settler hears that nothing is known.
func TestHeadWithoutETag(t *testing.T) {
	w := &world{content: "x", onStat: func(int) error { return nil }, headNoETag: true}
	var etags []string
	d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, Settler: settleFunc(func(etag string) { etags = append(etags, etag) })}
	if o := d.Deliver(t.Context(), plan("k"), func() {}); state(o) != "delivered" || w.posts != 1 || !slices.Equal(etags, []string{""}) {
		t.Errorf("%s after %d uploads, settled with %q", state(o), w.posts, etags)
	}
}

type settleFunc func(etag string)

func (f settleFunc) Settle(_ context.Context, _ transfer.Ref, etag string, _ *transfer.Outcome) error {
	f(etag)
	return nil
}

// A source that was deleted after its delivery is not settled.
func TestGoneIsNotSettled(t *testing.T) {
	w := &world{content: "x"}
	w.onStat = func(int) error { w.gone = true; return nil }
	d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, Settler: settleFunc(func(string) { t.Error("it was settled") })}
	if o := d.Deliver(t.Context(), plan("k"), func() {}); state(o) != "delivered" || o.Warning != "" {
		t.Errorf("%s, warning %q", state(o), o.Warning)
	}
}

// Only a key that is not found has another spelling.
func TestOtherSpellingOnlyOfWhatIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "x", onOpen: first(1000, newError(transfer.KindUnavailable, transfer.StageOpen))}
		d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w}
		p, alt := plan("k"), plan("missing")
		p.Alt = &alt
		if o := d.Deliver(t.Context(), p, func() {}); state(o) != "failed Unavailable" || o.Plan.Item.Ref.Key != "k" {
			t.Errorf("%s as %s", state(o), o.Plan.Item.Ref)
		}
	})
}

// Reopenings of all attempts add up.
func TestResumesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "x", resumes: 2, onPost: func(n int, _ string) (transfer.Receipt, error) {
			return transfer.Receipt{}, map[bool]error{true: newError(transfer.KindUnavailable, transfer.StageUpload)}[n < 3]
		}}
		if o := deliver(t.Context(), w); state(o) != "delivered" || o.Resumes != 6 {
			t.Errorf("%s, %d resumes, want 6", state(o), o.Resumes)
		}
	})
}

// The bucket that CloudBase stores into is no source: each upload would be the
// next event.
func TestSourceInTheDestinationBucket(t *testing.T) {
	for scheme, want := range map[string]string{"s3": "failed Refused", "cos": "failed Refused", "https": "delivered"} {
		w := &world{content: "x"}
		d := &delivery.Deliverer{Sources: map[string]transfer.Source{scheme: w}, Tickets: w, Uploader: w}
		p := plan("k")
		p.Item.Ref.Scheme, p.Item.Ref.Bucket = scheme, "b" // as in the file ID
		if o := d.Deliver(t.Context(), p, func() {}); state(o) != want || o.Err != nil && (o.Err.Code != "SameBucket" || w.posts > 0) {
			t.Errorf("%s: %s %v after %d uploads, want %s", scheme, state(o), o.Err, w.posts, want)
		}
	}
}

// With MaxRetryWait all waits of a delivery together are bounded, without it only
// by the deadline.
func TestMaxRetryWait(t *testing.T) {
	busy := &transfer.Error{Kind: transfer.KindThrottled, Stage: transfer.StageTicket, What: "busy", After: 9 * time.Second}
	for limit, want := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, 0: 6 * (9 + 30) * time.Second} {
		for name, call := range map[string]func(ctx context.Context, d *delivery.Deliverer) error{
			"file": func(ctx context.Context, d *delivery.Deliverer) error {
				return d.Deliver(ctx, plan("k"), func() {}).Err
			},
			"ticket": func(ctx context.Context, d *delivery.Deliverer) error {
				_, err := d.Ticket(ctx, transfer.Dest{})
				return err
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				w := &world{content: "x", onTicket: func(context.Context, int) error { return busy }}
				d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, MaxRetryWait: limit}
				start := time.Now()
				err := call(t.Context(), d)
				if took := time.Since(start); err != error(busy) || took < 9*time.Second || took > want || limit == 0 && took < 54*time.Second {
					t.Errorf("%s, at most %v: %v after %v", name, limit, err, took)
				}
			})
		}
	}
}

// A receiver that hangs is tried three times, which ends before API Gateway answers in our
// place, after 29 s.
func TestMaxRetryWaitOfReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{content: "x"}
		r := &receivers{world: w, fail: func(receiver, _ int) *transfer.Error {
			if receiver == 1 {
				return nil
			}
			time.Sleep(8 * time.Second)
			return newError(transfer.KindUnavailable, transfer.StageNotify)
		}}
		d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, Notifier: r, NotifyWarns: true, MaxRetryWait: 20 * time.Second}
		start := time.Now()
		d.Deliver(t.Context(), plan("k"), func() {})
		if took := time.Since(start); r.tries != [2]int{3, 1} || took > 28*time.Second {
			t.Errorf("tries %v in %v", r.tries, took)
		}
	})
}

// With SourceFirst a source that is not there costs no ticket.
func TestSourceFirst(t *testing.T) {
	for content, want := range map[string]int{"k": 1, "missing": 0} {
		w := &world{content: "x"}
		d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": w}, Tickets: w, Uploader: w, SourceFirst: true}
		w.onTicket = func(context.Context, int) error {
			if w.opens != 1 {
				t.Error("the ticket was asked for before the source")
			}
			return nil
		}
		if o := d.Deliver(t.Context(), plan(content), func() {}); w.tickets != want || o.Tickets != want {
			t.Errorf("%s: %s with %d tickets, %d counted; want %d", content, state(o), w.tickets, o.Tickets, want)
		}
	}
}

// The reserve grows with the number of files, and the shortest limits keep 500 ms.
func TestReserve(t *testing.T) {
	for _, tc := range []struct {
		limit time.Duration
		files int
		least time.Duration // of the reserve
		most  time.Duration
	}{
		{time.Second, 1, 550 * time.Millisecond, 650 * time.Millisecond},
		{3 * time.Second, 1, 750 * time.Millisecond, 760 * time.Millisecond},
		{300 * time.Second, 1, 2 * time.Second, 2010 * time.Millisecond},
		{300 * time.Second, 10_000, 5300 * time.Millisecond, 6 * time.Second},
		{4 * time.Second, 10_000, 2 * time.Second, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tc.limit)
			defer cancel()
			ctx, end := delivery.WithReserve(ctx, tc.files)
			defer end()
			at, _ := ctx.Deadline()
			if reserve := tc.limit - time.Until(at); reserve < tc.least || reserve > tc.most {
				t.Errorf("limit %v, %d files: reserve %v, want %v to %v", tc.limit, tc.files, reserve, tc.least, tc.most)
			}
		})
	}
}

// COS may answer an ETag of 32 digits that is no MD5 and name no encryption. The file
// is sent once more, with an MD5 that is computed on the way: if that is the source's
// and the CRC64 agrees, the file is there. If a byte changed on its way to us, it is not.
func TestETagThatIsNoMD5(t *testing.T) {
	t.Parallel()
	const content = "content"
	sum := fmt.Sprintf("%x", md5.Sum([]byte(content)))
	for name, tt := range map[string]struct {
		source string // its MD5
		state  string
		posts  int
	}{
		"the bytes are the source's": {sum, "delivered", 2},
		"a byte changed":             {strings.Repeat("0", 32), "failed Corrupt", 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{content: content, md5: tt.source}
			w.onPost = func(_ int, body string) (transfer.Receipt, error) {
				r := receipt(body)
				r.ETag = strings.Repeat("f", 32)
				return r, nil
			}
			o := deliver(t.Context(), w)
			if state(o) != tt.state || w.posts != tt.posts {
				t.Errorf("%s: %s after %d uploads; want %s after %d", name, state(o), w.posts, tt.state, tt.posts)
			}
			if want := []string{"size", "crc64"}; o.Err == nil && !slices.Equal(o.Verified, want) {
				t.Errorf("%s: verified by %q, not by %q", name, o.Verified, want)
			}
		})
	}
}
