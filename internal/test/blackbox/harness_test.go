package blackbox_test

import (
	"flag"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

var functions kit.Functions

// TestMain runs more tests at once than there are processors, because most of them wait
// for deadlines. Without that this package takes twice as long on two processors.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(max(6, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	os.Exit(functions.Run(m))
}

const (
	limit = 5 * time.Minute // of an invocation that needs no deadline to end, on any machine
	short = 2 * time.Second // of one that does
	grace = time.Minute     // for an answer on a machine that is busy
)

// A function is a built event function for a test. When the test that started it
// ends, nothing that the function ever said may hold a secret.
type function struct {
	*instance
	t testing.TB
}

type instance struct {
	program *platform.Program
	call    func(payload []byte, limit time.Duration) (platform.Result, error)
	kill    func() // ends the process; the function is of no use after that

	mu      sync.Mutex
	said    strings.Builder
	secrets []string // besides those of the world
}

// at is the function for a subtest.
func (f *function) at(t testing.TB) *function { return &function{f.instance, t} }

func lambda(t testing.TB, w *devstack.World, more ...string) *function {
	return lambdaFunction(t, "lambda-objects", w, append([]string{"LOG_LEVEL", "debug"}, more...)...)
}

func lambdaFunction(t testing.TB, name string, w *devstack.World, more ...string) *function {
	vars := devstack.With(w.Vars(), more...)
	l := platform.NewLambda(functions.Path(t, name), vars)
	return started(t, w, vars, l.Program, l.Close, func(payload []byte, limit time.Duration) (platform.Result, error) {
		return l.Invoke(t.Context(), payload, limit)
	})
}

func scf(t testing.TB, w *devstack.World, more ...string) *function {
	vars := devstack.With(w.Vars(), append([]string{"LOG_LEVEL", "debug"}, more...)...)
	s := platform.NewSCF(functions.Path(t, "scf-objects"), nil)
	return started(t, w, vars, s.Program, s.Close, func(payload []byte, limit time.Duration) (platform.Result, error) {
		return s.Invoke(t.Context(), payload, limit, vars)
	})
}

func started(t testing.TB, w *devstack.World, vars map[string]string, p *platform.Program, end func(), call func([]byte, time.Duration) (platform.Result, error)) *function {
	p.Grace = grace
	f := &function{&instance{program: p, call: call, kill: end}, t}
	t.Cleanup(func() {
		end()
		kit.NoSecrets(t, f.said.String()+p.Output(), vars, slices.Concat(f.secrets, w.Cloud.Secrets(), []string{uploaderSignature, receiptHandle}))
		if t.Failed() {
			t.Logf("output of the function:\n%s", p.Output())
		}
	})
	return f
}

// invoke has the function handle one payload before the deadline that it is told.
func (f *function) invoke(payload []byte, limit time.Duration) platform.Result {
	f.t.Helper()
	r, err := f.call(payload, limit)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said.WriteString(string(r.Payload) + "\n" + r.ErrorMessage + "\n")
	return r
}

// deliver invokes the function and returns the entries of its answer.
func (f *function) deliver(payload []byte) []kit.Entry {
	f.t.Helper()
	return kit.Entries(f.t, f.invoke(payload, limit))
}

// hurry tries with deadlines that are reached because something hangs or fails forever.
// Before that, the function must get as far as the test wants. Where the machine was too
// slow for that, the next try has twice the time.
func (f *function) hurry(try func(limit time.Duration) (farEnough bool)) {
	f.t.Helper()
	for limit := short; !try(limit); limit *= 2 {
		if limit > time.Minute {
			f.t.Fatalf("the function did not get far enough within %v", limit)
		}
	}
}

// one is deliver for a payload with one file.
func (f *function) one(payload []byte) kit.Entry {
	f.t.Helper()
	files := f.deliver(payload)
	if len(files) != 1 {
		f.t.Fatalf("%d files are answered, not 1", len(files))
	}
	return files[0]
}

// A bucket is one kind of source store: where the files are, and the function that is told.
type bucket struct {
	name, in string
	start    func(t testing.TB, w *devstack.World, more ...string) *function
	event    func(keys ...string) []byte
}

var buckets = []bucket{
	{"s3", devstack.Bucket, lambda, s3Event},
	{"cos", kit.CosBucket, scf, cosEvent},
}

// forBuckets runs a test for each kind of bucket, in a world of its own.
func forBuckets(t *testing.T, test func(t *testing.T, w *devstack.World, b bucket)) {
	t.Parallel()
	for _, b := range buckets {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			w.Staging.COS = b.name == "cos"
			test(t, w, b)
		})
	}
}

// manyAtOnce has one process serve so many invocations that a test's cases can
// run side by side.
var manyAtOnce = []string{"AWS_LAMBDA_MAX_CONCURRENCY", "20"}

// sideBySide runs the cases at the same time, more than go test runs tests: they
// wait for deadlines, and need no processor.
func sideBySide[T any](t *testing.T, cases map[string]T, run func(t *testing.T, name string, c T)) {
	var wg sync.WaitGroup
	for name, c := range cases {
		wg.Go(func() { t.Run(name, func(t *testing.T) { run(t, name, c) }) })
	}
	wg.Wait()
}

// fault takes a fault of the table and makes it apply to each request about the key.
func fault(name, key string) tcb.Fault { return kit.Always(tcb.FaultNamed(name), key) }
