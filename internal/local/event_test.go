package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

const events = "../../events"

// sampleRow is a sample in events/README.md: its file, what it is, and how it ends.
var sampleRow = regexp.MustCompile("(?m)^\\| `([^`]+\\.json)` \\|([^|]*)\\| ([^|]*) \\|$")

// Every sample of events/ runs as -event runs it, and events/README.md says how each ends.
func TestSamples(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(events, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range sampleRow.FindAllStringSubmatch(string(readme), -1) {
		listed[row[1]] = row[3]
		if strings.TrimSpace(row[2]) == "" {
			t.Errorf("events/README.md does not say what %s is", row[1])
		}
	}
	files, err := filepath.Glob(filepath.Join(events, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	w, err := newStack(newScreen(new(bytes.Buffer)), built(t, "lambda-objects", "lambda-http", "scf-objects", "scf-http"), "127.0.0.1:0", devstack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, file := range files {
		name := filepath.Base(file)
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		result, _, err := w.event(t.Context(), payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if ends := ending(result); listed[name] != ends {
			t.Errorf("events/README.md says of %s %q, not %q", name, listed[name], ends)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("events/README.md lists %s, which is not there", name)
	}
}

// ending says in a few words how an invocation ended.
func ending(r platform.Result) string {
	doc := r.Payload
	if r.FunctionError {
		if doc = []byte(r.ErrorMessage); r.ErrorType != "DeliveryFailed" {
			return "is refused: " + r.ErrorType
		}
	}
	var answer struct {
		StatusCode int
		Files      []struct {
			Status, Reason string
			Error          struct{ Code string }
		}
		BatchItemFailures []any
		Results           []struct{ ResultCode string }
	}
	if err := json.Unmarshal(doc, &answer); err != nil {
		return err.Error()
	}
	var words []string
	counts := map[string]int{}
	say := func(word string) {
		if counts[word]++; counts[word] == 1 {
			words = append(words, word)
		}
	}
	for _, f := range answer.Files {
		say(strings.TrimSpace(f.Status + " " + f.Reason + f.Error.Code))
	}
	for _, f := range answer.Results {
		say(f.ResultCode)
	}
	for i, word := range words {
		words[i] = fmt.Sprintf("%d %s", counts[word], word)
	}
	switch {
	case answer.StatusCode > 0:
		return fmt.Sprint("answers ", answer.StatusCode)
	case len(words) == 0:
		return fmt.Sprintf("%d messages fail", len(answer.BatchItemFailures))
	}
	return strings.Join(words, ", ")
}
