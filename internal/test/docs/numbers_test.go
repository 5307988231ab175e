package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/reference/configuration.md has exactly the variables that package config reads.
func TestReferenceListsEveryVariable(t *testing.T) {
	t.Parallel()
	_, table, _ := block(t, read(t, root+"docs/reference/configuration.md"), "variables")
	documented := slices.DeleteFunc(firstColumn(table), func(name string) bool { return strings.HasPrefix(name, "AWS_") })
	files, err := filepath.Glob(root + "internal/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"TENCENTCLOUD_SECRETID": true, "TENCENTCLOUD_SECRETKEY": true, "TENCENTCLOUD_SESSIONTOKEN": true} // package app reads these for each invocation
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			for _, m := range regexp.MustCompile(`l\.\w+\("([A-Z][A-Z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
				known[m[1]] = true
			}
		}
	}
	for _, name := range documented {
		if !known[name] {
			t.Errorf("%s is documented, and package config does not read it", name)
		}
		delete(known, name)
	}
	for name := range known {
		if !strings.HasPrefix(name, "AWS_") {
			t.Errorf("package config reads %s, which is not documented", name)
		}
	}
}

// Numbers that the documents state are those of the code.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, n := range []struct {
		source, code string
		pages        map[string]string
	}{
		{"internal/route/path.go", "const maxPath = 850", map[string]string{"docs/reference/configuration.md": "at most 850 bytes of UTF-8"}},
		{"internal/transfer/doc.go", "const MaxSize = 5 << 30", map[string]string{"docs/reference/answers.md": "at most 5 GiB", "docs/large-files.md": "5 GiB"}},
		{"internal/event/json.go", "const maxList = 20_000", map[string]string{"docs/reference/answers.md": "at most 20,000 files"}},
		{"internal/delivery/all.go", "const Concurrency = 8", map[string]string{"docs/scaling.md": "up to 8 files side by side"}},
		{"internal/delivery/all.go", "SmallConcurrency = 32", map[string]string{"docs/scaling.md": "up to 32 if"}},
		{"internal/delivery/deadline.go", "minReserve   = 750 * time.Millisecond", map[string]string{"docs/reference/answers.md": "at least 750 ms"}},
		{"internal/delivery/deadline.go", "maxReserve   = 2 * time.Second", map[string]string{"docs/reference/answers.md": "at most 2 s"}},
		{"internal/delivery/deadline.go", "reservePerFile = 350 * time.Microsecond", map[string]string{"docs/reference/answers.md": "0.35 ms more for each file"}},
		{"internal/delivery/budget.go", "maxTries = 6", map[string]string{"docs/scaling.md": "six random waits", "docs/reference/errors.md": "each of seven uploads in a row"}},
		{"internal/config/multipart.go", "maxConcurrency = 64", map[string]string{"docs/reference/configuration.md": "1 to 64"}},
		{"internal/telemetry/telemetry.go", "const most = 64", map[string]string{"docs/reference/log.md": "at most 64 characters"}},
		{"template.yaml", "maxReceiveCount: 5", map[string]string{"docs/reference/errors.md": "received five times in all", "docs/operations.md": "five receives"}},
		{"template.yaml", "MessageRetentionPeriod: 345600", map[string]string{"docs/operations.md": "keeps files for four days"}},
		{"template.yaml", "MessageRetentionPeriod: 1209600", map[string]string{"docs/replay.md": "kept for 14 days"}},
		{"internal/app/http.go", "const maxRetryWait = 20 * time.Second", map[string]string{"docs/reference/http.md": "at most 20 s in all"}},
		{"internal/transport/transport.go", "IdleTimeout = 15 * time.Second", map[string]string{"docs/reference/answers.md": "no byte for 15 s", "docs/security.md": "no byte for 15 s"}},
		{"internal/host/webhost/server.go", "16 << 10", map[string]string{"docs/security.md": "to 16 KiB"}},
	} {
		if !strings.Contains(read(t, root+n.source), n.code) {
			t.Errorf("%s no longer says %q: correct the sentences in %v, then this test", n.source, n.code, n.pages)
		}
		for page, words := range n.pages {
			if !strings.Contains(strings.Join(strings.Fields(read(t, root+page)), " "), words) {
				t.Errorf("%s does not say %q, which is %q in %s", page, words, n.code, n.source)
			}
		}
	}
}
