package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// docs/deploy-aws.md names parameters and outputs that the template has.
func TestGuide(t *testing.T) {
	t.Parallel()
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	template, guide := read("template.yaml"), read("docs", "deploy-aws.md")
	known := map[string]bool{"CodeBucket": true} // of a release's template (internal/tools/pack)
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z]\w+):`).FindAllStringSubmatch(template, -1) {
		known[m[1]] = true
	}
	for _, pattern := range []string{"[ `']([A-Z][a-z]\\w+)=", "output `(\\w+)`", `\$\(out (\w+)\)`} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(guide, -1)
		if len(found) == 0 {
			t.Errorf("the guide has nothing like %s", pattern)
		}
		for _, m := range found {
			if !known[m[1]] {
				t.Errorf("the guide speaks of %s, which the template does not have", m[1])
			}
		}
	}
}
