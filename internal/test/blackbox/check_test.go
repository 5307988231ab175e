package blackbox_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/sqs"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A scheduled check finds what is missing and what differs, reports it, and sends it to the
// queue of lambda-objects. After that has delivered, another check finds nothing.
func TestScheduledCheck(t *testing.T) {
	t.Parallel()
	const files = 12
	w := kit.NewWorld(t)
	w.Staging.AddBucket("reports")
	q := &sqs.Queue{}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	var sources []string
	for i := range files {
		kit.Put(t, w, fmt.Sprintf("in/%02d a+b.txt", i), fmt.Sprint("content ", i))
		sources = append(sources, fmt.Sprintf("s3://%s/in/%02d a+b.txt", devstack.Bucket, i))
	}
	objects := lambda(t, w)
	delivered, err := json.Marshal(map[string]any{"files": sources[3:]})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range objects.deliver(delivered) {
		if e.Status != "delivered" {
			t.Fatalf("%+v", e)
		}
	}
	kit.Put(t, w, "in/07 a+b.txt", "CONTENT 7")
	kit.Put(t, w, "elsewhere/a.txt", "not checked")

	check := lambdaFunction(t, "lambda-check", w, "CHECK_SOURCE", "s3://"+devstack.Bucket+"/in/", "CHECK_REPORTS", "s3://reports/check/", "CHECK_REPAIR", "true",
		"CHECK_QUEUE_URL", server.URL+"/1/objects", "AWS_ENDPOINT_URL_SQS", server.URL)
	invoke := func(event string) (answer string) {
		t.Helper()
		r := check.invoke([]byte(event), limit)
		if r.FunctionError {
			t.Fatalf("%s: %s", r.ErrorType, r.ErrorMessage)
		}
		return string(r.Payload)
	}
	answer := invoke(`{"run":"2026-11-26T01:00:00Z"}`)
	const folder = "check/2026-11-26T01-00-00Z/"
	if want := `{"run":"2026-11-26T01-00-00Z","piece":1,"after":"","done":true,"reports":"s3://reports/` + folder + `","same":8,"missing":3,"different":1,"failed":0,"skipped":0,"sent":4}`; answer != want {
		t.Errorf("the check answers %s\nwant %s", answer, want)
	}
	report := func(name string) string {
		body, _ := w.Staging.Get("reports", folder+name)
		return string(body)
	}
	if want := "+ " + sources[0] + "\n+ " + sources[1] + "\n+ " + sources[2] + "\n* " + sources[7] + "\n"; report("00001.txt") != want {
		t.Errorf("the report is\n%s\nwant\n%s", report("00001.txt"), want)
	}
	if manifest := report("00001.csv"); strings.Count(manifest, "\n") != 4 || !strings.HasSuffix(manifest, devstack.Bucket+",in/07%20a%2Bb.txt\n") || report("summary.json") != answer {
		t.Errorf("the manifest is\n%s\nand the summary %s", manifest, report("summary.json"))
	}
	if out := check.program.Output(); !strings.Contains(out, `"CheckMissing":3`) || !strings.Contains(out, `"CheckDifferent":1`) {
		t.Errorf("the metrics are not there:\n%s", out)
	}

	messages := q.Take()
	records := make([]map[string]string, len(messages))
	for i, body := range messages {
		records[i] = map[string]string{"messageId": fmt.Sprint(i), "body": body, "eventSource": "aws:sqs"}
	}
	batch, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	if r := objects.invoke(batch, limit); r.FunctionError || string(r.Payload) != `{"batchItemFailures":[]}` {
		t.Errorf("the queue's batch: %s %s", r.Payload, r.ErrorMessage)
	}
	kit.Stored(t, w.Cloud, devstack.Env, "in/00 a+b.txt", "content 0")
	kit.Stored(t, w.Cloud, devstack.Env, "in/07 a+b.txt", "CONTENT 7")
	if answer := invoke("{}"); !strings.Contains(answer, `"same":12,"missing":0,"different":0,"failed":0,"skipped":0,"sent":0}`) || len(q.Take()) != 0 {
		t.Errorf("the second check answers %s", answer)
	}
}
