package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// quote returns s as a JSON string without escaping more than it must.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func s3Record(key string) string {
	return `{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"eu-west-1",` +
		`"s3":{"bucket":{"name":"b"},"object":{"key":` + key + `}}}`
}

func s3Event(key string) string { return `{"Records":[` + s3Record(key) + `]}` }

func bridgeEvent(key string) string {
	return `{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":` + key + `}}}`
}

func sqsEvent(bodies ...string) string {
	records := make([]string, len(bodies))
	for i, body := range bodies {
		records[i] = fmt.Sprintf(`{"eventSource":"aws:sqs","messageId":"m-%d","body":%s}`, i+1, quote(body))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func cosEvent(name, appID, key, url string) string {
	return `{"Records":[{"cos":{"cosBucket":{"name":` + quote(name) + `,"appid":` + appID + `,"region":"sh"},` +
		`"cosObject":{"key":` + quote(key) + `,"url":` + quote(url) + `}},"event":{"eventName":"cos:ObjectCreated:Put"}}]}`
}

func mustDecode(t *testing.T, payload string, host event.Host) []transfer.Item {
	t.Helper()
	e, err := event.Decode([]byte(payload), host)
	if err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return e.Items
}

func TestReasons(t *testing.T) {
	t.Parallel()
	named := func(name, key string) string {
		return strings.Replace(s3Event(quote(key)), "ObjectCreated:Put", name, 1)
	}
	typed := func(kind string) string { return strings.Replace(bridgeEvent(`"k"`), "Object Created", kind, 1) }
	for _, test := range []struct {
		payload string
		want    transfer.Reason
	}{
		{named("ObjectCreated:Put", "k"), ""},
		{named("ObjectCreated:Post", "k"), ""},
		{named("s3:ObjectCreated:CompleteMultipartUpload", "k"), ""},
		{named("ObjectCreated:Put", "in/"), transfer.ReasonFolder},
		{named("ObjectCreated:Put", "in%2F"), transfer.ReasonFolder},
		{named("ObjectRemoved:Delete", "k"), transfer.ReasonNotCreated},
		{named("ObjectRemoved:Delete", "in/"), transfer.ReasonNotCreated},
		{named("ObjectTagging:Put", "k"), transfer.ReasonNotCreated},
		{named("ObjectCreatedX", "k"), transfer.ReasonNotCreated},
		{typed("Object Created"), ""},
		{typed("Object Deleted"), transfer.ReasonNotCreated},
		{typed("Object Annotation Created"), transfer.ReasonNotCreated},
		{typed("Object created"), transfer.ReasonNotCreated},
		{bridgeEvent(`"in/"`), transfer.ReasonFolder},
		{`{"source":"aws.s3","detail-type":"Object Deleted","detail":{}}`, transfer.ReasonNotCreated},
		{`{"Event":"s3:TestEvent","Bucket":"b"}`, transfer.ReasonTestEvent},
		{`{"Event":"s3:TestEvent"}`, transfer.ReasonTestEvent},
		{`{"files":["s3://b/in/"]}`, transfer.ReasonFolder},
		{`{"BatchInput":{"bucket":"b"},"Items":[{"Key":"in/"}]}`, transfer.ReasonFolder},
	} {
		item := mustDecode(t, test.payload, event.HostLambda)[0]
		if item.Reason != test.want || item.Err != nil {
			t.Errorf("%s: got %q, %v", test.payload, item.Reason, item.Err)
		}
	}
}

// What cannot be read is an item of its own, and the others are not touched.
func TestBrokenItems(t *testing.T) {
	t.Parallel()
	const good = `"s3://b/k"`
	for _, test := range []struct{ payload, want string }{
		{`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}},` + s3Record(`"k"`) + `]}`, "record 1: it has no eventName"},
		{`{"Records":[` + s3Record(`""`) + `,` + s3Record(`"k"`) + `]}`, "record 1: it names no bucket or no key"},
		{`{"Records":[` + s3Record(`["k"]`) + `,` + s3Record(`"k"`) + `]}`, "record 1: it names no bucket or no key"},
		{"{\"Records\":[" + s3Record("\"a\xff\"") + `,` + s3Record(`"k"`) + `]}`, "record 1: it is not valid UTF-8"},
		{`{"Records":[1,` + s3Record(`"k"`) + `]}`, "record 1: it is of an unknown kind"},
		{`{"Records":[null,` + s3Record(`"k"`) + `]}`, "record 1: it is of an unknown kind"},
		{`{"Records":[{"EventSource":"aws:sns","Sns":{}},` + s3Record(`"k"`) + `]}`, "record 1: SNS message: the payload is not JSON"},
		{sqsEvent(`hello`, s3Event(`"k"`)), "record 1: SQS message m-1: the payload is not JSON"},
		{sqsEvent(``, s3Event(`"k"`)), "SQS message m-1: the payload is not JSON"},
		{sqsEvent(`[]`, s3Event(`"k"`)), "SQS message m-1: the payload is JSON, but not an object"},
		{sqsEvent(`{"Records":{}}`, s3Event(`"k"`)), "SQS message m-1: Records is not a list"},
		{sqsEvent(`{"Records":[]}`, s3Event(`"k"`)), "SQS message m-1: Records is empty"},
		{sqsEvent(`{"a":1}`, s3Event(`"k"`)), "SQS message m-1: unknown event with the fields a"},
		{`{"files":[7,` + good + `]}`, "file 1: it is not a string"},
		{`{"files":["k",` + good + `]}`, `file 1: "k" is not a reference`},
		{`{"files":["s3://b/",` + good + `]}`, "file 1: it names no bucket or no key"},
		{`{"files":["https://h/k",` + good + `]}`, "file 1: an https source goes to the HTTP function"},
		{`{"BatchInput":{"bucket":"b"},"Items":[{},{"Key":"k"}]}`, "item 1: it names no bucket or no key"},
		{`{"Items":[{"Key":"j"},{"Bucket":"b","Key":"k"}]}`, "item 1: neither it nor BatchInput names a bucket"},
		{`{"invocationId":"i","tasks":[{"taskId":"t","s3Key":"k"},{"s3Bucket":"b","s3Key":"k"}]}`, "task 1: it names no bucket or no key"},
	} {
		items := mustDecode(t, test.payload, event.HostLambda)
		if len(items) != 2 || items[1].Err != nil || items[1].Ref.Key != "k" {
			t.Errorf("%s: got %+v", test.payload, items)
			continue
		}
		err := items[0].Err
		if err == nil || err.Kind != transfer.KindMalformed || err.Stage != transfer.StageDecode || !strings.Contains(err.What, test.want) {
			t.Errorf("%s: got %v, want %q", test.payload, err, test.want)
		}
	}
}

func TestBrokenCOSRecord(t *testing.T) {
	t.Parallel()
	payload := strings.Replace(cosEvent("n", `"1"`, "/1/n/k", ""), "eventName", "other", 1)
	if item := mustDecode(t, payload, event.HostSCF)[0]; item.Err == nil || !strings.Contains(item.Err.What, "record 1: it has no eventName") {
		t.Errorf("got %+v", item)
	}
	if item := mustDecode(t, cosEvent("n", `"1"`, "/1/n/", ""), event.HostSCF)[0]; item.Err == nil {
		t.Errorf("no key: got %+v", item)
	}
}

// Bytes that are not UTF-8 are found even where a layer of JSON has hidden them.
func TestInvalidUTF8Inside(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		strings.Replace(bridgeEvent(`"kX"`), "X", "\xff", 1),
		strings.Replace(sqsEvent(s3Event(`"kX"`)), "kX", "k\xff", 1),
		strings.Replace(`{"Type":"Notification","Message":`+quote(s3Event(`"kX"`))+`}`, "kX", "k\xff", 1),
		strings.Replace(`{"requestPayload":`+s3Event(`"kX"`)+`}`, "kX", "k\xff", 1),
	} {
		if item := mustDecode(t, payload, event.HostLambda)[0]; item.Err == nil || !strings.Contains(item.Err.What, "it is not valid UTF-8") {
			t.Errorf("%q: got %+v", payload, item)
		}
	}
}

func TestUnknownPayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500)
	for _, test := range []struct {
		host          event.Host
		payload, want string
	}{
		{event.HostLambda, ``, "not JSON"},
		{event.HostLambda, `{"Records":[`, "not JSON"},
		{event.HostLambda, `null`, "not an object"},
		{event.HostLambda, `"s3://b/k"`, "not an object"},
		{event.HostLambda, `{}`, "no fields"},
		{event.HostLambda, `{"Records":null}`, "the fields Records"},
		{event.HostLambda, `{"Records":"x"}`, "Records is not a list"},
		{event.HostLambda, `{"Records":[]}`, "Records is empty"},
		{event.HostLambda, `{"Records":[{"eventSource":"aws:kinesis","kinesis":{}}]}`, `eventSource is "aws:kinesis"`},
		{event.HostLambda, `{"files":[]}`, "files is empty"},
		{event.HostLambda, `{"files":"s3://b/k"}`, "files is not a list"},
		{event.HostLambda, `{"tasks":[],"invocationId":"i"}`, "tasks is empty"},
		{event.HostLambda, `{"Items":[],"BatchInput":{"bucket":"b"}}`, "Items is empty"},
		{event.HostLambda, `{"Items":[{"Key":"k"}]}`, "ItemBatcher.BatchInput"},
		{event.HostLambda, `{"Key":"k","LastModified":1,"Size":1}`, "ItemBatcher.BatchInput"},
		{event.HostLambda, `{"requestContext":{"condition":"Success"},"requestPayload":` + s3Event(`"k"`) + `,"responsePayload":{}}`, "an invocation that succeeded"},
		{event.HostLambda, `{"requestPayload":{"a":1}}`, "requestPayload: unknown event with the fields a"},
		{event.HostLambda, `{"requestPayload":null,"responsePayload":1}`, "the fields requestPayload, responsePayload"},
		{event.HostLambda, `{"source":"aws.s3","detail-type":"AWS API Call via CloudTrail","detail":{}}`, `detail-type is "AWS API Call via CloudTrail"`},
		{event.HostLambda, `{"source":"my.app","detail-type":"Object Created","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`, `source is "my.app"`},
		{event.HostLambda, `{"httpMethod":"GET","requestContext":{}}`, "belongs to lambda-http"},
		{event.HostSCF, `{"httpMethod":"GET"}`, "belongs to scf-http"},
		{event.HostSCF, `{"Records":[]}`, "Records is empty"},
		{event.HostSCF, `{`, "not JSON"},
		{event.HostLambda, `{"Type":"Notification","Message":"hello"}`, "SNS message: the payload is not JSON"},
		{event.HostLambda, `{"a\u0000\"红":1}`, "the fields a???;"},
		{event.HostSCF, `{"Records":[{"CMQ":{}}]}`, "its first record has the fields CMQ"},
		{event.HostSCF, s3Event(`"k"`), `eventSource is "aws:s3"`},
		{event.HostLambda, cosEvent("n", `"1"`, "/1/n/k", ""), "its first record has the fields cos, event"},
		{event.HostLambda, `{"b":1,"a":1,"` + long + `":1}`, "the fields a, b, " + long[:64] + "…;"},
		{event.HostLambda, `{"a1":1,"a2":1,"a3":1,"a4":1,"a5":1,"a6":1,"a7":1,"a8":1,"a9":1,"b1":1,"b2":1,"b3":1,"b4":1}`, "b3 and 1 more;"},
	} {
		_, err := event.Decode([]byte(test.payload), test.host)
		failure, ok := errors.AsType[*transfer.Error](err)
		if !ok || failure.Kind != transfer.KindMalformed || failure.Stage != transfer.StageDecode || !strings.Contains(failure.What, test.want) {
			t.Errorf("%s: got %v, want %q", test.payload, err, test.want)
		}
	}
}

