package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/pb33f/go-yaml"
)

// The workflows are YAML, name the jobs that they run, and take every action at a full
// version, because a moving tag could bring in anything.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	full := regexp.MustCompile(`^[\w.-]+/[\w./-]+@v\d+\.\d+\.\d+$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct {
			Permissions any
			Jobs        map[string]struct {
				RunsOn string `yaml:"runs-on"`
				Steps  []struct{ Uses, Run string }
			}
		}
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if w.Permissions == nil || len(w.Jobs) == 0 {
			t.Errorf("%s says nothing about permissions, or has no job", file)
		}
		for name, job := range w.Jobs {
			for _, s := range job.Steps {
				if (s.Uses == "") == (s.Run == "") || s.Uses != "" && !full.MatchString(s.Uses) {
					t.Errorf("%s: %s: %+v", file, name, s)
				}
			}
			if job.RunsOn == "" || len(job.Steps) == 0 {
				t.Errorf("%s: %s does nothing", file, name)
			}
		}
	}
}
