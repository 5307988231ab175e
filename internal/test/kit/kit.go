// Package kit is what the suites share: the functions, built once; the entry of
// an answer; the search for secrets; and checks of what is stored.
package kit

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// CosBucket is the counterpart of devstack.Bucket on COS: a name and an account.
const CosBucket = devstack.Bucket + "-1250000000"

// Functions are built functions. The first test that runs one builds it: `go test`
// does not ask its cache about what happens before m.Run.
type Functions struct {
	dir   string
	mu    sync.Mutex
	built map[string]func() (string, error)
}

// Run runs the tests of a suite without the machine's own CA bundle and credentials,
// because these are not for servers on loopback.
func (f *Functions) Run(m *testing.M) int {
	for _, name := range []string{"AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN", "TENCENTCLOUD_SESSIONTOKEN"} {
		os.Unsetenv(name)
	}
	dir, err := os.MkdirTemp("", "tcbferry-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	f.dir = dir
	return m.Run()
}

// Path is where the built function is.
func (f *Functions) Path(t testing.TB, function string) string {
	t.Helper()
	f.mu.Lock()
	if f.built == nil {
		f.built = map[string]func() (string, error){}
	}
	if f.built[function] == nil {
		f.built[function] = sync.OnceValues(func() (string, error) { return devstack.Build(context.Background(), f.dir, function) })
	}
	build := f.built[function]
	f.mu.Unlock()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// NewWorld starts a world that ends with the test. It has both buckets.
func NewWorld(t testing.TB) *devstack.World {
	t.Helper()
	w, err := devstack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.Staging.AddBucket(CosBucket)
	return w
}

// Put stores a file under the key in both buckets and returns its content.
func Put(t testing.TB, w *devstack.World, key, body string) string {
	t.Helper()
	for _, bucket := range []string{devstack.Bucket, CosBucket} {
		if err := w.Staging.Put(bucket, key, "text/plain", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// Stored fails the test unless the environment holds this content at the path. It
// returns what is there.
func Stored(t testing.TB, cloud *tcb.Cloud, env, path, body string) tcb.Object {
	t.Helper()
	o, ok := cloud.Object(env, path)
	switch {
	case !ok:
		t.Errorf("%q is not stored", path)
	case !o.Readable:
		t.Errorf("%q is stored, but the mini program cannot read it", path)
	case string(o.Content) != body:
		t.Errorf("%q is stored with other content (%d bytes, not %d)", path, len(o.Content), len(body))
	}
	return o
}

// Always makes a fault apply to each request about the key.
func Always(f tcb.Fault, key string) tcb.Fault {
	f.Times, f.Match = -1, func(k string) bool { return k == key }
	return f
}

// Final makes an answer ask for more time than any invocation has, so that its
// failure is final at once.
func Final(f tcb.Fault) tcb.Fault {
	f.RetryAfter = "3600"
	return f
}

// Client is an HTTP client of this test's. The one that the process shares loses its
// connections whenever another test closes a server.
func Client(t testing.TB) *http.Client {
	client := &http.Client{Transport: new(http.Transport)}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// Until waits for what another process or goroutine does. The five minutes
// are no measure of anything: they end a test that would otherwise hang.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

// FreePort is a port of this test's until it ends: see platform.FreePort.
func FreePort(t testing.TB) string {
	t.Helper()
	port, hold, err := platform.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hold.Close() })
	return port
}

// Example returns the code of a document's example: what is in the fence between
// <!-- example NAME --> and <!-- end -->.
func Example(t testing.TB, document, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(Read(t, document)), "<!-- example "+name+" -->\n```")
	_, rest, fenced := strings.Cut(rest, "\n")
	code, _, closed := strings.Cut(rest, "```\n<!-- end -->")
	if !ok || !fenced || !closed {
		t.Fatalf("%s has no example %q", document, name)
	}
	return code
}

// Read returns a file's content.
func Read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
