package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of docs/trust.md names tests that are there.
func TestTrustNamesTests(t *testing.T) {
	t.Parallel()
	have := map[string]bool{} // package.Test
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root+"internal", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(read(t, path), -1) {
			have[filepath.Base(filepath.Dir(path))+"."+m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(read(t, root+"docs/trust.md"), "## From the source to the mini program")
	table, _, _ = strings.Cut(table, "\n## ")
	named, rows := regexp.MustCompile("`(\\w+\\.(?:Test|Fuzz)\\w+)`"), 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Where ") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test in the row %s", line)
		}
		for _, m := range tests {
			if !have[m[1]] {
				t.Errorf("there is no test %s", m[1])
			}
		}
	}
	if rows < 19 {
		t.Errorf("only %d rows were found", rows)
	}
}
