package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// update: write the golden files anew.
var update = os.Getenv("UPDATE_GOLDEN") != ""

const (
	samples = "../../events"
	goldens = "testdata/golden"
)

// secrets are in the samples and must never be in what they decode to.
var secrets = []string{"q-sign", "AQEB", "minioadmin", "203.0.113", "principalId"}

// A golden is what one sample decodes to, and what is answered when every file
// of it is delivered. To add a case, add a file to events/ and run the tests
// with UPDATE_GOLDEN=1.
type golden struct {
	Host  event.Host      `json:"host"`
	Form  event.Form      `json:"form,omitempty"`
	Error string          `json:"error,omitempty"`
	Items []goldenItem    `json:"items,omitempty"`
	Reply json.RawMessage `json:"reply,omitempty"`
}

type goldenItem struct {
	ID     string     `json:"id,omitempty"`
	Group  string     `json:"group,omitempty"`
	Source string     `json:"source,omitempty"`
	Region string     `json:"region,omitempty"`
	AltKey string     `json:"altKey,omitempty"`
	Size   int64      `json:"size"`
	ETag   string     `json:"etag,omitempty"`
	Order  string     `json:"order,omitempty"`
	Time   *time.Time `json:"time,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Error  string     `json:"error,omitempty"`
}

func TestSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(samples, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	known := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		known[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := describe(t, read(t, file), hostOf(t, name))
			for _, secret := range secrets {
				if bytes.Contains(got, []byte(secret)) {
					t.Errorf("the outcome shows %q", secret)
				}
			}
			path := filepath.Join(goldens, name)
			if update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, path); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	entries, err := os.ReadDir(goldens)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s has no sample", e.Name())
		}
	}
}

// A sample of one host is unknown to the other, except the plain request.
func TestSamplesOnTheOtherHost(t *testing.T) {
	t.Parallel()
	other := map[event.Host]event.Host{event.HostLambda: event.HostSCF, event.HostSCF: event.HostLambda}
	files, _ := filepath.Glob(filepath.Join(samples, "*.json"))
	for _, file := range files {
		name := filepath.Base(file)
		_, err := event.Decode(read(t, file), other[hostOf(t, name)])
		if plain := strings.Contains(name, "-plain-request") && !strings.Contains(name, "-sqs-"); plain != (err == nil) {
			t.Errorf("%s on the other host: %v", name, err)
		}
	}
}

func describe(t *testing.T, payload []byte, host event.Host) []byte {
	t.Helper()
	g := golden{Host: host}
	e, err := event.Decode(payload, host)
	if err != nil {
		g.Error = err.Error()
		if failure, ok := errors.AsType[*transfer.Error](err); !ok || failure.Kind != transfer.KindMalformed || failure.Stage != transfer.StageDecode {
			t.Errorf("the error is %#v", err)
		}
		return marshal(t, g)
	}
	g.Form = e.Form
	for _, item := range e.Items {
		gi := goldenItem{
			ID: item.ID, Group: item.Group, Region: item.Ref.Region, AltKey: item.AltKey, Size: item.Size,
			ETag: item.ETag, Order: item.Order, Reason: string(item.Reason),
		}
		if item.Ref != (transfer.Ref{}) {
			gi.Source = item.Ref.String()
		}
		if !item.Time.IsZero() {
			gi.Time = &item.Time
		}
		if item.Err != nil {
			gi.Error = item.Err.Error()
		}
		g.Items = append(g.Items, gi)
	}
	reply, err := e.Reply(deliver(e.Items), event.ReplyOptions{PartialBatch: true})
	if failed, ok := errors.AsType[*event.DeliveryFailed](err); ok {
		reply = []byte(failed.Error())
	} else if err != nil {
		t.Fatal(err)
	}
	g.Reply = reply
	return marshal(t, g)
}

// deliver returns the outcomes of items that can all be delivered.
func deliver(items []transfer.Item) []transfer.Outcome {
	outs := make([]transfer.Outcome, len(items))
	for i, item := range items {
		outs[i] = transfer.Outcome{Plan: transfer.Plan{Item: item}, Reason: item.Reason, Err: item.Err}
		if item.Reason == "" && item.Err == nil {
			outs[i].Plan.Dest = transfer.Dest{Env: "env", Path: item.Ref.Key}
			outs[i].FileID = "cloud://env.bucket/" + item.Ref.Key
			outs[i].Size, outs[i].Attempts, outs[i].Took = max(item.Size, 0), 1, 182*time.Millisecond
		}
	}
	return outs
}

func hostOf(t *testing.T, name string) event.Host {
	t.Helper()
	host, _, _ := strings.Cut(name, "-")
	if host != string(event.HostLambda) && host != string(event.HostSCF) {
		t.Fatalf("%s names no host", name)
	}
	return event.Host(host)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