// A value that may be a secret is not shown, wherever it stands.
func TestUnknownPayloadsShowNoValues(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`{"Authorization":"SECRET"}`,
		`{"https://host/k?sign=SECRET":1}`,
		`{"source":"https://host/k?sign=SECRET"}`,
		`{"source":"SECRET/SECRET"}`,
		`{"headers":{"authorization":"SECRET"}}`,
		`{"Records":[{"Authorization":"SECRET","eventSource":"x?SECRET"}]}`,
		`{"Records":[` + s3Record(`"k"`) + `,{"Authorization":"SECRET"}]}`,
	} {
		e, err := event.Decode([]byte(payload), event.HostLambda)
		said := fmt.Sprint(err)
		if e != nil {
			said = fmt.Sprint(e.Items[1].Err)
		}
		if !strings.Contains(said, "the fields") || strings.Contains(said, "SECRET") {
			t.Errorf("%s: %s", payload, said)
		}
	}
}

func TestNesting(t *testing.T) {
	t.Parallel()
	wrap := func(n int) string {
		payload := s3Event(`"k"`)
		for range n {
			payload = `{"requestPayload":` + payload + `}`
		}
		return payload
	}
	if items := mustDecode(t, wrap(4), event.HostLambda); items[0].Ref.Key != "k" {
		t.Errorf("5 envelopes: %+v", items)
	}
	for _, bomb := range []string{wrap(5), wrap(2000), sqsEvent(wrap(4)), strings.Repeat("[", 1e5), strings.Repeat(`{"requestPayload":`, 1e5)} {
		e, err := event.Decode([]byte(bomb), event.HostLambda)
		if e != nil && e.Items[0].Err != nil {
			err = e.Items[0].Err
		}
		if err == nil || len(err.Error()) > 500 {
			t.Errorf("a bomb of %d bytes: %.600v", len(bomb), err)
		}
	}
}

