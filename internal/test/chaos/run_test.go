package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A run executes a plan in a world.
type run struct {
	t       *testing.T
	w       *world
	p       *plan
	handler map[*instance]app.Handler
	log     *fileLog
	calm    atomic.Bool // no more faults
	pulse   atomic.Int64

	mu      sync.Mutex
	fig     figures
	uploads int         // attempts that answers named
	refusal []kit.Entry // and failures
}

func newRun(t *testing.T, w *world, p *plan) *run {
	r := newRunOf(t, w, p)
	w.s3.OnGet, w.cos.OnGet = r.onGet, r.onGet
	w.onHead = r.onHead
	w.cloud.OnRequest(r.onRequest)
	for _, in := range p.instances {
		r.start(in)
	}
	return r
}

// start begins an instance, which fetches its token at once.
func (r *run) start(in *instance) {
	vars := []string{"ON_DELIVERED", in.mode}
	if in.parts {
		vars = append(vars, "MULTIPART_THRESHOLD", strconv.Itoa(partThreshold), "MULTIPART_CONCURRENCY", "3")
	}
	r.handler[in] = r.w.function(r.t, in.n, r.log, vars...)
}

// newRunOf is a run without functions and faults of its own.
func newRunOf(t *testing.T, w *world, p *plan) *run {
	r := &run{t: t, w: w, p: p, handler: map[*instance]app.Handler{}, log: &fileLog{}}
	r.fig.applied = map[*kind]int{}
	r.fig.margin = time.Hour
	go r.beat()
	return r
}

// countFault counts a fault that applies.
func (r *run) countFault(k *kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fig.applied[k]++
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
	r.countFault(k)
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
	r.countFault(k)
	if k.status == 0 {
		panic(http.ErrAbortHandler)
	}
	if !k.page {
		w.Header().Set("x-amz-request-id", "4442587FB7D0A2F9")
		w.Header().Set("x-cos-request-id", "NjI2Y2ZlNDRfMTIz")
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
	case f != nil && op&tcb.OpMultipart != 0:
		k = f.nextCall(op)
	}
	if k == nil {
		return nil
	}
	r.countFault(k)
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

// schedule executes the plan with its faults and checks every failure.
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
		r.countFault(inv.files[0].planned[0].kind)
	})
	r.fig.took = time.Since(began)
	for _, l := range r.log.take() {
		r.checkLine(l)
	}
	for _, f := range r.p.files {
		if f.cannotRecover() && !f.gone() && !slices.Contains(f.statuses, transfer.StatusFailed) {
			r.t.Errorf("%s is %v in spite of %s: the fault did not apply", f.ref, f.statuses, f.plannedText())
		}
	}
}

// replay sends what failed once more, as a dead-letter queue is redriven, in a
// world without faults. By then WeChat permits another forced refresh, and an instance
// whose token was refused has ended.
func (r *run) replay(atOnce int) {
	r.calm.Store(true)
	r.w.later.Store(true)
	for _, in := range r.p.instances {
		if in.affected {
			r.start(in)
		}
	}
	var again []*invocation
	for _, f := range r.p.files {
		if slices.Contains(f.statuses, transfer.StatusFailed) {
			again = append(again, &invocation{inst: f.inst, files: []*file{f}, form: formPlain, timeout: unhurried})
		}
	}
	r.fig.replayed = len(again)
	each(again, min(atOnce, 32), func(inv *invocation) {
		f := inv.files[0]
		f.statuses = nil
		r.invoke(inv)
		if slices.Contains(f.statuses, transfer.StatusFailed) {
			r.t.Errorf("%s failed again without faults", f.ref)
		}
	})
	for _, l := range r.log.take() {
		if l.Status == transfer.StatusFailed {
			r.t.Errorf("replay of %s: %s", l.Source, l.Kind)
		}
	}
}

// A pulse of the run is 10 ms in which its process could run. Where the machine is busy
// there are fewer of them, because a goroutine counts them, as there are fewer steps of the
// function. That an answer comes 500 ms before the deadline is tested on a clock of its own
// (delivery.TestDeadline). Here it may be late by the pulses of 2 s, a guess: an invocation
// that waits for something beyond its deadline waits for longer.
const (
	pulseTime = 10 * time.Millisecond
	maxLate   = int64(2 * time.Second / pulseTime)
)

// beat counts pulses until the test is over.
func (r *run) beat() {
	for r.t.Context().Err() == nil {
		time.Sleep(pulseTime)
		r.pulse.Add(1)
	}
}

// unhurried is the timeout of an invocation that must not end by it, however busy the machine is.
const unhurried = 10 * time.Minute

// invoke runs one invocation, reads its answer, and compares every file that it
// reports delivered with what COS has.
func (r *run) invoke(inv *invocation) {
	for _, f := range inv.files {
		f.begin()
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), inv.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	due := make(chan int64, 1) // the pulse at the deadline
	alarm := time.AfterFunc(inv.timeout, func() { due <- r.pulse.Load() })
	reply, err := r.handler[inv.inst](ctx, inv.payload(r.t))
	margin := time.Until(deadline)
	late := int64(0)
	if !alarm.Stop() {
		late = r.pulse.Load() - <-due
	}
	statuses := r.read(inv, reply, err)

	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.calm.Load() {
		r.fig.invocations++
	}
	r.fig.margin = min(r.fig.margin, margin)
	if late > maxLate {
		r.t.Errorf("an answer came %d pulses, %v, after the deadline; the first of %d files is %s, planned %s", late, -margin, len(inv.files), inv.files[0].ref, inv.files[0].plannedText())
	}
	for i, f := range inv.files {
		f.statuses = append(f.statuses, statuses[i])
		if statuses[i] == transfer.StatusDelivered && !inv.twice && !f.arrived(r.w) {
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
			statuses[i] = transfer.StatusDelivered // or gone, which says nothing else here
			if f.gone() {
				statuses[i] = transfer.StatusSkipped
			}
		}
		for _, m := range doc.BatchItemFailures {
			statuses[index(m.ItemIdentifier)] = transfer.StatusFailed
		}
		return statuses
	}
	var doc struct{ Files []kit.Entry }
	if err := json.Unmarshal(reply, &doc); err != nil || len(doc.Files) != len(inv.files) {
		r.t.Errorf("%d files have the answer %s: %v", len(inv.files), reply, err)
		return statuses
	}
	for i, e := range doc.Files {
		r.mu.Lock()
		r.uploads += e.Attempts
		if e.Status == transfer.StatusFailed {
			r.refusal = append(r.refusal, e)
		}
		r.mu.Unlock()
		if statuses[i] = e.Status; e.Source != inv.files[i].ref.String() {
			r.t.Errorf("answer %d is of %s, want %s", i, e.Source, inv.files[i].ref)
		}
		if e.Status == transfer.StatusSkipped && !inv.files[i].gone() {
			r.t.Errorf("%s is skipped and is there", e.Source)
		}
	}
	return statuses
}

func read(src io.Reader, size int64) []byte {
	b := make([]byte, size)
	if _, err := io.ReadFull(src, b); err != nil {
		panic(err) // made in memory
	}
	return b
}
