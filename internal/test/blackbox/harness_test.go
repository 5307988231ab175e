package blackbox_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const (
	cosBucket = devstack.Bucket + "-1250000000" // of COS events; the name and the account
	limit     = 20 * time.Second                // of an invocation that needs no deadline to end
	short     = 3 * time.Second                 // of one that does

	// Answers come 500 ms before the deadline; half of that is for a machine that
	// runs other tests at the same time.
	margin = 250 * time.Millisecond
)

// newWorld starts a world that ends with the test. Both buckets are there.
func newWorld(t testing.TB) *devstack.World {
	t.Helper()
	w, err := devstack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.Provide(t.Context(), cosBucket); err != nil {
		t.Fatal(err)
	}
	return w
}

// put stores a file under the key in both buckets and returns its content.
func put(t testing.TB, w *devstack.World, key, body string) string {
	t.Helper()
	for _, bucket := range []string{devstack.Bucket, cosBucket} {
		if err := w.Staging.Put(bucket, key, "text/plain", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// A function is a built function in its process, and all that it ever said. When
// the test ends, nothing of that may hold a secret.
type function struct {
	t       testing.TB
	program *platform.Program
	call    func(payload []byte, limit time.Duration) (platform.Result, error)

	mu      sync.Mutex
	said    strings.Builder
	secrets []string // besides those of the world
}

func lambda(t testing.TB, w *devstack.World, more ...string) *function {
	vars := devstack.With(devstack.With(w.Vars(), "LOG_LEVEL", "debug"), more...)
	l := platform.NewLambda(lambdaObjects.path(t), vars)
	return started(t, w, vars, l.Program, l.Close, func(payload []byte, limit time.Duration) (platform.Result, error) {
		return l.Invoke(t.Context(), payload, limit)
	})
}

func scf(t testing.TB, w *devstack.World, more ...string) *function {
	vars := devstack.With(devstack.With(w.Vars(), "LOG_LEVEL", "debug"), more...)
	s := platform.NewSCF(scfObjects.path(t), nil)
	return started(t, w, vars, s.Program, s.Close, func(payload []byte, limit time.Duration) (platform.Result, error) {
		return s.Invoke(t.Context(), payload, limit, vars)
	})
}

func started(t testing.TB, w *devstack.World, vars map[string]string, p *platform.Program, end func(), call func([]byte, time.Duration) (platform.Result, error)) *function {
	f := &function{t: t, program: p, call: call}
	for _, name := range secretVars {
		f.secrets = append(f.secrets, vars[name])
	}
	t.Cleanup(func() {
		end()
		for _, leak := range leaks(f.said.String()+p.Output(), append(f.secrets, w.Cloud.Secrets()...)) {
			t.Errorf("a secret was shown: %q", leak)
		}
		if t.Failed() {
			t.Logf("output of the function:\n%s", p.Output())
		}
	})
	return f
}

// invoke hands over one payload. The answer must come in time.
func (f *function) invoke(payload []byte, limit time.Duration) platform.Result {
	f.t.Helper()
	r, err := f.call(payload, limit)
	if err != nil {
		f.t.Fatal(err)
	}
	if r.Took > limit-margin {
		f.t.Errorf("the answer took %v of %v", r.Took, limit)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said.WriteString(string(r.Payload) + "\n" + r.ErrorMessage + "\n")
	return r
}

// An entry is a file in the answer.
type entry struct {
	Source, Status, Reason, Path, FileID, ETag, CRC64, Warning string
	Size                                                       int64
	Attempts                                                   int
	Verified                                                   []string
	Error                                                      struct {
		Code, Message string
		Retryable     bool
	}
}

// entries reads the files document of an answer, or of the error that it is when
// a file failed.
func entries(t testing.TB, r platform.Result) []entry {
	t.Helper()
	text := string(r.Payload)
	if r.FunctionError {
		if text = r.ErrorMessage; r.ErrorType != "DeliveryFailed" {
			t.Fatalf("the error is %s: %s", r.ErrorType, r.ErrorMessage)
		}
	}
	var doc struct{ Files []entry }
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Files) == 0 || strings.Contains(text, "\n") {
		t.Fatalf("the answer is no files document in one line: %s", text)
	}
	failed := false
	for _, e := range doc.Files {
		failed = failed || e.Status == "failed"
	}
	if failed != r.FunctionError {
		t.Errorf("a file failed: %v, the invocation failed: %v", failed, r.FunctionError)
	}
	return doc.Files
}

// hurry is ferry with a short limit.
func (f *function) hurry(payload []byte) []entry {
	f.t.Helper()
	return entries(f.t, f.invoke(payload, short))
}

// ferry invokes the function and returns the entries of its answer.
func (f *function) ferry(payload []byte) []entry {
	f.t.Helper()
	return entries(f.t, f.invoke(payload, limit))
}

// one is ferry for a payload with one file.
func (f *function) one(payload []byte) entry {
	f.t.Helper()
	files := f.ferry(payload)
	if len(files) != 1 {
		f.t.Fatalf("%d files are answered, not 1", len(files))
	}
	return files[0]
}

// delivered fails the test unless the entry says so and it is true.
func delivered(t testing.TB, cloud *tcb.Cloud, env string, e entry, body string) {
	t.Helper()
	if e.Status != "delivered" {
		t.Errorf("%s is %s%s: %s", e.Source, e.Status, e.Reason, e.Error.Message)
		return
	}
	stored(t, cloud, env, e.Path, body)
	if e.Size != int64(len(body)) || !strings.HasSuffix(e.FileID, "/"+e.Path) || len(e.Verified) == 0 {
		t.Errorf("the entry is %+v", e)
	}
}

// stored fails the test unless the destination has body under path.
func stored(t testing.TB, cloud *tcb.Cloud, env, path, body string) {
	t.Helper()
	o, ok := cloud.Object(env, path)
	switch {
	case !ok:
		t.Errorf("%s is not stored", path)
	case !o.Readable:
		t.Errorf("%s is stored so that nobody can read it", path)
	case !bytes.Equal(o.Content, []byte(body)):
		t.Errorf("%s is stored with other content (%d bytes, not %d)", path, len(o.Content), len(body))
	}
}

// fault takes a fault of the table, to bite each time that a request is about key.
func fault(name, key string) tcb.Fault { return always(tcb.FaultNamed(name), key) }

func always(f tcb.Fault, key string) tcb.Fault {
	f.Times, f.Match = -1, func(k string) bool { return k == key }
	return f
}

// later makes an answer ask for more patience than any invocation has, so that
// the failure is final at once.
func later(f tcb.Fault) tcb.Fault {
	f.RetryAfter = "3600"
	return f
}
