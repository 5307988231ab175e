package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// passing are the faults of a multipart upload after which the next try may succeed.
func passing() (all []tcb.Fault) {
	labels := []string{"InternalError", "ServiceUnavailable", "RequestTimeout", "gateway 502", "gateway 200", "gateway 403", "sparse xml", "garbage xml", "huge xml",
		"empty 500", "reset before", "answer lost", "truncated", "reset middle", "reset after", "wrong crc64", "no crc64", "wrong etag", "stored short", "stored corrupt",
		"NoSuchUpload", "BadDigest", "IncompleteBody", "InvalidPart", "200 InternalError", "200 NoSuchUpload", "200 InvalidPart"}
	for _, f := range tcb.MultipartFaults() {
		for _, label := range labels {
			if f.Name == f.Op.String()+" "+label {
				all = append(all, f)
			}
		}
	}
	return all
}

// A largeFile is one file that goes in parts.
type largeFile struct {
	key     string
	content staging.Synthetic

	mu      sync.Mutex
	rng     *rand.Rand
	parts   int // requests for parts in this invocation
	killAt  int // the number of such requests after which the function is killed; 0 is never
	kill    func()
	kills   int
	entry   kit.Entry // of the last invocation that answered
	invoked int
}

// A largeRun is a test of files in parts.
type largeRun struct {
	t     *testing.T
	w     *devstack.World
	files map[string]*largeFile // by key
	kinds []tcb.Fault

	mu     sync.Mutex
	faults map[string]int // that applied, by name
	wrong  int
}

// TestLargeFiles breaks the requests of multipart uploads and kills functions in the
// middle of parts. Each file is invoked, in a new process each time, until it is
// delivered: none may be lost or wrong, and none may be reported that is not there.
func TestLargeFiles(t *testing.T) {
	parallel(t)
	files := 6
	if *long {
		files = 300
	}
	r := &largeRun{t: t, w: kit.NewWorld(t), files: map[string]*largeFile{}, kinds: passing(), faults: map[string]int{}}
	r.w.Cloud.KeepContent = 0
	var all []*largeFile
	for n := range files {
		f := &largeFile{key: fmt.Sprintf("large/%d.bin", n), rng: rand.New(rand.NewPCG(*seed, uint64(n)))}
		f.content = staging.Synthetic{Size: 2<<20 + f.rng.Int64N(6<<20), Seed: f.rng.Uint64() >> 1}
		if err := r.w.Staging.Synthesize(devstack.Bucket, f.key, f.content.Size, f.content.Seed); err != nil {
			t.Fatal(err)
		}
		r.files[f.key], all = f, append(all, f)
	}
	r.w.Cloud.OnRequest(r.onRequest)
	began := time.Now()
	each(all, 4, r.deliver)
	rows := r.rows(time.Since(began))
	t.Logf("%v", rows)
	if *docFile != "" && !t.Failed() {
		if err := write(*docFile, "large files", table(rows)); err != nil {
			t.Error(err)
		}
	}
}

// onRequest breaks every eighth request, and kills the function of a file when its part's
// turn has come.
func (r *largeRun) onRequest(op tcb.Op, key string) *tcb.Fault {
	f := r.files[key]
	if f == nil || op&tcb.OpMultipart == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == tcb.OpPart {
		if f.parts++; f.parts == f.killAt {
			f.kills++
			f.kill() // before the request is answered, so that the function cannot end first
		}
	}
	if f.rng.IntN(8) > 0 {
		return nil
	}
	for range 20 { // until one of the call is drawn
		if k := r.kinds[f.rng.IntN(len(r.kinds))]; k.Op == op {
			r.mu.Lock()
			r.faults[k.Name]++
			r.mu.Unlock()
			return &k
		}
	}
	return nil
}

// deliver invokes the function for a file until it is delivered.
func (r *largeRun) deliver(f *largeFile) {
	vars := devstack.With(r.w.Vars(), "MULTIPART_THRESHOLD", "1MiB", "MULTIPART_CONCURRENCY", "3")
	for f.invoked < 30 {
		f.invoked++
		l := platform.NewLambda(functions.Path(r.t, "lambda-objects"), vars)
		f.mu.Lock()
		f.parts, f.killAt, f.kill = 0, 0, l.Close
		if f.rng.IntN(2) == 0 {
			f.killAt = 1 + f.rng.IntN(6)
		}
		f.mu.Unlock()
		result, err := l.Invoke(r.t.Context(), plainEvent(f.key), unhurried)
		l.Close()
		if err != nil || result.FunctionError && !strings.HasPrefix(result.ErrorMessage, `{"files"`) {
			continue // killed
		}
		f.entry = kit.Entries(r.t, result)[0]
		if f.entry.Status == transfer.StatusDelivered {
			r.check(f)
			return
		}
		if !f.entry.Error.Retryable {
			r.t.Errorf("%s: %s", f.key, f.entry.Error.Message)
			return
		}
	}
	r.t.Errorf("%s was not delivered in %d invocations", f.key, f.invoked)
}

// check compares a file that is reported delivered with its source.
func (r *largeRun) check(f *largeFile) {
	o, ok := r.w.Cloud.Object(devstack.Env, f.key)
	if ok && o.Readable && o.Size == f.content.Size && o.SHA256 == f.content.SHA256() {
		return
	}
	r.t.Errorf("%s is reported delivered and is not there", f.key)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong++
}

// rows are what the run counted.
func (r *largeRun) rows(took time.Duration) [][2]string {
	invocations, kills, kept, parts, delivered, applied := 0, 0, 0, 0, 0, 0
	var bytes int64
	for _, f := range r.files {
		r.check(f) // once more: no late request may have changed it
		invocations, kills, bytes = invocations+f.invoked, kills+f.kills, bytes+f.content.Size
		kept, parts = kept+f.entry.ResumedParts, parts+f.entry.Parts
		if f.entry.Status == transfer.StatusDelivered {
			delivered++
		}
	}
	for _, n := range r.faults {
		applied += n
	}
	if kills == 0 || applied == 0 || kept == 0 {
		r.t.Error("nothing was broken")
	}
	n := strconv.Itoa
	return [][2]string{
		{"seed", strconv.FormatUint(*seed, 10)}, {"files", n(len(r.files))}, {"bytes", fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))},
		{"invocations of the built function", n(invocations)}, {"of them killed in the middle of parts", n(kills)},
		{"kinds of fault", n(len(r.faults))}, {"faults applied", n(applied)},
		{"parts", n(parts)}, {"of them kept from an earlier invocation, in the last one", n(kept)},
		{"delivered in the end", n(delivered)}, {"lost", n(len(r.files) - delivered)}, {"wrong, or reported delivered and not there", n(r.wrong)},
		{"it took", took.Round(100 * time.Millisecond).String()},
	}
}
