package blackbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// A row of the outcome table in docs/architecture.md, and a file that ends there.
type row struct {
	kind, key string
	arrange   func(w *devstack.World, key string)
	want      verdict
}

// A verdict is how a file ends.
type verdict struct {
	reason    string // of a skipped file
	code      string // of a failed one
	retryable bool
}

const good = "in/2026 Q4/红花 a+b (1).txt" // the neighbour of every file that fails

func rows() []row {
	upload := func(f tcb.Fault) func(*devstack.World, string) {
		return func(w *devstack.World, key string) { w.Cloud.Inject(always(f, key)) }
	}
	source := func(f staging.Fault) func(*devstack.World, string) {
		return func(w *devstack.World, key string) {
			w.Staging.OnGet = func(_, k string, _ int) *staging.Fault {
				if k != key {
					return nil
				}
				return &f
			}
		}
	}
	return []row{
		{kind: "Malformed", key: "", want: verdict{code: "Malformed"}},
		{kind: "Refused", key: "in/../坏 a+b.txt", want: verdict{code: "InvalidPath"}},
		{kind: "NotFound", key: "in/gone.txt", want: verdict{reason: "gone"},
			arrange: func(w *devstack.World, key string) {
				w.Staging.Remove(devstack.Bucket, key)
				w.Staging.Remove(cosBucket, key)
			}},
		{kind: "Denied", key: "in/secret.txt", want: verdict{code: "AccessDenied"}, arrange: source(staging.Fault{Status: 403})},
		{kind: "Stale", key: "in/stale.txt", want: verdict{code: "ExpiredToken", retryable: true},
			arrange: upload(tcb.COSError(400, "ExpiredToken", "The provided token has expired."))},
		{kind: "Throttled", key: "in/busy.txt", want: verdict{code: "SlowDown", retryable: true},
			arrange: upload(later(tcb.COSError(503, "SlowDown", "Please reduce your request rate.")))},
		{kind: "Unavailable", key: "in/gateway.txt", want: verdict{code: "Unavailable", retryable: true},
			arrange: upload(later(tcb.FaultNamed("upload gateway 502")))},
		{kind: "Corrupt", key: "in/corrupt.txt", want: verdict{code: "BadDigest", retryable: true},
			arrange: upload(later(tcb.COSError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")))},
		{kind: "OutOfTime", key: "in/slow.txt", want: verdict{code: "OutOfTime", retryable: true},
			arrange: source(staging.Fault{After: 3, Stall: true})},
	}
}

// A form is an envelope on its host, and how it is answered.
type form struct {
	name   string
	start  func(t testing.TB, w *devstack.World, more ...string) *function
	vars   []string
	event  func(keys ...string) []byte
	answer func(t *testing.T, r platform.Result, output string, want verdict)
}

var forms = []form{
	{"s3", lambda, nil, s3Event, filesAnswer},
	{"sqs", lambda, nil, sqsEvent, partialAnswer},
	{"sqs-whole", lambda, []string{"SQS_PARTIAL_BATCH", "false"}, sqsEvent, filesAnswer},
	{"batch", lambda, nil, batchEvent, batchAnswer},
	{"cos", scf, nil, cosEvent, filesAnswer},
}

// Every row of the table in every form. The good neighbour arrives each time.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for _, row := range rows() {
			t.Run(form.name+"/"+row.kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				body := put(t, w, good, "the good one")
				if row.arrange != nil {
					put(t, w, row.key, "the bad one")
					row.arrange(w, row.key)
				}
				f := form.start(t, w, form.vars...)
				limit := limit
				if row.kind == "OutOfTime" {
					limit = short
				}
				r := f.invoke(form.event(row.key, good), limit)
				form.answer(t, r, f.program.Output(), row.want)
				stored(t, w.Cloud, devstack.Env, good, body)
				if row.want.code != "" && !strings.Contains(f.program.Output(), fmt.Sprintf(`"kind":%q`, row.kind)) {
					t.Errorf("the log does not say %s", row.kind)
				}
			})
		}
	}
}

// filesAnswer checks the files document: first the bad one, then the good one.
func filesAnswer(t *testing.T, r platform.Result, _ string, want verdict) {
	files := entries(t, r)
	if len(files) != 2 || files[1].Status != "delivered" || files[1].Path != good {
		t.Fatalf("the answer is %+v", files)
	}
	matches(t, files[0], want)
}

func matches(t *testing.T, e entry, want verdict) {
	t.Helper()
	status := "failed"
	if want.reason != "" {
		status = "skipped"
	}
	if e.Status != status || e.Reason != want.reason || e.Error.Code != want.code || e.Error.Retryable != want.retryable {
		t.Errorf("%s is %s %q %+v, not %s %+v", e.Source, e.Status, e.Reason, e.Error, status, want)
	}
	if want.code != "" && len(e.Error.Message) < 30 {
		t.Errorf("the message %q explains nothing", e.Error.Message)
	}
}

// partialAnswer checks the reply to SQS, which names the failed message and
// nothing else; why it failed is in the log.
func partialAnswer(t *testing.T, r platform.Result, output string, want verdict) {
	reply := `{"batchItemFailures":[{"itemIdentifier":"m-0"}]}`
	if want.reason != "" {
		reply = `{"batchItemFailures":[]}`
	}
	if r.FunctionError || string(r.Payload) != reply {
		t.Errorf("the answer is %s%s, not %s", r.Payload, r.ErrorType, reply)
	}
	for _, say := range []string{fmt.Sprintf(`"code":%q`, want.code), fmt.Sprintf(`"retryable":%v`, want.retryable)} {
		if want.code != "" && !strings.Contains(output, say) {
			t.Errorf("the log does not say %s", say)
		}
	}
}

// batchAnswer checks the response document of S3 Batch Operations.
func batchAnswer(t *testing.T, r platform.Result, _ string, want verdict) {
	var doc struct {
		InvocationSchemaVersion, TreatMissingKeysAs, InvocationID string
		Results                                                   []struct{ TaskID, ResultCode, ResultString string }
	}
	if err := json.Unmarshal(r.Payload, &doc); err != nil || r.FunctionError || len(doc.Results) != 2 {
		t.Fatalf("the answer is %s%s", r.Payload, r.ErrorType)
	}
	if doc.InvocationSchemaVersion != "1.0" || doc.InvocationID != "invocation-1" || doc.TreatMissingKeysAs != "TemporaryFailure" {
		t.Errorf("the answer is %+v", doc)
	}
	code := "PermanentFailure"
	switch {
	case want.reason != "":
		code = "Succeeded"
	case want.retryable:
		code = "TemporaryFailure"
	}
	bad, ok := doc.Results[0], doc.Results[1]
	if bad.TaskID != "t-0" || bad.ResultCode != code || bad.ResultString == "" || want.reason != "" && bad.ResultString != want.reason {
		t.Errorf("the bad task is %+v, not %s", bad, code)
	}
	if ok.TaskID != "t-1" || ok.ResultCode != "Succeeded" || !strings.HasSuffix(ok.ResultString, "/"+good) {
		t.Errorf("the good task is %+v", ok)
	}
}
