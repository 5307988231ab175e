package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What comments of the code cite is there: the page, and its section.
func TestCitations(t *testing.T) {
	t.Parallel()
	cite := regexp.MustCompile(`(?:docs/)?((?:[a-z-]+/)*[a-z-]+\.md)(?:,? (?:section )?([A-H](?:\.[0-9]+)?)\b)?`)
	cited := 0
	for _, dir := range []string{"internal", "functions"} {
		err := filepath.WalkDir(root+dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			for line := range strings.Lines(read(t, path)) {
				_, comment, ok := strings.Cut(line, "//")
				if !ok || strings.Contains(line, "://") {
					continue
				}
				for _, m := range cite.FindAllStringSubmatch(comment, -1) {
					cited++
					text, err := os.ReadFile(root + "docs/" + m[1])
					if err != nil {
						t.Errorf("%s cites %s, which is not in docs", path, m[1])
					} else if m[2] != "" && !regexp.MustCompile(`(?m)^##+ `+regexp.QuoteMeta(m[2])+`\.? `).Match(text) {
						t.Errorf("%s cites section %s of %s, which is not there", path, m[2], m[1])
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if cited < 50 {
		t.Errorf("only %d citations were found", cited)
	}
}
