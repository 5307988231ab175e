package blackbox_test

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// One process serves as many invocations at once as Lambda says. They share an
// access token, and nothing else.
func TestConcurrentInvocations(t *testing.T) {
	t.Parallel()
	const atOnce = 4
	w := kit.NewWorld(t)
	var waiting atomic.Int64
	all := make(chan struct{})
	w.Staging.OnGet = func(_, key string, _ int) *staging.Fault {
		if key == "in/gone" {
			return nil
		}
		return &staging.Fault{Then: func() { // the first ones wait for each other
			if waiting.Add(1) == atOnce {
				close(all)
			}
			select {
			case <-all:
			case <-t.Context().Done():
			}
		}}
	}
	f := lambda(t, w, "AWS_LAMBDA_MAX_CONCURRENCY", strconv.Itoa(atOnce))
	matches(t, f.one(s3Event("in/gone")), ending{reason: "gone"})
	tokens := w.Cloud.Requests()[tcb.OpStableToken]
	var wg sync.WaitGroup
	for i := range 3 * atOnce {
		key := "in/" + strconv.Itoa(i)
		body := kit.Put(t, w, key, "content of "+key)
		wg.Go(func() {
			r, err := f.call(s3Event(key, "in/gone-"+key), limit)
			if err != nil {
				t.Error(err)
				return
			}
			files := kit.Entries(t, r)
			kit.Delivered(t, w.Cloud, devstack.Env, files[0], body)
			matches(t, files[1], ending{reason: "gone"})
		})
	}
	wg.Wait()
	if n := w.Cloud.Requests()[tcb.OpStableToken]; n != tokens {
		t.Errorf("%d further access tokens were fetched", n-tokens)
	}
}

// A file that one envelope names several times is carried once, and answered each time.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	body := kit.Put(t, w, good, "content")
	kit.Put(t, w, "in/other.txt", body)
	files := lambda(t, w).deliver(s3Event(good, "in/other.txt", good, good))
	if len(files) != 4 {
		t.Fatalf("%d files are answered", len(files))
	}
	for _, e := range files {
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
	}
	if n := w.Cloud.Requests()[tcb.OpUpload]; n != 2 {
		t.Errorf("%d uploads of 2 files", n)
	}
	if n := w.Staging.Count("GET"); n != 2 {
		t.Errorf("%d downloads of 2 files", n)
	}
}

// In a FIFO queue nothing overtakes a message that failed.
func TestFIFO(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	for _, key := range []string{"in/1", "in/2", "in/3", "in/4"} {
		kit.Put(t, w, key, "content")
	}
	w.Cloud.Inject(kit.Always(tcb.COSError(403, "AccessDenied", "no"), "in/2"))
	f := lambda(t, w)
	const want = `{"batchItemFailures":[{"itemIdentifier":"m-1"},{"itemIdentifier":"m-2"},{"itemIdentifier":"m-3"}]}`
	if r := f.invoke(fifoEvent("in/1", "in/2", "in/3", "in/4"), limit); string(r.Payload) != want {
		t.Errorf("the answer is %s%s", r.Payload, r.ErrorMessage)
	}
	if n := w.Cloud.Commits(); n != 1 {
		t.Errorf("%d files are stored, not 1", n)
	}
	// Each has its line, those that were not tried too.
	codes := map[string]string{}
	for _, l := range kit.Lines(f.program.Output()) {
		codes[l.Item] = l.Code
	}
	if want := map[string]string{"m-0": "", "m-1": "AccessDenied", "m-2": "NotTried", "m-3": "NotTried"}; !maps.Equal(codes, want) {
		t.Errorf("the log has the codes %v, want %v", codes, want)
	}
}
