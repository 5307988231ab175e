package browser_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/local"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// The page of functions/local: every button, drops, faults and their cures, a ticket, the
// race, both languages, narrow and wide.
func TestWorkbench(t *testing.T) {
	t.Parallel()
	tools := need(t)
	url := serve(t)
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "long film 红.mp4"), filepath.Join(dir, "a folder")
	for path, size := range map[string]int{file: 300 << 10, filepath.Join(folder, "top.txt"): 5, filepath.Join(folder, "below", "deep.txt"): 0} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tools.node, filepath.Join("testdata", "workbench.mjs"), tools.modules, tools.chromium, url, file, folder)
	cmd.WaitDelay = 5 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("the browser failed: %v\n%s", err, stderr.String())
	}
	checks := 0
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); checks++ {
		var c struct{ Name, Wrong string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		t.Run(c.Name, func(t *testing.T) {
			if c.Wrong != "" {
				t.Error(c.Wrong)
			}
		})
	}
	if checks == 0 {
		t.Error("nothing was checked")
	}
}

// serve runs functions/local and returns the page's address.
func serve(t *testing.T) string {
	t.Helper()
	for _, function := range []string{"lambda-objects", "lambda-http"} {
		functions.Path(t, function) // what is compiled once is soon there for local
	}
	var out output
	soft, end := context.WithCancel(context.Background()) // the test's own ends before its cleanups
	ended := make(chan error, 1)
	set := local.Settings{Vars: map[string]string{"CLOUDBASE_PATH": "{key}"}}
	go func() {
		ended <- local.Serve(soft, context.Background(), &out, set, local.Addresses{S3: "127.0.0.1:0", HTTP: "127.0.0.1:0"}, false)
	}()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(out.String()[max(0, len(out.String())-8<<10):])
		}
	})
	page := regexp.MustCompile(`page +(http://\S+)`)
	kit.Until(t, "local serves", func() bool { return len(ended) > 0 || page.MatchString(out.String()) })
	m := page.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatal(out.String())
	}
	return m[1]
}

// An output is written and read at the same time.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