// The reply must name SQS messages even when other records are among them.
func TestMixedRecords(t *testing.T) {
	t.Parallel()
	sqs := strings.TrimSuffix(strings.TrimPrefix(sqsEvent(s3Event(`"k"`)), `{"Records":[`), `]}`)
	e, err := event.Decode([]byte(`{"Records":[`+s3Record(`"j"`)+`,`+sqs+`]}`), event.HostLambda)
	if err != nil || e.Form != event.FormSQS || len(e.Items) != 2 || e.Items[0].ID != "" || e.Items[1].ID != "m-1" {
		t.Errorf("got %+v, %v", e, err)
	}
}

// A replay of an SQS event is answered as what it came in.
func TestNestedIDsAreNotAnswered(t *testing.T) {
	t.Parallel()
	items := mustDecode(t, `{"requestPayload":`+sqsEvent(s3Event(`"k"`))+`}`, event.HostLambda)
	if items[0].ID != "" {
		t.Errorf("got ID %q", items[0].ID)
	}
	items = mustDecode(t, sqsEvent(`{"files":["s3://b/k"]}`, `{"requestPayload":`+sqsEvent(s3Event(`"k"`))+`}`), event.HostLambda)
	if items[1].ID != "m-2" {
		t.Errorf("got ID %q", items[1].ID)
	}
}

