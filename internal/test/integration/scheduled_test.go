//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// testScheduled has lambda-check find what is missing, write its report into a bucket, and
// send what it found to the queue of lambda-objects. Then another check finds nothing.
func testScheduled(t *testing.T, m *moto) {
	s := newSite(t, m.url, "scheduled")
	q := m.queue(t, "scheduled")
	want := map[string]string{}
	for i := range 25 {
		key := fmt.Sprintf("in/红 a+b %02d.txt", i)
		want[key] = "content of " + key
		s.put(t, key, want[key])
		if i >= 12 {
			s.Cloud.Put(devstack.Env, key, []byte(want[key]))
		}
	}
	l := platform.NewLambda(functions.Path(t, "lambda-check"), devstack.With(s.Vars(), "AWS_ENDPOINT_URL_S3", m.url, "AWS_ENDPOINT_URL_SQS", m.url,
		"AWS_ACCESS_KEY_ID", accessKey, "AWS_SECRET_ACCESS_KEY", secretKey, "AWS_REGION", region,
		"CHECK_SOURCE", "s3://"+s.bucket+"/in/", "CHECK_REPORTS", "s3://"+s.bucket+"/check/", "CHECK_REPAIR", "true", "CHECK_QUEUE_URL", q.url))
	t.Cleanup(l.Close)
	check := func(run, counts string) {
		t.Helper()
		r, err := l.Invoke(t.Context(), []byte(`{"run":"`+run+`"}`), limit)
		if err != nil || r.FunctionError || !strings.Contains(string(r.Payload), `"done":true`) || !strings.HasSuffix(string(r.Payload), counts+"}") {
			t.Fatalf("%v %s %s\n%s", err, r.Payload, r.ErrorMessage, l.Output())
		}
	}
	check("first", `"same":13,"missing":12,"different":0,"failed":0,"skipped":0,"sent":12`)
	report, err := s3Client(m.url).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("check/first/00001.csv")})
	if err != nil {
		t.Fatal(err)
	}
	report.Body.Close()
	if tried := q.pump(t, s, true); len(tried) != 12 {
		t.Errorf("%d messages came", len(tried))
	}
	check("second", `"same":25,"missing":0,"different":0,"failed":0,"skipped":0,"sent":0`)
	s.arrived(t, want)
}
