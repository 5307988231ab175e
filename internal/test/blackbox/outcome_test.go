package blackbox_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A row of the table of kinds in docs/reference/errors.md, and a file that ends there.
type row struct {
	key     string
	arrange func(w *devstack.World, key string)
	source  staging.Fault // of the file's download
	want    ending
}

// An ending is how a file ends.
type ending struct {
	reason    string // of a skipped file
	code      string // of a failed one
	retryable bool
}

const good = "in/2026 Q4/红花 a+b (1).txt" // the neighbour of every file that fails

// rows are the table, by kind.
func rows() map[string]row {
	upload := func(f tcb.Fault) func(*devstack.World, string) {
		return func(w *devstack.World, key string) { w.Cloud.Inject(kit.Always(f, key)) }
	}
	return map[string]row{
		"Malformed": {key: "", want: ending{code: "Malformed"}},
		"Refused":   {key: "in/../坏 a+b.txt", want: ending{code: "InvalidPath"}},
		"NotFound": {key: "in/gone.txt", want: ending{reason: "gone"},
			arrange: func(w *devstack.World, key string) {
				w.Staging.Remove(devstack.Bucket, key)
				w.Staging.Remove(kit.CosBucket, key)
			}},
		"Denied": {key: "in/secret.txt", want: ending{code: "AccessDenied"}, source: staging.Fault{Status: 403}},
		"Stale": {key: "in/stale.txt", want: ending{code: "ExpiredToken", retryable: true},
			arrange: upload(tcb.COSError(400, "ExpiredToken", "The provided token has expired."))},
		"Throttled": {key: "in/busy.txt", want: ending{code: "SlowDown", retryable: true},
			arrange: upload(kit.Final(tcb.COSError(503, "SlowDown", "Please reduce your request rate.")))},
		"Unavailable": {key: "in/gateway.txt", want: ending{code: "Unavailable", retryable: true},
			arrange: upload(kit.Final(tcb.FaultNamed("upload gateway 502")))},
		"Corrupt": {key: "in/corrupt.txt", want: ending{code: "BadDigest", retryable: true},
			arrange: upload(kit.Final(tcb.COSError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")))},
		"OutOfTime": {key: "in/slow.txt", want: ending{code: "OutOfTime", retryable: true}, source: staging.Fault{After: 3, Stall: true}},
	}
}

// A form is an envelope on its platform, and how it is answered.
type form struct {
	name   string
	start  func(t testing.TB, w *devstack.World, more ...string) *function
	vars   []string
	event  func(keys ...string) []byte
	answer func(t *testing.T, r platform.Result, want ending)
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
	byName := map[string]form{}
	for _, form := range forms {
		byName[form.name] = form
	}
	sideBySide(t, byName, func(t *testing.T, _ string, form form) {
		w := kit.NewWorld(t)
		body := kit.Put(t, w, good, "the good one")
		rows := rows()
		for _, row := range rows {
			if row.key != "" {
				kit.Put(t, w, row.key, "the bad one")
			}
			if row.arrange != nil {
				row.arrange(w, row.key)
			}
		}
		w.Staging.OnGet = func(_, key string, _ int) *staging.Fault {
			for _, row := range rows {
				if row.key == key {
					return &row.source
				}
			}
			return nil
		}
		f := form.start(t, w, append(form.vars, manyAtOnce...)...)
		sideBySide(t, rows, func(t *testing.T, kind string, row row) {
			f, event := f.at(t), form.event(row.key, good)
			if kind == "OutOfTime" {
				f.hurry(func(limit time.Duration) bool {
					before := f.late(good)
					r := f.invoke(event, limit)
					if f.late(good) > before {
						return false
					}
					form.answer(t, r, row.want)
					return true
				})
			} else {
				form.answer(t, f.invoke(event, limit), row.want)
			}
			kit.Stored(t, w.Cloud, devstack.Env, good, body)
			logged := func(l kit.Line) bool {
				return l.Kind == kind && l.Code == row.want.code && l.Retryable == row.want.retryable
			}
			if row.want.code != "" && !slices.ContainsFunc(kit.Lines(f.program.Output()), logged) {
				t.Errorf("the log has no file of kind %s and code %s", kind, row.want.code)
			}
		})
	})
}

// late is how many times the log says that there was no time for the key.
func (f *function) late(key string) (n int) {
	for _, l := range kit.Lines(f.program.Output()) {
		if l.Kind == "OutOfTime" && strings.Contains(l.Source, key) {
			n++
		}
	}
	return n
}

// filesAnswer checks the files document: first the bad one, then the good one.
func filesAnswer(t *testing.T, r platform.Result, want ending) {
	files := kit.Entries(t, r)
	if len(files) != 2 || files[1].Status != "delivered" || files[1].Path != good {
		t.Fatalf("the answer is %+v", files)
	}
	matches(t, files[0], want)
}

func matches(t *testing.T, e kit.Entry, want ending) {
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
func partialAnswer(t *testing.T, r platform.Result, want ending) {
	reply := `{"batchItemFailures":[{"itemIdentifier":"m-0"}]}`
	if want.reason != "" {
		reply = `{"batchItemFailures":[]}`
	}
	if r.FunctionError || string(r.Payload) != reply {
		t.Errorf("the answer is %s%s, not %s", r.Payload, r.ErrorType, reply)
	}
}

// batchAnswer checks the response document of S3 Batch Operations.
func batchAnswer(t *testing.T, r platform.Result, want ending) {
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
