package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
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
	key, body string

	mu      sync.Mutex
	rng     *rand.Rand
	parts   int // requests for parts in this invocation
	killAt  int // the number of such requests after which the function is killed; 0 is never
	kill    func()
	faults  int
	kills   int
	resumed int
}

// TestLargeFiles breaks the requests of multipart uploads and kills functions in the
// middle of parts. Each file is invoked, in a new process each time, until it is
// delivered: none may be lost or wrong, and none may be reported that is not there.
func TestLargeFiles(t *testing.T) {
	files := 10
	if *long {
		files = 200
	}
	w := kit.NewWorld(t)
	w.Cloud.KeepContent = 64 << 20
	kinds := passing()
	all := map[string]*largeFile{}
	for n := range files {
		f := &largeFile{key: fmt.Sprintf("large/%d.bin", n), rng: rand.New(rand.NewPCG(*seed, uint64(n)))}
		content := make([]byte, 2<<20+f.rng.IntN(6<<20))
		rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(*seed)}).Read(content)
		f.body = kit.Put(t, w, f.key, string(content))
		all[f.key] = f
	}
	w.Cloud.OnRequest(func(op tcb.Op, key string) *tcb.Fault {
		f := all[key]
		if f == nil || op&tcb.OpMultipart == 0 {
			return nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if op == tcb.OpPart {
			if f.parts++; f.parts == f.killAt {
				f.kills++
				go f.kill()
			}
		}
		if f.rng.IntN(8) > 0 {
			return nil
		}
		for range 20 { // until one of the call is drawn
			if k := kinds[f.rng.IntN(len(kinds))]; k.Op == op {
				f.faults++
				return &k
			}
		}
		return nil
	})

	waiting := make(chan *largeFile, files)
	for _, f := range all {
		waiting <- f
	}
	close(waiting)
	var wg sync.WaitGroup
	var mu sync.Mutex
	invocations, kills, faults, resumed := 0, 0, 0, 0
	for range 4 {
		wg.Go(func() {
			for f := range waiting {
				n := f.deliver(t, w)
				mu.Lock()
				invocations, kills, faults, resumed = invocations+n, kills+f.kills, faults+f.faults, resumed+f.resumed
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, f := range all {
		kit.Stored(t, w.Cloud, devstack.Env, f.key, f.body)
	}
	t.Logf("%d files in parts: %d invocations, %d of them killed, %d faults, %d parts kept from before", files, invocations, kills, faults, resumed)
	if kills == 0 || faults == 0 || resumed == 0 {
		t.Error("nothing was broken")
	}
}

// deliver invokes the function for a file until it is delivered.
func (f *largeFile) deliver(t *testing.T, w *devstack.World) (invocations int) {
	vars := devstack.With(w.Vars(), "MULTIPART_THRESHOLD", "1MiB", "MULTIPART_CONCURRENCY", "3")
	for invocations < 30 {
		invocations++
		l := platform.NewLambda(functions.Path(t, "lambda-objects"), vars)
		f.mu.Lock()
		f.parts, f.killAt, f.kill = 0, 0, l.Close
		if f.rng.IntN(2) == 0 {
			f.killAt = 1 + f.rng.IntN(6)
		}
		f.mu.Unlock()
		r, err := l.Invoke(t.Context(), []byte(`{"files":["s3://`+devstack.Bucket+`/`+f.key+`"]}`), 30*time.Second)
		l.Close()
		if err != nil || r.FunctionError && !strings.HasPrefix(r.ErrorMessage, `{"files"`) {
			continue // killed
		}
		e := kit.Entries(t, r)[0]
		if e.Status == "delivered" {
			f.resumed += e.ResumedParts
			kit.Stored(t, w.Cloud, devstack.Env, f.key, f.body)
			return invocations
		}
		if !e.Error.Retryable {
			t.Errorf("%s: %s", f.key, e.Error.Message)
			return invocations
		}
	}
	t.Errorf("%s was not delivered in %d invocations", f.key, invocations)
	return invocations
}