// A message that is not UTF-8 fails itself: it keeps its ID and its group.
func TestInvalidUTF8FailsItsMessage(t *testing.T) {
	t.Parallel()
	payload := strings.Replace(sqsEvent(s3Event(`"kX"`), s3Event(`"k"`)), "kX", "k\xff", 1)
	e, err := event.Decode([]byte(payload), event.HostLambda)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := e.Reply(deliver(e.Items), event.ReplyOptions{PartialBatch: true})
	if want := `{"batchItemFailures":[{"itemIdentifier":"m-1"}]}`; string(reply) != want || err != nil {
		t.Errorf("got %s %v, want %s", reply, err, want)
	}
}

// A message of a FIFO queue has a sequence number; without the queue's ARN that
// shows that its group has an order.
func TestGroups(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ arn, sequence, want string }{
		{"arn:aws:sqs:eu-west-1:1:q.fifo", "1", "g"},
		{"arn:aws:sqs:eu-west-1:1:q.fifo", "", "g"},
		{"", "1", "g"},
		{"arn:aws:sqs:eu-west-1:1:q", "", ""}, // fair sharing
	} {
		payload := fmt.Sprintf(`{"Records":[{"eventSource":"aws:sqs","messageId":"m","eventSourceARN":%q,"attributes":{"MessageGroupId":"g","SequenceNumber":%q},"body":%s}]}`,
			test.arn, test.sequence, quote(s3Event(`"k"`)))
		if item := mustDecode(t, payload, event.HostLambda)[0]; item.Group != test.want {
			t.Errorf("%+v: group %q", test, item.Group)
		}
	}
}

