package platform_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

func TestWeb(t *testing.T) {
	t.Parallel()
	w, err := platform.StartWeb(t.Context(), binary(t, fixtures.web), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	resp, err := w.Client.Get(w.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	code, err := w.Stop(t.Context())
	if err != nil || code != 7 || !strings.Contains(w.Output(), "stopped on request") || w.PeakRSS() < 1<<20 {
		t.Errorf("exit code %d, error %v, output %q, peak memory %d", code, err, w.Output(), w.PeakRSS())
	}
}

func TestWebFailures(t *testing.T) {
	t.Parallel()
	_, err := platform.StartWeb(t.Context(), binary(t, fixtures.web), map[string]string{"INIT": "exit"})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "HTTP_KEYS is not set") {
		t.Errorf("a process that exits: %v", err)
	}
	w, err := platform.StartWeb(t.Context(), binary(t, fixtures.web), map[string]string{"INIT": "deaf"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Stop(ctx); err == nil || !strings.Contains(err.Error(), "did not stop on SIGTERM") {
		t.Errorf("a process that ignores SIGTERM: %v", err)
	}
}

// A port that the system gives to connections could be gone before the server
// listens on it.
func TestPortsAreNotTheSystems(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skip("which ports the system gives away is known on Linux alone: ", err)
	}
	var low, high int
	fmt.Sscan(string(text), &low, &high)
	if low != 32768 {
		t.Skip("the system gives away ports from ", low)
	}
	given := map[string]bool{}
	for range 20 {
		port, hold, err := platform.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		defer hold.Close()
		if n, _ := strconv.Atoi(port); n < 1024 || n >= low || given[port] {
			t.Errorf("port %s is given twice, or is one of the system's, which are %d to %d", port, low, high)
		}
		given[port] = true
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, err := platform.Build(t.Context(), dir, "./internal/devstack/platform/testdata/web", "first", "second")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "web-first-second"); path != want {
		t.Errorf("built %s, want %s", path, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".build-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := platform.Build(t.Context(), dir, "./functions/nothing-of-that-name"); err == nil || !strings.Contains(err.Error(), "nothing-of-that-name") {
		t.Errorf("no such package: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := platform.Build(ctx, dir, "./internal/devstack/platform/testdata/web"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
