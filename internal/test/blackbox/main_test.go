package blackbox_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// A binary is a function under test, built once, by the first test that runs it:
// what happens before m.Run is nothing that `go test` asks its cache about.
type binary func() (path string, err error)

var lambdaObjects, scfObjects binary

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "blackbox-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	lambdaObjects, scfObjects = newBinary(dir, "lambda-objects"), newBinary(dir, "scf-objects")
	// Most of a test's time is waiting for deadlines: more of them fit side by side.
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		f.Value.Set("16")
	}
	return m.Run()
}

func newBinary(dir, function string) binary {
	return sync.OnceValues(func() (string, error) { return devstack.Build(context.Background(), dir, function) })
}

func (b binary) path(t testing.TB) string {
	t.Helper()
	path, err := b()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
