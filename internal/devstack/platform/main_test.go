package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// long is a timeout that no test waits for.
const long = time.Minute

// The fixtures are built once, on first use, into one directory.
var (
	fixtureDir string
	fixtures   = struct{ lambda, scf, web func() (string, error) }{
		lambda: built("lambda", "lambda.norpc"), scf: built("scf"), web: built("web"),
	}
)

func built(name string, tags ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		return platform.Build(context.Background(), fixtureDir, "./internal/devstack/platform/testdata/"+name, tags...)
	})
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "platform-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fixtureDir = dir
	code := m.Run()
	// A server keeps a connection for half a second that it closes, longer than goleak waits.
	if err := goleak.Find(goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "leaked goroutines:", err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func binary(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// event is what the fixtures take.
func event(do, arg string) []byte {
	data, _ := json.Marshal(map[string]string{"Do": do, "Arg": arg})
	return data
}

// alive says whether a process of that number runs.
func alive(t *testing.T, pid []byte) bool {
	t.Helper()
	_, err := os.Stat("/proc/" + string(pid))
	return err == nil
}
