package blackbox_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	samples = "../../../events"
	goldens = "../../event/testdata/golden"
)

// A golden is how a sample of events/ is to end: see package event.
type golden struct {
	Form, Error string
	Items       []struct{ Source, Reason, Error string }
	Reply       json.RawMessage
}

// Every sample runs through the real function, one process for each host, with
// its files provided. After each one that is no event, a good one is served.
func TestSamples(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, *devstack.World, ...string) *function{"lambda": lambda, "scf": scf} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			f := start(t, w)
			f.secrets = append(f.secrets, "q-sign-", "AQEB", "principalId") // of the uploaders and queues in the samples
			files, err := filepath.Glob(filepath.Join(samples, name+"-*.json"))
			if err != nil || len(files) == 0 {
				t.Fatal("no samples", err)
			}
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) { sample(t, w, f, file) })
			}
			f.serves(w, name)
		})
	}
}

func sample(t *testing.T, w *devstack.World, f *function, file string) {
	var want golden
	if err := json.Unmarshal(kit.Read(t, filepath.Join(goldens, filepath.Base(file))), &want); err != nil {
		t.Fatal(err)
	}
	for _, item := range want.Items {
		if item.Source == "" || item.Reason != "" {
			continue
		}
		ref, err := transfer.Parse(item.Source)
		if err == nil {
			w.Staging.AddBucket(ref.Bucket)
			err = w.Staging.Put(ref.Bucket, ref.Key, "text/plain", []byte(item.Source))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := f.invoke(kit.Read(t, file), limit)
	switch {
	case want.Error != "":
		if r.ErrorType != "EventNotUnderstood" || r.ErrorMessage != want.Error {
			t.Errorf("the error is %s: %s\nnot %s", r.ErrorType, r.ErrorMessage, want.Error)
		}
		return
	case want.Form == "sqs":
		if string(r.Payload) != compact(t, want.Reply) {
			t.Errorf("the answer is %s%s\nnot %s", r.Payload, r.ErrorMessage, want.Reply)
		}
	case want.Form == "s3-batch":
		if got, want := results(t, r.Payload), results(t, want.Reply); !reflect.DeepEqual(got, want) {
			t.Errorf("the answer is %v, not %v", got, want)
		}
	case len(want.Items) == 1 && strings.HasPrefix(want.Items[0].Source, "cos://staging-1250000000//"):
		matches(t, kit.Entries(t, r)[0], ending{code: "InvalidPath"}) // its key begins with a slash
		return
	default:
		same(t, kit.Entries(t, r), kit.Entries(t, platform.Result{
			Payload: []byte(compact(t, want.Reply)), FunctionError: r.FunctionError, ErrorType: r.ErrorType, ErrorMessage: compact(t, want.Reply),
		}))
	}
	for _, item := range want.Items {
		if item.Source != "" && item.Reason == "" {
			ref, _ := transfer.Parse(item.Source)
			kit.Stored(t, w.Cloud, devstack.Env, ref.Key, item.Source)
		}
	}
}

// same compares what does not depend on the files' content.
func same(t *testing.T, got, want []kit.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d files are answered, not %d", len(got), len(want))
	}
	for i, g := range got {
		if w := want[i]; g.Source != w.Source || g.Status != w.Status || g.Reason != w.Reason || g.Error != w.Error {
			t.Errorf("the answer is %+v, not %+v", g, w)
		}
	}
}

// results are the codes of a reply to S3 Batch Operations.
func results(t *testing.T, doc []byte) map[string]string {
	t.Helper()
	var reply struct {
		InvocationID string
		Results      []struct{ TaskID, ResultCode string }
	}
	if err := json.Unmarshal(doc, &reply); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	all := map[string]string{"invocationId": reply.InvocationID}
	for _, r := range reply.Results {
		all[r.TaskID] = r.ResultCode
	}
	return all
}

// serves fails the test unless the same process serves a good event.
func (f *function) serves(w *devstack.World, name string) {
	f.t.Helper()
	body := kit.Put(f.t, w, good, "good "+name)
	event := s3Event(good)
	if strings.HasPrefix(name, "scf") {
		event = cosEvent(good)
	}
	kit.Delivered(f.t, w.Cloud, devstack.Env, f.one(event), body)
	if n := strings.Count(f.program.Output(), "goroutine "); n > 0 {
		f.t.Errorf("the output has %d stacks", n)
	}
}

// Nothing that arrives ends a process.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, *devstack.World, ...string) *function{"lambda": lambda, "scf": scf} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			f := start(t, w)
			huge := 5 << 20
			if name == "scf" { // which decodes as the other one does
				huge = 1 << 20
			}
			for what, payload := range garbage(huge) {
				r := f.invoke([]byte(payload), limit)
				switch {
				case what == "nested" && name == "lambda": // an SQS message that fails alone
					partialAnswer(t, r, ending{code: "Malformed"})
				case !r.FunctionError || r.ErrorType != "EventNotUnderstood" && r.ErrorType != "DeliveryFailed" || r.ErrorMessage == "":
					t.Errorf("%s: the answer is %.500q %s", what, r.Payload, r.ErrorType)
				case len(r.ErrorMessage) > 4<<10 && what != "20000 files":
					t.Errorf("%s: the message has %d bytes: %.200s", what, len(r.ErrorMessage), r.ErrorMessage)
				}
			}
			if peak := f.program.PeakRSS(); peak > 128<<20 { // the least that Lambda offers
				t.Errorf("the process took %d MiB", peak>>20)
			}
			f.serves(w, name)
			if n := w.Cloud.Commits(); n != 1 {
				t.Errorf("%d files were stored", n)
			}
		})
	}
}

