package chaos_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// receiptFaults are what receivers, tickets and uploads do wrong here. A truncated answer
// comes after the receiver was told.
var receiptFaults = []string{
	"databaseupdate -502001", "databaseupdate -502011", "databaseupdate -502003", "databaseupdate -501004", "databaseupdate reset", "databaseupdate 502", "databaseupdate truncated",
	"invokecloudfunction -504001", "invokecloudfunction -504002", "invokecloudfunction reset", "invokecloudfunction 500", "invokecloudfunction truncated",
	"key record 500 SYS_ERR", "key record 429 EXCEED_RATELIMIT", "key record reset", "key record truncated",
	"key function 500 FUNCTION_INVOCATION_FAILED", "key function reset", "key function truncated",
	"ticket -501001", "key ticket 502", "upload answer lost", "upload stored short", "upload 503 SlowDown",
}

// Each delivered file is told to each receiver, at least once for each delivery, and no
// other file is, whatever receivers, tickets and uploads do wrong.
func TestReceiptsUnderFaults(t *testing.T) {
	parallel(t)
	files, atOnce := 60, 6
	if *long {
		files, atOnce = 6000, 100
	}
	for _, name := range []string{"wechat", "key"} {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			w := kit.NewWorld(t)
			vars := w.Vars()
			if name == "key" {
				vars = w.KeyVars()
			}
			vars = devstack.With(vars, "RECEIPTS", "db:"+devstack.Collection+",function:"+devstack.Function+","+w.HookURL, "RECEIPT_SECRET", devstack.ReceiptSecret)
			r := &receiptRun{t: t, w: w, handler: newFunction(t, app.SCF, vars, io.Discard), rng: rand.New(rand.NewPCG(*seed, 1)), deliveries: map[string]int{}}
			for _, name := range receiptFaults {
				r.kinds = append(r.kinds, tcb.FaultNamed(name))
			}
			w.Cloud.OnRequest(r.fault)
			w.Webhook.Answer = r.answer
			r.deliver(files, atOnce)
			r.check(files)
		})
	}
}

type receiptRun struct {
	t       *testing.T
	w       *devstack.World
	handler app.Handler
	kinds   []tcb.Fault

	mu         sync.Mutex
	rng        *rand.Rand
	faults     int
	deliveries map[string]int // told or not, by path
}

// lost tells the files that never reach the storage.
func lost(key string) bool { return strings.HasSuffix(key, "7.lost") }

func key(i int) string {
	if i%20 == 7 {
		return fmt.Sprintf("in/%d7.lost", i)
	}
	return fmt.Sprintf("in/%d \"$.\u2028红\n.txt", i)
}

func (r *receiptRun) chance(of int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.IntN(of) == 0
}

func (r *receiptRun) fault(op tcb.Op, key string) *tcb.Fault {
	if op == tcb.OpUpload && lost(key) {
		f := tcb.COSError(403, "AccessDenied", "no")
		return &f
	}
	if !r.chance(6) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fitting := slices.DeleteFunc(slices.Clone(r.kinds), func(f tcb.Fault) bool { return f.Op&op == 0 })
	if len(fitting) == 0 {
		return nil
	}
	r.faults++
	return &fitting[r.rng.IntN(len(fitting))]
}

func (r *receiptRun) answer(map[string]any) int {
	if r.chance(6) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.faults++
		return http.StatusServiceUnavailable
	}
	return 0
}

// deliver sends the files in plain requests of ten, and those that failed again.
func (r *receiptRun) deliver(files, atOnce int) {
	waiting := make(chan []string)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for keys := range waiting {
				for round := 0; len(keys) > 0 && round < 30; round++ {
					keys = r.invoke(keys)
				}
				for _, key := range keys {
					r.t.Errorf("%q was not delivered in 30 invocations", key)
				}
			}
		})
	}
	for i := 0; i < files; i += 10 {
		var keys []string
		for j := i; j < min(i+10, files); j++ {
			kit.Put(r.t, r.w, key(j), fmt.Sprint("content of ", j))
			keys = append(keys, key(j))
		}
		waiting <- keys
	}
	close(waiting)
	wg.Wait()
}

// invoke has the function deliver files, and returns those that are to come again.
func (r *receiptRun) invoke(keys []string) (again []string) {
	ctx, cancel := context.WithTimeout(r.t.Context(), unhurried)
	defer cancel()
	answer, err := r.handler(ctx, plainEvent(keys...))
	result := platform.Result{Payload: answer}
	if err != nil {
		result.FunctionError, result.ErrorMessage, result.ErrorType = true, err.Error(), "DeliveryFailed"
	}
	for _, e := range kit.Entries(r.t, result) {
		switch {
		case e.Status == "delivered":
			r.mu.Lock()
			r.deliveries[e.Path]++
			r.mu.Unlock()
			if len(e.Receipts) != 3 {
				r.t.Errorf("%q was told to %v", e.Path, e.Receipts)
			}
		case !lost(e.Path):
			again = append(again, e.Path)
		}
	}
	return again
}

func (r *receiptRun) check(files int) {
	calls, hooks := map[any]int{}, map[any]int{}
	for _, c := range r.w.Cloud.Calls(devstack.Env, devstack.Function) {
		calls[c.Event["path"]]++
	}
	for _, d := range r.w.Webhook.Documents() {
		hooks[d["path"]]++
	}
	records := map[any]tcb.Record{}
	for _, record := range r.w.Cloud.Records(devstack.Env, devstack.Collection) {
		records[record.Data["path"]] = record
	}
	missing := 0
	for i := range files {
		path := key(i)
		if lost(path) {
			if calls[path]+hooks[path]+records[path].Sets > 0 {
				r.t.Errorf("%q is not stored, and yet it was told of", path)
			}
			continue
		}
		o := kit.Stored(r.t, r.w.Cloud, devstack.Env, path, fmt.Sprint("content of ", i))
		n := r.deliveries[path]
		if n < 1 || calls[path] < n || hooks[path] < n || records[path].Sets < n || records[path].Data["fileId"] != o.FileID || records[path].Data["etag"] != o.ETag {
			missing++
			r.t.Errorf("%q was delivered %d times and told %d, %d and %d times: %v", path, n, records[path].Sets, calls[path], hooks[path], records[path].Data)
		}
	}
	if len(calls) > files || len(records) > files || r.faults < files/10 {
		r.t.Errorf("%d functions' files, %d records, %d faults", len(calls), len(records), r.faults)
	}
	if _, refused := r.w.Webhook.Requests(); len(refused) > 0 {
		r.t.Errorf("the webhook refused %v", refused[0])
	}
	r.t.Logf("%d files, %d faults, %d without a receipt; calls %d, requests %d", files, r.faults, missing, sum(calls), sum(hooks))
}

func sum(counts map[any]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
