package kit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// An Entry is one file of an answer (reference/answers.md).
type Entry struct {
	Source, Status, Reason, Path, FileID, ETag, CRC64, Warning string
	Size, DurationMs                                           int64
	Attempts, Resumes, Parts, ResumedParts                     int
	Verified, Receipts                                         []string
	Error                                                      Problem
}

// A Problem is why a file failed.
type Problem struct {
	Code, Message string
	Retryable     bool
}

// Entries reads the files document of an answer, or of the error that it is when
// a file failed.
func Entries(t testing.TB, r platform.Result) []Entry {
	t.Helper()
	text := string(r.Payload)
	if r.FunctionError {
		if text = r.ErrorMessage; r.ErrorType != "DeliveryFailed" {
			t.Fatalf("the error is %s: %s", r.ErrorType, r.ErrorMessage)
		}
	}
	var doc struct{ Files []Entry }
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Files) == 0 || strings.Contains(text, "\n") {
		t.Fatalf("the answer is no files document in one line: %s", text)
	}
	failed := false
	for _, e := range doc.Files {
		failed = failed || e.Status == "failed"
	}
	if failed != r.FunctionError {
		t.Errorf("a file failed: %v, the invocation failed: %v", failed, r.FunctionError)
	}
	return doc.Files
}

// Delivered fails the test unless the entry says so and it is true.
func Delivered(t testing.TB, cloud *tcb.Cloud, env string, e Entry, body string) {
	t.Helper()
	if e.Status != "delivered" {
		t.Errorf("%s is %s%s: %s", e.Source, e.Status, e.Reason, e.Error.Message)
		return
	}
	Stored(t, cloud, env, e.Path, body)
	if e.Size != int64(len(body)) || !strings.HasSuffix(e.FileID, "/"+e.Path) || len(e.Verified) == 0 {
		t.Errorf("the entry is %+v", e)
	}
}

// A Line is what the log says of one file.
type Line struct {
	Msg, Source, Status, Reason, Path, Warning, Item string
	Kind, Code                                       string
	Retryable                                        bool
	Attempts, Resumes, Parts                         int
	Verified                                         []string
	Time                                             time.Time
}

// Lines are the log lines of files in a function's output.
func Lines(output string) (all []Line) {
	for text := range strings.Lines(output) {
		var l Line
		if json.Unmarshal([]byte(text), &l) == nil && l.Msg == "file" {
			all = append(all, l)
		}
	}
	return all
}
