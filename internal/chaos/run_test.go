package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A run carries out a plan in a world.
type run struct {
	t       *testing.T
	w       *world
	p       *plan
	handler map[*instance]app.Handler
	journal *journal
	calm    atomic.Bool // no more faults

	mu      sync.Mutex
	fig     figures
	uploads int     // attempts that answers named
	refusal []entry // and failures
}

// An entry is what an answer says of one file.
type entry struct {
	Source, Status string
	Attempts       int
	Error          struct {
		Code, Message string
		Retryable     bool
	}
}

func newRun(t *testing.T, w *world, p *plan) *run {
	r := newRunOf(t, w, p)
	for _, in := range p.instances {
		r.handler[in] = w.function(t, in.n, r.journal, "ON_DELIVERED", in.mode)
	}
	w.s3.OnGet, w.cos.OnGet = r.onGet, r.onGet
	w.onHead = r.onHead
	w.cloud.OnRequest(r.onRequest)
	return r
}

// newRunOf is a run without functions and faults of its own.
func newRunOf(t *testing.T, w *world, p *plan) *run {
	r := &run{t: t, w: w, p: p, handler: map[*instance]app.Handler{}, journal: &journal{}}
	r.fig.bites = map[*kind]int{}
	r.fig.margin = time.Hour
	return r
}

// struck counts a fault that strikes.
func (r *run) struck(k *kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fig.bites[k]++
}

func (r *run) onGet(_, key string, _ int) *staging.Fault {
	f := r.p.byKey[key]
	if f == nil || r.calm.Load() {
		return nil
	}
	k := f.next(atSource)
	if k == nil {
		if k = f.next(atFunction); k == nil || k.get == nil {
			return nil
		}
	}
	r.struck(k)
	f.mu.Lock()
	defer f.mu.Unlock()
	return k.get(f, f.rng)
}

func (r *run) onHead(key string, w http.ResponseWriter) bool {
	f := r.p.byKey[key]
	if f == nil || r.calm.Load() {
		return false
	}
	k := f.next(atConfirm)
	if k == nil {
		return false
	}
	r.struck(k)
	if k.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(k.status)
	return true
}

func (r *run) onRequest(op tcb.Op, key string) *tcb.Fault {
	if r.calm.Load() {
		return nil
	}
	var k *kind
	switch f := r.p.byKey[key]; {
	case op == tcb.OpStableToken:
		k = r.nextToken(key)
	case f != nil && op == tcb.OpTicket:
		k = f.next(atTicket)
	case f != nil && op == tcb.OpUpload:
		k = f.next(atUpload)
	}
	if k == nil {
		return nil
	}
	r.struck(k)
	return &k.cloud
}

