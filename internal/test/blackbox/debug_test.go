package blackbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// With LOG_LEVEL=debug the log says what was decided about each file, and why; without
// it nothing of that. The harness searches all lines for secrets.
func TestDebugLog(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		kit.Put(t, w, "in/small.txt", "small")
		kit.Put(t, w, "in/large.bin", body(1, 1))
		busy := tcb.WeChatError(tcb.OpTicket, -1, "busy")
		busy.Match = func(key string) bool { return key == "in/small.txt" }
		w.Cloud.Inject(busy)
		vars := append([]string{"EXCLUDE", "**/*.tmp"}, inParts...)
		f := b.start(t, w, vars...)
		f.deliver(b.event("in/small.txt", "in/large.bin", "in/x.tmp"))
		for _, want := range []string{
			`plan source=in/x.tmp why=EXCLUDE names it reason=excluded`,
			`plan source=in/small.txt why=route 1 takes it path=in/small.txt`,
			`try again source=in/small.txt stage=ticket kind=Unavailable code=-1 path=in/small.txt`,
			`upload source=in/small.txt why=the ticket is one for a form; it is below MULTIPART_THRESHOLD how=POST path=in/small.txt`,
			`upload source=in/large.bin why=it reaches MULTIPART_THRESHOLD, and its source has ranges how=parts path=in/large.bin`,
			`parts found=no unfinished upload path=in/large.bin`,
		} {
			if !debugLines(f.program.Output())[want] {
				t.Errorf("there is no line %s", want)
			}
		}
		f = b.start(t, w, append(vars, "LOG_LEVEL", "info")...)
		f.deliver(b.event("in/small.txt"))
		if strings.Contains(f.program.Output(), "DEBUG") {
			t.Error("there are lines of the level debug")
		}
	})
}

// debugLines are the lines of the level debug, with what is the same for every b.
func debugLines(output string) map[string]bool {
	all := map[string]bool{}
	for text := range strings.Lines(output) {
		var fields map[string]any
		if json.Unmarshal([]byte(text), &fields) != nil || fields["level"] != "DEBUG" {
			continue
		}
		line := fields["msg"].(string)
		for _, name := range []string{"source", "why", "how", "found", "stage", "kind", "code", "path", "reason"} {
			value, _ := fields[name].(string)
			if name == "source" { // the key alone: it is the same in both stores
				_, value, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(value, "s3://"), "cos://"), "/")
				value, _, _ = strings.Cut(value, "?")
			}
			if value != "" {
				line += " " + name + "=" + value
			}
		}
		all[line] = true
	}
	return all
}
