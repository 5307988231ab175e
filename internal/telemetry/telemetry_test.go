package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func lines(t *testing.T, out *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func outcomes() []transfer.Outcome {
	plan := transfer.Plan{Item: transfer.Item{ID: "m-1", Ref: transfer.Ref{Scheme: "s3", Bucket: "b", Key: "k"}}, Dest: transfer.Dest{Env: "e", Path: "p"}}
	return []transfer.Outcome{
		{Plan: plan, FileID: "cloud://e.b/p", Size: 10, Verified: []string{"size"}, Attempts: 2, Resumes: 1, Tickets: 2, Took: time.Second},
		{Plan: plan, Reason: transfer.ReasonFolder},
		{Plan: plan, Err: &transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindDenied, Code: "40164", What: "not allowed"}, Tickets: 1},
		{Plan: plan, FileID: "f", Size: 5, Attempts: 1, Tickets: 1, Warning: "not tagged", Unsettled: true},
	}
}

func TestFileLines(t *testing.T) {
	var out bytes.Buffer
	l := telemetry.New(&out, slog.LevelInfo, "")
	ctx := telemetry.WithIDs(t.Context(), telemetry.IDs{Request: "r-1", Trace: "Root=1"})
	for _, o := range outcomes() {
		l.File(ctx, &o)
	}
	got := lines(t, &out)
	for i, want := range []map[string]any{
		{"level": "INFO", "status": "delivered", "size": 10.0, "attempts": 2.0, "resumes": 1.0, "durationMs": 1000.0, "fileId": "cloud://e.b/p", "item": "m-1"},
		{"level": "INFO", "status": "skipped", "reason": "folder"},
		{"level": "ERROR", "status": "failed", "stage": "ticket", "kind": "Denied", "code": "40164", "help": transfer.Help("40164"), "retryable": false, "error": "not allowed"},
		{"level": "WARN", "status": "delivered", "warning": "not tagged"},
	} {
		if _, ok := got[i]["help"]; ok != (want["help"] != nil) {
			t.Errorf("line %d has help: %v", i, ok) // it is for failures alone
		}
		want["msg"], want["source"], want["requestId"], want["traceId"] = "file", "s3://b/k", "r-1", "Root=1"
		for k, v := range want {
			if got[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, got[i][k], v)
			}
		}
	}
}

// A body that came by HTTP has no reference, so its line has no source.
func TestLineOfABody(t *testing.T) {
	var out bytes.Buffer
	o := transfer.Outcome{Plan: transfer.Plan{Dest: transfer.Dest{Env: "e", Path: "p"}}}
	telemetry.New(&out, slog.LevelInfo, "").File(t.Context(), &o)
	if source, ok := lines(t, &out)[0]["source"]; ok {
		t.Errorf("the source is %v", source)
	}
}

// A code is fit for a dimension of CloudWatch, whatever a store calls its errors.
func TestCodesAreBounded(t *testing.T) {
	for code, want := range map[string]string{
		"NoSuchKey":                "NoSuchKey",
		"拒绝":                       "Denied",
		"No Such\nKey\x7f":         "NoSuchKey",
		strings.Repeat("x", 20000): strings.Repeat("x", 64),
		"":                         "Denied",
	} {
		for _, function := range []string{"", "fn"} {
			var out bytes.Buffer
			o := transfer.Outcome{Err: &transfer.Error{Kind: transfer.KindDenied, Code: code}}
			l := telemetry.New(&out, slog.LevelInfo, function)
			l.File(t.Context(), &o)
			l.Invocation(t.Context(), []transfer.Outcome{o}, 0, 0)
			got := lines(t, &out)
			if got[0]["code"] != want || got[2]["Code"] != want {
				t.Errorf("code %.20q is logged as %.20q and counted as %.20q, want %q", code, got[0]["code"], got[2]["Code"], want)
			}
		}
	}
}

func TestLevel(t *testing.T) {
	for _, function := range []string{"", "fn"} {
		var out bytes.Buffer
		l := telemetry.New(&out, slog.LevelError, function)
		outs := outcomes()
		for i := range outs {
			l.File(t.Context(), &outs[i])
		}
		if n := len(lines(t, &out)); n != 1 {
			t.Errorf("function %q: %d lines at level error, want the one failure", function, n)
		}
		out.Reset()
		l.Invocation(t.Context(), outs, 1, time.Second)
		if n := len(lines(t, &out)); n != 3 {
			t.Errorf("function %q: %d lines of metrics, want 3 whatever the level", function, n)
		}
		out.Reset()
		l.Audit().Warn("request")
		l.Refusal(t.Context(), 403)
		if n := len(lines(t, &out)); n != 2 {
			t.Errorf("function %q: %d lines of a refusal, want 2 whatever the level", function, n)
		}
	}
}

func TestMetrics(t *testing.T) {
	for _, function := range []string{"", "fn"} {
		var out bytes.Buffer
		l := telemetry.New(&out, slog.LevelInfo, function)
		l.Invocation(telemetry.WithIDs(t.Context(), telemetry.IDs{Request: "r-1"}), outcomes(), 1, 1500*time.Millisecond)
		got := lines(t, &out)
		if len(got) != 3 {
			t.Fatalf("%d lines", len(got))
		}
		for i, want := range []map[string]any{
			{"FilesDelivered": 2.0, "FilesSkipped": 1.0, "FilesFailed": 1.0, "BytesDelivered": 15.0, "Attempts": 3.0, "Resumes": 1.0,
				"TicketFetches": 4.0, "TokenFetches": 1.0, "Duration": 1500.0},
			{"Failures": 1.0, "Kind": "Denied", "Code": "40164"},
			{"SettleFailures": 1.0},
		} {
			want["requestId"] = "r-1"
			for k, v := range want {
				if got[i][k] != v {
					t.Errorf("function %q, line %d: %s is %v, want %v", function, i, k, got[i][k], v)
				}
			}
		}
		if function == "" {
			continue
		}
		aws, _ := json.Marshal(got[1]["_aws"])
		const want = `"CloudWatchMetrics":[{"Dimensions":[["Function"],["Function","Kind"],["Function","Kind","Code"]],"Metrics":[{"Name":"Failures","Unit":"Count"}],"Namespace":"tcbferry"}]`
		if !strings.Contains(string(aws), want) || got[1]["Function"] != "fn" {
			t.Errorf("the metric format is %s", aws)
		}
	}
}