func (r *run) nextToken(id string) *kind {
	for _, in := range r.p.instances {
		if appID(in.n) != id || in.tokens == nil {
			continue
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.tokens.left == 0 {
			return nil
		}
		in.tokens.left--
		return in.tokens.kind
	}
	return nil
}

// each calls do for every one of list, so many at once.
func each[T any](list []T, atOnce int, do func(T)) {
	work := make(chan T)
	var wg sync.WaitGroup
	for range min(atOnce, len(list)) {
		wg.Go(func() {
			for x := range work {
				do(x)
			}
		})
	}
	for _, x := range list {
		work <- x
	}
	close(work)
	wg.Wait()
}

// schedule carries out the plan, faults and all, and judges every failure.
func (r *run) schedule(atOnce int) {
	began := time.Now()
	each(r.p.invocations, atOnce, func(inv *invocation) {
		if !inv.twice {
			r.invoke(inv)
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() { r.invoke(inv) })
		wg.Go(func() { r.invoke(inv) })
		wg.Wait()
		r.struck(inv.files[0].planned[0].kind)
	})
	r.fig.took = time.Since(began)
	for _, l := range r.journal.take() {
		r.account(l)
	}
	for _, f := range r.p.files {
		if f.doomed() && !f.gone() && !slices.Contains(f.statuses, transfer.Failed) {
			r.t.Errorf("%s is %v in spite of %s: the fault did not strike", f.ref, f.statuses, f.plannedText())
		}
	}
}

// replay sends what failed once more, as a dead-letter queue is redriven, in a
// world without faults.
func (r *run) replay(atOnce int) {
	r.calm.Store(true)
	var again []*invocation
	for _, f := range r.p.files {
		if slices.Contains(f.statuses, transfer.Failed) {
			again = append(again, &invocation{inst: f.inst, files: []*file{f}, form: formPlain, timeout: time.Minute})
		}
	}
	r.fig.replayed = len(again)
	each(again, min(atOnce, 32), func(inv *invocation) {
		f := inv.files[0]
		f.statuses = nil
		r.invoke(inv)
		if slices.Contains(f.statuses, transfer.Failed) {
			r.t.Errorf("%s failed again without faults", f.ref)
		}
	})
	for _, l := range r.journal.take() {
		if l.Status == transfer.Failed {
			r.t.Errorf("replay of %s: %s", l.Source, l.Kind)
		}
	}
}

// invoke runs one invocation, reads its answer, and compares every file that it
// reports delivered with what COS has.
func (r *run) invoke(inv *invocation) {
	ctx, cancel := context.WithTimeout(r.t.Context(), inv.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	for _, f := range inv.files {
		f.begin()
	}
	reply, err := r.handler[inv.inst](ctx, inv.payload(r.t))
	margin := time.Until(deadline)
	statuses := r.read(inv, reply, err)

	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.calm.Load() {
		r.fig.invocations++
	}
	r.fig.margin = min(r.fig.margin, margin)
	if margin <= 0 {
		r.t.Errorf("an answer came %v after the deadline", -margin)
	}
	for i, f := range inv.files {
		f.statuses = append(f.statuses, statuses[i])
		if statuses[i] == transfer.Delivered && !inv.twice && !f.arrived(r.w) {
			r.fig.untrue++
			r.t.Errorf("%s is reported delivered and is not there: planned %s", f.ref, f.plannedText())
		}
	}
}

// A remoteFailure is the files document as a binary's function error brings it.
type remoteFailure string

func (e remoteFailure) Error() string { return string(e) }

// document takes the files document out of a failed invocation's error.
func document(err error) (doc []byte, ok bool) {
	if e, ok := errors.AsType[remoteFailure](err); ok {
		return []byte(e), true
	}
	if e, ok := errors.AsType[*event.DeliveryFailed](err); ok {
		return []byte(e.Error()), true
	}
	return nil, false
}

// read returns the status of each file of an invocation by its answer.
func (r *run) read(inv *invocation, reply []byte, err error) []string {
	statuses := make([]string, len(inv.files))
	if doc, ok := document(err); ok {
		reply = doc
	} else if err != nil {
		r.t.Errorf("an invocation failed: %v", err)
		return statuses
	}
	if inv.form == formSQS {
		var doc struct {
			BatchItemFailures []struct{ ItemIdentifier string }
		}
		if err := json.Unmarshal(reply, &doc); err != nil {
			r.t.Errorf("answer %s: %v", reply, err)
		}
		for i, f := range inv.files {
			statuses[i] = transfer.Delivered // or gone, which says nothing else here
			if f.gone() {
				statuses[i] = transfer.Skipped
			}
		}
		for _, m := range doc.BatchItemFailures {
			statuses[index(m.ItemIdentifier)] = transfer.Failed
		}
		return statuses
	}
	var doc struct{ Files []entry }
	if err := json.Unmarshal(reply, &doc); err != nil || len(doc.Files) != len(inv.files) {
		r.t.Errorf("%d files have the answer %s: %v", len(inv.files), reply, err)
		return statuses
	}
	for i, e := range doc.Files {
		r.mu.Lock()
		r.uploads += e.Attempts
		if e.Status == transfer.Failed {
			r.refusal = append(r.refusal, e)
		}
		r.mu.Unlock()
		if statuses[i] = e.Status; e.Source != inv.files[i].ref.String() {
			r.t.Errorf("answer %d is of %s, want %s", i, e.Source, inv.files[i].ref)
		}
		if e.Status == transfer.Skipped && !inv.files[i].gone() {
			r.t.Errorf("%s is skipped and is there", e.Source)
		}
	}
	return statuses
}

// account judges one line of the journal: whether the file may fail so.
func (r *run) account(l line) {
	ref, err := transfer.Parse(l.Source)
	f := r.p.byKey[ref.Key]
	if err != nil || f == nil {
		r.t.Errorf("the journal speaks of %q", l.Source)
		return
	}
	r.fig.attempts += l.Attempts
	r.fig.resumes += l.Resumes
	if l.Status != transfer.Failed {
		return
	}
	r.fig.failures++
	late := l.Time.Sub(f.began) > f.timeout/2
	if k := transfer.Kind(l.Kind); k == transfer.OutOfTime && late || f.excuses(k) && (late || !f.mends() || slices.Contains(f.inst.ends, k)) {
		return
	}
	r.fig.unexcused++
	r.t.Errorf("%s failed as %s (%s) after %v; planned: %s", f.ref, l.Kind, l.Code, l.Time.Sub(f.began), f.plannedText())
}

func (f *file) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began.IsZero() {
		f.began = time.Now()
	}
}

// excuses reports whether one of the planned faults may end as k.
func (f *file) excuses(k transfer.Kind) bool {
	return slices.Contains(f.inst.ends, k) ||
		slices.ContainsFunc(f.planned, func(b bite) bool { return slices.Contains(b.kind.ends, k) })
}

// mends reports whether the file must be delivered where there is time: a single
// fault that strikes once and that waiting or renewing cures.
func (f *file) mends() bool {
	return len(f.planned) == 0 || len(f.planned) == 1 && f.planned[0].left == 1 &&
		!slices.ContainsFunc(f.planned[0].kind.ends, func(k transfer.Kind) bool { return !k.Retryable() })
}

// doomed reports whether the file cannot be delivered while its faults last. Of two
// faults at one place only the first strikes for certain.
func (f *file) doomed() bool {
	for i, b := range f.planned {
		earlier := slices.ContainsFunc(f.planned[:i], func(a bite) bool { return a.kind.at == b.kind.at })
		if b.left < 0 && b.kind.sure && !earlier {
			return true
		}
	}
	return false
}

func (f *file) plannedText() string {
	var all []string
	for _, b := range f.planned {
		all = append(all, b.kind.name+" ×"+times(b.left))
	}
	if f.inst.tokens != nil {
		all = append(all, "(instance: "+f.inst.tokens.kind.name+")")
	}
	return strings.Join(all, ", ")
}

func (f *file) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.removed
}