// Only the bucket of the console's template is a test.
func TestCOSTestEvent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, appID string
		want        transfer.Reason
	}{{"testpic", "1253970026", transfer.ReasonTestEvent}, {"photos", "1253970026", ""}, {"testpic", "1250000000", ""}} {
		payload := cosEvent(test.name, quote(test.appID), "/"+test.appID+"/"+test.name+"/k", "")
		if item := mustDecode(t, payload, event.HostSCF)[0]; item.Reason != test.want || item.Err != nil {
			t.Errorf("%s-%s: %q, %v, want %q", test.name, test.appID, item.Reason, item.Err, test.want)
		}
	}
}

// The forms of a bucket's ARN in S3 Batch Operations.
func TestBatchARNs(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:s3:::b":                                                        "b",
		"arn:aws-cn:s3:::b.with.dots":                                           "b.with.dots",
		"arn:aws:s3:us-east-1:0123456788:b":                                     "b",
		"arn:aws:s3:us-west-2:012345678901:accesspoint/p":                       "arn:aws:s3:us-west-2:012345678901:accesspoint:p",
		"arn:aws:s3:us-west-2:012345678901:accesspoint:p":                       "arn:aws:s3:us-west-2:012345678901:accesspoint:p",
		"arn:aws:s3::012345678901:accesspoint/x.mrap":                           "arn:aws:s3::012345678901:accesspoint:x.mrap",
		"arn:aws:s3express:us-west-2:012345678901:bucket/b--usw2-az1--x-s3":     "b--usw2-az1--x-s3",
		"arn:aws:s3-outposts:us-west-2:012345678901:outpost/op-1/accesspoint/p": "arn:aws:s3-outposts:us-west-2:012345678901:outpost:op-1:accesspoint:p",
		"arn:aws:s3-object-lambda:us-west-2:012345678901:accesspoint/p":         "arn:aws:s3-object-lambda:us-west-2:012345678901:accesspoint:p",
		"b":             "",
		"arn:aws:s3:::": "",
	} {
		item := mustDecode(t, `{"invocationId":"i","tasks":[{"taskId":"t","s3BucketArn":`+quote(arn)+`,"s3Key":"k"}]}`, event.HostLambda)[0]
		if item.Ref.Bucket != want || (want == "") != (item.Err != nil) {
			t.Errorf("%s: bucket %q, %v", arn, item.Ref.Bucket, item.Err)
		}
		if want == "" {
			continue
		}
		if v2 := mustDecode(t, `{"invocationId":"i","tasks":[{"taskId":"t","s3Bucket":`+quote(arn)+`,"s3Key":"k"}]}`, event.HostLambda)[0]; v2.Ref != item.Ref {
			t.Errorf("%s: bucket %q in schema 2.0", arn, v2.Ref.Bucket)
		}
		if back, err := transfer.Parse(item.Ref.String()); err != nil || back != item.Ref {
			t.Errorf("%s: the reference %s reads back as %+v, %v", arn, item.Ref, back, err)
		}
	}
}
