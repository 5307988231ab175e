package local

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// builds are the functions that tests have built, each once, in a directory that all share.
var builds struct {
	mu   sync.Mutex
	dir  string
	done map[string]bool
}

// built returns settings whose functions are built. Compiling may take minutes on a
// machine that has much to do, and is no part of any test.
func built(t *testing.T, functions ...string) Settings {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "tcbferry-test-")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.done = dir, map[string]bool{}
	}
	for _, name := range functions {
		if builds.done[name] {
			continue
		}
		path, err := devstack.Build(context.Background(), builds.dir, name)
		if err == nil {
			err = os.Rename(path, filepath.Join(builds.dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
		builds.done[name] = true
	}
	return Settings{built: builds.dir}
}

// self is this program beside built functions: run with asMain, it is the command.
func self(t *testing.T, functions ...string) string {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := built(t, functions...).built
	builds.mu.Lock()
	defer builds.mu.Unlock()
	command := filepath.Join(dir, "local")
	if builds.done["local"] {
		return command
	}
	if err := os.Link(own, command); err != nil { // a copy could be busy when it is run
		t.Skip("this program cannot be linked: ", err)
	}
	builds.done["local"] = true
	return command
}