// arrived compares what COS has with the newest content of the source. Of a source
// that is gone, any content will do that it had: more cannot be delivered.
func (f *file) arrived(w *world) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := w.cloud.Object(env, f.ref.Key)
	is := func(c staging.Synthetic) bool { return o.Size == c.Size && o.SHA256 == c.SHA256() }
	return ok && o.Readable && (is(f.content()) || f.removed && slices.ContainsFunc(f.past, is))
}

// judge counts how every file ended.
func (r *run) judge() *figures {
	fig := &r.fig
	fig.files = len(r.p.files)
	for _, f := range r.p.files {
		fig.bytes += f.size
		switch {
		case f.arrived(r.w):
			fig.delivered++
		case f.gone():
			fig.gone++
		default:
			if _, there := f.store.Stat(f.ref.Bucket, f.ref.Key); !there {
				fig.lost++
				r.t.Errorf("%s is lost: neither in its bucket nor in the cloud", f.ref)
				continue
			}
			fig.wrong++
			r.t.Errorf("%s is not in the cloud as it is in its bucket; planned %s", f.ref, f.plannedText())
		}
	}
	return fig
}

func read(src io.Reader, size int64) []byte {
	b := make([]byte, size)
	if _, err := io.ReadFull(src, b); err != nil {
		panic(err) // made in memory
	}
	return b
}
