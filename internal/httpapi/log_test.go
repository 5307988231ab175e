package httpapi_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// The log says who asked for what, from where, and how it ended, and nothing of a
// health check.
func TestLog(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.send(t, "GET", "/healthz", nil, nil)
	f.send(t, "PUT", "/files/x%20y?q="+secret, bearer(teamKey), strings.NewReader("x"))
	f.send(t, "PUT", "/files/team/a/x", bearer(teamKey), strings.NewReader("x"))
	f.send(t, "POST", "/tickets", bearer(teamKey, "Content-Type", jsonType), strings.NewReader(`{"path":"team/a/t"}`))
	f.send(t, "PUT", "/"+strings.Repeat("x", 5000), bearer("guess"), strings.NewReader("x"))
	f.Close()
	lines := strings.Split(strings.TrimSpace(f.logs.String()), "\n")
	want := []string{
		`level=WARN msg=request method=PUT status=403 code=OutsidePrefix error="This key may write under \"team/a/\" only." key=team target=/files/x%20y path="x y" address=127.0.0.1 durationMs=`,
		`level=INFO msg=request method=PUT status=201 key=team target=/files/team/a/x path=team/a/x fileId=cloud://env.7465-env-125/team/a/x address=127.0.0.1 durationMs=`,
		`level=INFO msg=request method=POST status=201 key=team target=/tickets path=team/a/t fileId=cloud://env.7465-env-125/team/a/t expiresAt=2026-11-22T12:00:00Z address=127.0.0.1 durationMs=`,
		`level=WARN msg=request method=PUT status=401 code=Unauthorized error="The key is not one of this function's; check it for a missing character." target=/xxx`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %s", len(lines), f.logs)
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) || len(line) > 1500 {
			t.Errorf("line %d: %s\nwant %s", i, line, want[i])
		}
	}
	if strings.Contains(f.logs.String(), secret) {
		t.Error("the query is logged")
	}
}

// Refusals go to the log that keeps every line, and are counted.
func TestRefusalsAreKept(t *testing.T) {
	t.Parallel()
	var kept bytes.Buffer
	var counted []int
	f := start(t, func(o *httpapi.Options) {
		o.Log = slog.New(slog.DiscardHandler)
		o.Audit = slog.New(slog.NewTextHandler(&kept, nil))
		o.Refused = func(_ context.Context, status int) { counted = append(counted, status) }
	})
	f.send(t, "PUT", "/files/x", nil, strings.NewReader("x"))
	f.send(t, "PUT", "/files/x", bearer(teamKey), strings.NewReader("x"))
	f.send(t, "PUT", "/files/team/a/x", bearer(teamKey), strings.NewReader("x"))
	f.send(t, "GET", "/none", bearer(teamKey), nil)
	f.Close()
	if lines := strings.Count(kept.String(), "\n"); lines != 2 || !slices.Equal(counted, []int{401, 403}) {
		t.Errorf("counted %v, kept %s", counted, kept.String())
	}
}

// A caller is not told about the function's network and settings; the log is.
func TestTicketFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    *transfer.Error
		status int
		hidden bool
	}{
		{&transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindUnavailable, What: "no answer from tokens.internal"}, 503, true},
		{&transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindDenied, What: "cannot read /mnt/tokens.internal"}, 502, true},
		{&transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindDenied, Code: "40164", What: "40164: tokens.internal"}, 502, true},
		{&transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindDenied, Code: "48001", What: "48001: tokens.internal"}, 502, false},
		{&transfer.Error{Stage: transfer.StageUpload, Kind: transfer.KindUnavailable, What: "tokens.internal"}, 503, false},
	} {
		for _, target := range []string{"/files/x", "/tickets"} {
			f := start(t)
			f.deliverer.fail = tt.err
			method, body, header := "PUT", "x", bearer(anyKey)
			if target == "/tickets" {
				method, body = "POST", `{"path":"x"}`
				header.Set("Content-Type", jsonType)
			}
			resp, answer := f.send(t, method, target, header, strings.NewReader(body))
			f.Close()
			if p, err := readProblem(answer); err != nil || resp.StatusCode != tt.status || p.Code != tt.err.Label() {
				t.Errorf("%s: %d %s %v", tt.err.What, resp.StatusCode, answer, err)
			}
			if shown := strings.Contains(string(answer), "tokens.internal"); shown == tt.hidden {
				t.Errorf("%s: answered %s", tt.err.What, answer)
			}
			if !strings.Contains(f.logs.String(), "tokens.internal") {
				t.Errorf("%s: the log has not the reason: %s", tt.err.What, f.logs)
			}
		}
	}
}
