package event_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

var (
	denied = &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied, Code: "AccessDenied", What: "no"}
	busy   = &transfer.Error{Stage: transfer.StageUpload, Kind: transfer.KindThrottled, What: "busy"}
	both   = []bool{true, false}
)

// decoded returns an envelope and outcomes that fail where errs says so.
func decoded(t *testing.T, payload string, errs map[int]*transfer.Error) (*event.Envelope, []transfer.Outcome) {
	t.Helper()
	e, err := event.Decode([]byte(payload), event.HostLambda)
	if err != nil {
		t.Fatal(err)
	}
	outs := deliver(e.Items)
	for i, failure := range errs {
		outs[i].Err = failure
	}
	return e, outs
}

func TestFilesReply(t *testing.T) {
	t.Parallel()
	for _, partial := range both {
		e, outs := decoded(t, `{"files":["s3://b/a","s3://b/in/"]}`, nil)
		reply, err := e.Reply(outs, event.ReplyOptions{PartialBatch: partial})
		const want = `{"files":[{"source":"s3://b/a","status":"delivered","path":"a","fileId":"cloud://env.bucket/a","size":0,"attempts":1,"durationMs":182},` +
			`{"source":"s3://b/in/","status":"skipped","reason":"folder"}]}`
		if err != nil || string(reply) != want {
			t.Errorf("got %s, %v", reply, err)
		}
	}
}

func TestDeliveryFailed(t *testing.T) {
	t.Parallel()
	e, outs := decoded(t, `{"files":["s3://b/a","s3://b/c"]}`, map[int]*transfer.Error{1: denied})
	reply, err := e.Reply(outs, event.ReplyOptions{PartialBatch: true})
	failed, ok := errors.AsType[*event.DeliveryFailed](err)
	if !ok || reply != nil {
		t.Fatalf("got %s, %v", reply, err)
	}
	var doc struct {
		Files []struct {
			Source, Status string
			Error          struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(failed.Error()), &doc); err != nil || strings.Contains(failed.Error(), "\n") {
		t.Fatalf("not one line of JSON: %s", failed)
	}
	if len(doc.Files) != 2 || doc.Files[0].Status != "delivered" || doc.Files[1].Status != "failed" || doc.Files[1].Error.Code != "AccessDenied" {
		t.Errorf("got %s", failed)
	}
	if name := reflect.TypeOf(err).Elem().Name(); name != "DeliveryFailed" { // what the runtimes report
		t.Errorf("the error's type is %s", name)
	}
}

// An item that could not be read is answered like any other.
func TestBrokenItemFailsTheInvocation(t *testing.T) {
	t.Parallel()
	e, outs := decoded(t, `{"files":["s3://b/a","nonsense"]}`, nil)
	if _, err := e.Reply(outs, event.ReplyOptions{}); err == nil || !strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "s3://b/a") {
		t.Errorf("got %v", err)
	}
}

func fifo(id, group, keys string) string {
	return `{"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:1:q.fifo","messageId":"` + id +
		`","attributes":{"MessageGroupId":"` + group + `"},"body":` + quote(`{"files":[`+keys+`]}`) + `}`
}

func TestPartialBatch(t *testing.T) {
	t.Parallel()
	standard := sqsEvent(`{"files":["s3://b/1"]}`, `{"files":["s3://b/2","s3://b/3"]}`, `{"files":["s3://b/4"]}`)
	ordered := `{"Records":[` + strings.Join([]string{
		fifo("a1", "a", `"s3://b/1"`), fifo("b1", "b", `"s3://b/2"`), fifo("a2", "a", `"s3://b/3","s3://b/4"`),
		fifo("b2", "b", `"s3://b/5"`), fifo("a3", "a", `"s3://b/6"`),
	}, ",") + `]}`
	fair := strings.ReplaceAll(ordered, ".fifo", "")
	const none = `{"batchItemFailures":[]}`
	for _, test := range []struct {
		name, payload string
		failed        []int
		want          string
	}{
		{"all delivered", standard, nil, none},
		{"one message", standard, []int{0}, `{"batchItemFailures":[{"itemIdentifier":"m-1"}]}`},
		{"one of its files", standard, []int{2}, `{"batchItemFailures":[{"itemIdentifier":"m-2"}]}`},
		{"both of its files", standard, []int{1, 2}, `{"batchItemFailures":[{"itemIdentifier":"m-2"}]}`},
		{"all", standard, []int{0, 1, 2, 3}, `{"batchItemFailures":[{"itemIdentifier":"m-1"},{"itemIdentifier":"m-2"},{"itemIdentifier":"m-3"}]}`},
		{"group all delivered", ordered, nil, none},
		{"rest of the group", ordered, []int{0}, `{"batchItemFailures":[{"itemIdentifier":"a1"},{"itemIdentifier":"a2"},{"itemIdentifier":"a3"}]}`},
		{"middle of the group", ordered, []int{3}, `{"batchItemFailures":[{"itemIdentifier":"a2"},{"itemIdentifier":"a3"}]}`},
		{"end of the group", ordered, []int{4}, `{"batchItemFailures":[{"itemIdentifier":"b2"}]}`},
		{"both groups", ordered, []int{1, 5}, `{"batchItemFailures":[{"itemIdentifier":"b1"},{"itemIdentifier":"b2"},{"itemIdentifier":"a3"}]}`},
		{"groups of a standard queue have no order", fair, []int{0}, `{"batchItemFailures":[{"itemIdentifier":"a1"}]}`},
		{"unreadable message", sqsEvent(`x`, `{"files":["s3://b/1"]}`), nil, `{"batchItemFailures":[{"itemIdentifier":"m-1"}]}`},
		{"test event", sqsEvent(`{"Event":"s3:TestEvent"}`), nil, none},
	} {
		errs := map[int]*transfer.Error{}
		for _, i := range test.failed {
			errs[i] = busy
		}
		e, outs := decoded(t, test.payload, errs)
		if reply, err := e.Reply(outs, event.ReplyOptions{PartialBatch: true}); err != nil || string(reply) != test.want {
			t.Errorf("%s: got %s, %v", test.name, reply, err)
		}
		reply, err := e.Reply(outs, event.ReplyOptions{})
		if _, failed := errors.AsType[*event.DeliveryFailed](err); failed != (test.want != none) {
			t.Errorf("%s, without ReportBatchItemFailures: got %v", test.name, err)
		} else if !failed && !strings.HasPrefix(string(reply), `{"files":[`) {
			t.Errorf("%s, without ReportBatchItemFailures: got %s", test.name, reply)
		}
	}
}