// garbage is by what it is; some of it has about huge bytes.
func garbage(huge int) map[string]string {
	nested := "x"
	for range 12 { // JSON in JSON: it doubles its backslashes each time
		nested = string(document(object{"Records": []any{object{"eventSource": "aws:sqs", "messageId": "m-0", "body": nested}}}))
	}
	return map[string]string{
		"empty": "", "null": "null", "number": "1e999999", "text": `"text"`, "list": "[]", "no fields": "{}", "cut off": `{"Records":[{`,
		"zeros": strings.Repeat("\x00", 1000), "no UTF-8": "\xff\xfe{}", "records null": `{"Records":null}`, "records object": `{"Records":{}}`,
		"records of null": `{"Records":[null]}`, "records of all kinds": `{"Records":[1,"x",[],{},null,true]}`, "bare record": `{"Records":[{"eventSource":"aws:s3"}]}`,
		"s3 of another type":  `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":[1,2]}]}`,
		"cos of another type": `{"Records":[{"cos":7,"event":"x"}]}`, "key of another type": `{"Records":[{"cos":{"cosObject":{"key":{}}},"event":{"eventName":"cos:ObjectCreated:Put"}}]}`,
		"no files": `{"files":[]}`, "files of all kinds": `{"files":[1,null,{},"x","s3://","cos://b"]}`, "files text": `{"files":"s3://a/b"}`,
		"tasks object": `{"tasks":{},"invocationId":1}`, "items number": `{"Items":1}`, "request payload": `{"requestPayload":{"requestPayload":{}}}`,
		"nested": nested, "deep lists": strings.Repeat("[", huge), "deep objects": strings.Repeat(`{"a":`, huge/5),
		"long text": `"` + strings.Repeat("a", huge) + `"`, "long field": `{"` + strings.Repeat("a", huge) + `":1}`, "long number": strings.Repeat("9", huge),
		"long key":    `{"files":["s3://b/` + strings.Repeat("k", huge) + `"]}`,
		"many fields": "{" + strings.Repeat(`"a":1,`, huge/6) + `"a":1}`, "many empty records": `{"Records":[` + strings.Repeat(`{},`, huge/3) + `{}]}`,
		"many bare records": `{"Records":[` + strings.Repeat(`{"eventSource":"aws:s3"},`, huge/25) + `{}]}`, "20000 files": `{"files":[` + strings.Repeat("1,", 19_999) + `1]}`,
	}
}

func compact(t *testing.T, doc []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
