package doctor

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// golden holds, for each case of TestDoctorFindings, the lines of steps that failed, word
// for word. UPDATE_GOLDEN=1 renews those of the cases that run.
const golden = "testdata/findings.golden"

// passing is what differs from run to run: request IDs, ports, how a connection broke, checksums of random content.
var passing = []struct {
	pattern *regexp.Regexp
	in      string
}{
	{regexp.MustCompile(`rid: [0-9a-f]+-[0-9a-f]+-[0-9a-f]+`), "rid: …"},
	{regexp.MustCompile(`request ID [A-Za-z0-9+/=_-]+`), "request ID …"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "…"},
	{regexp.MustCompile(`the connection failed \([^)]*\)`), "the connection failed (…)"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]{2,}`), "127.0.0.1:PORT"},
}

// failures are the lines of a printed text that tell of failed steps.
func failures(printed string) string {
	var b strings.Builder
	failed := false
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, strings.Repeat(" ", column)) {
			failed = strings.HasPrefix(line, "✗")
		}
		if failed {
			b.WriteString(line)
		}
	}
	text := b.String()
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.in)
	}
	return text
}

// findings are the sections of the golden file, by the names of the cases.
func findings(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, section := range strings.Split("\n"+string(text), "\n== ")[1:] {
		name, lines, _ := strings.Cut(section, "\n")
		if all[name] = lines; lines != "" {
			all[name] = strings.TrimSuffix(lines, "\n") + "\n"
		}
	}
	return all
}