// A failed message without an ID cannot be named, so the batch as a whole fails.
func TestPartialBatchWithoutID(t *testing.T) {
	t.Parallel()
	e, outs := decoded(t, strings.Replace(sqsEvent(`{"files":["s3://b/1"]}`), `"messageId":"m-1",`, ``, 1), map[int]*transfer.Error{0: busy})
	reply, err := e.Reply(outs, event.ReplyOptions{PartialBatch: true})
	if _, ok := errors.AsType[*event.DeliveryFailed](err); !ok || reply != nil {
		t.Errorf("got %s, %v", reply, err)
	}
}

func TestBatchReply(t *testing.T) {
	t.Parallel()
	const payload = `{"invocationSchemaVersion":"1.0","invocationId":"i-1","tasks":[
		{"taskId":"t-1","s3BucketArn":"arn:aws:s3:::b","s3Key":"a%26b"},
		{"taskId":"t-2","s3BucketArn":"arn:aws-cn:s3:::b","s3Key":"in/"},
		{"taskId":"t-3","s3BucketArn":"arn:aws:s3:::b","s3Key":"c"},
		{"taskId":"t-4","s3BucketArn":"arn:aws:s3:::b","s3Key":"d"},
		{"taskId":"t-5","s3BucketArn":"arn:aws:s3:::b","s3Key":"e"},
		{"s3BucketArn":"arn:aws:s3:::b","s3Key":"f"},
		{"taskId":"t-7"}]}`
	e, outs := decoded(t, payload, map[int]*transfer.Error{2: busy, 3: denied})
	outs[4].Reason = transfer.ReasonGone
	const want = `{"invocationSchemaVersion":"1.0","treatMissingKeysAs":"TemporaryFailure","invocationId":"i-1","results":[` +
		`{"taskId":"t-1","resultCode":"Succeeded","resultString":"cloud://env.bucket/a&b"},` +
		`{"taskId":"t-2","resultCode":"Succeeded","resultString":"folder"},` +
		`{"taskId":"t-3","resultCode":"TemporaryFailure","resultString":"upload: busy"},` +
		`{"taskId":"t-4","resultCode":"PermanentFailure","resultString":"open: no"},` +
		`{"taskId":"t-5","resultCode":"Succeeded","resultString":"gone"},` +
		`{"taskId":"t-7","resultCode":"PermanentFailure","resultString":"decode: task 7: it names no bucket or no key; send the event unchanged, with both"}]}`
	for _, partial := range both {
		if reply, err := e.Reply(outs, event.ReplyOptions{PartialBatch: partial}); err != nil || string(reply) != want {
			t.Errorf("got %s, %v", reply, err)
		}
	}
}

// One outcome for every item, or no answer at all.
func TestReplyCounts(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`{"files":["s3://b/a","s3://b/c"]}`,
		sqsEvent(`{"files":["s3://b/a","s3://b/c"]}`),
		`{"invocationId":"i","tasks":[{"taskId":"t","s3Bucket":"b","s3Key":"a"},{"taskId":"u","s3Bucket":"b","s3Key":"c"}]}`,
	} {
		e, outs := decoded(t, payload, nil)
		for _, wrong := range [][]transfer.Outcome{nil, outs[:1], append(outs, outs[0])} {
			if reply, err := e.Reply(wrong, event.ReplyOptions{PartialBatch: true}); err == nil || reply != nil {
				t.Errorf("%d outcomes for 2 files: got %s", len(wrong), reply)
			}
		}
	}
}
