package browser_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const playwright = "playwright-core@1.64.1" // drives a browser; brings none

// tools are what the test needs of others.
type tools struct{ node, chromium, modules string }

// need finds the tools. With BROWSERTEST_INSTALL=1 it installs what is missing,
// and fails if it cannot; otherwise it skips the test and says why.
func need(t *testing.T) tools {
	t.Helper()
	install := os.Getenv("BROWSERTEST_INSTALL") == "1"
	modules, err := filepath.Abs("../../../.cache/browsertest")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []struct {
		name    string
		missing func() bool
		install [][]string
	}{
		{"node", absent("node"), apt("nodejs", "npm")},
		{"Chromium", func() bool { return chromium() == "" }, apt("chromium")},
		{playwright, func() bool {
			_, err := os.Stat(filepath.Join(modules, "node_modules", "playwright-core"))
			return err != nil
		},
			[][]string{{"npm", "install", "--no-audit", "--no-fund", "--prefix", modules, playwright}}},
	} {
		if !tool.missing() {
			continue
		}
		if !install {
			t.Skipf("%s is not there; BROWSERTEST_INSTALL=1 (make browser) installs it", tool.name)
		}
		for _, command := range tool.install {
			run(t, command...)
		}
		if tool.missing() {
			t.Fatalf("%s is still not there", tool.name)
		}
	}
	node, _ := exec.LookPath("node") // it is there
	return tools{node, chromium(), modules}
}

func absent(program string) func() bool {
	return func() bool { _, err := exec.LookPath(program); return err != nil }
}

func apt(packages ...string) [][]string {
	return [][]string{{"apt-get", "update", "-qq"}, append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, packages...)}
}

// chromium is the path of a browser, under one of the names that it has.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func run(t *testing.T, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%q: %w\n%s", command, err, out))
	}
}
