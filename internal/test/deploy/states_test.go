package deploy

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

var functions kit.Functions

func TestMain(m *testing.M) { os.Exit(functions.Run(m)) }

// machines are the definitions of the state machines of a stack that has all of them.
func machines(t *testing.T) map[string]map[string]any {
	t.Helper()
	d := asIs(t)
	all := map[string]map[string]any{}
	for _, n := range d.with(map[string]string{"StagingBucket": devstack.Bucket, "Check": "daily", "Backfill": "true"}).nested() {
		n.values["ReportBucket"] = "reports"
		if arn, ok := n.values["FunctionArn"]; ok {
			name := map[string]string{"<LambdaObjects.Arn>": "objects", "<LambdaCheck.Arn>": "check"}[arn]
			n.values["FunctionArn"] = "arn:aws:lambda:us-east-1:123456789012:function:tcbferry-" + name
		}
		for id, p := range n.properties("AWS::StepFunctions::StateMachine") {
			all[id] = p["Definition"].(map[string]any)
		}
	}
	if len(all) != 3 {
		t.Fatalf("%d state machines", len(all))
	}
	return all
}

// The definitions are valid, and cfn-lint would notice if they were not. It does not follow
// the names of states: TestStateMachines does.
func TestLintStateMachines(t *testing.T) {
	t.Parallel()
	lintOf := func(definitions map[string]map[string]any) string {
		resources := map[string]any{}
		for id, definition := range definitions {
			resources[id] = map[string]any{"Type": "AWS::StepFunctions::StateMachine", "Properties": map[string]any{
				"RoleArn": "arn:aws:iam::123456789012:role/states", "Definition": definition}}
		}
		text, err := json.Marshal(map[string]any{"Resources": resources})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "machines.json")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		var says []string
		for _, f := range lint(t, []string{"us-east-1"}, file) {
			says = append(says, f.Rule.ID+" "+f.Message)
		}
		return strings.Join(says, "\n")
	}
	if says := lintOf(machines(t)); says != "" {
		t.Error(says)
	}
	seeded := machines(t)
	task := at(seeded["Backfill"], "States", "Listing", "ItemProcessor", "States", "Deliver").(map[string]any)
	task["Paramters"] = task["Parameters"]
	delete(at(seeded["CheckInventory"], "States", "Rows").(map[string]any), "End")
	says := lintOf(seeded)
	for _, want := range []string{"Paramters", "'End'"} {
		if !strings.Contains(says, want) {
			t.Errorf("cfn-lint does not notice %s:\n%s", want, says)
		}
	}
}

// A world of state machines: the built functions, and what the maps read.
type statesWorld struct {
	*devstack.World
	*machine
	t        *testing.T
	all      map[string]map[string]any
	payloads []string
}

func newStatesWorld(t *testing.T) *statesWorld {
	w := &statesWorld{World: kit.NewWorld(t), t: t, all: machines(t)}
	w.Staging.AddBucket("reports")
	running := map[string]*platform.Lambda{}
	for _, name := range []string{"objects", "check"} {
		vars := devstack.With(w.Vars(), "CHECK_SOURCE", "s3://"+devstack.Bucket+"/in/", "CHECK_REPORTS", "s3://reports/check/")
		running[name] = platform.NewLambda(functions.Path(t, "lambda-"+name), vars)
		t.Cleanup(running[name].Close)
	}
	w.machine = &machine{
		context: map[string]any{"Execution": map[string]any{"Name": "exec-1"}},
		invoke: func(function string, payload []byte) ([]byte, error) {
			w.payloads = append(w.payloads, string(payload))
			_, name, _ := strings.Cut(function, "function:tcbferry-")
			r, err := running[name].Invoke(t.Context(), payload, 30*time.Second)
			if err == nil && r.FunctionError {
				err = errors.New(r.ErrorType + ": " + r.ErrorMessage)
			}
			return r.Payload, err
		},
		read: w.items,
	}
	return w
}

// items are those of a distributed map as Step Functions makes them
// (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html).
func (w *statesWorld) items(resource string, config, parameters map[string]any) (items []any, err error) {
	bucket := fmt.Sprint(parameters["Bucket"])
	switch {
	case strings.HasSuffix(resource, ":s3:listObjectsV2"):
		for i := range 25 {
			if key := fmt.Sprintf("in/%02d a+b.txt", i); strings.HasPrefix(key, fmt.Sprint(parameters["Prefix"])) && bucket == devstack.Bucket {
				items = append(items, map[string]any{"Etag": `"e"`, "Key": key, "LastModified": 1668699881, "Size": 9, "StorageClass": "STANDARD"})
			}
		}
		return items, nil
	case config["InputType"] == "MANIFEST" && parameters["Key"] == "inventory/manifest.json" && bucket == "reports":
		for i := range 25 {
			items = append(items, map[string]any{"Bucket": devstack.Bucket, "Key": url.QueryEscape(fmt.Sprintf("in/%02d a+b.txt", i)), "Size": "9", "LastModifiedDate": "2026-03-09T00:00:00.000Z"})
		}
		return items, nil
	case config["InputType"] == "CSV" && config["CSVHeaderLocation"] == "GIVEN":
		body, ok := w.Staging.Get(bucket, fmt.Sprint(parameters["Key"]))
		if !ok {
			return nil, fmt.Errorf("there is no s3://%s/%v", bucket, parameters["Key"])
		}
		rows, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
		for _, row := range rows {
			item := map[string]any{}
			for i, name := range config["CSVHeaders"].([]any) {
				item[name.(string)] = row[i]
			}
			items = append(items, item)
		}
		return items, err
	}
	return nil, fmt.Errorf("nothing can be read by %s %v %v", resource, config, parameters)
}

// start runs a state machine to its end.
func (w *statesWorld) start(name, input string) any {
	w.t.Helper()
	var in any
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		w.t.Fatal(err)
	}
	output, err := w.run(w.all[name], in)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return output
}

// The state machines of the template, run with the built functions: a backfill of a prefix, a
// check that finds what changed, a backfill of its manifest, a check of an inventory.
func TestStateMachines(t *testing.T) {
	t.Parallel()
	w := newStatesWorld(t)
	for i := range 25 {
		kit.Put(t, w.World, fmt.Sprintf("in/%02d a+b.txt", i), fmt.Sprintf("content%02d", i))
	}
	answers := w.start("Backfill", `{"prefix":"in/"}`).([]any)
	if got := w.Cloud.Commits(); len(answers) != 3 || got != 25 || at(answers[0], "files") == nil {
		t.Fatalf("%d batches, %d files stored: %v", len(answers), got, answers)
	}
	kit.Put(t, w.World, "in/03 a+b.txt", "CONTENT03")
	kit.Put(t, w.World, "in/99 new.txt", "content99")
	found := w.start("Check", `{"run":"2026-11-26T03:00:00Z"}`)
	if fmt.Sprint(at(found, "same"), at(found, "missing"), at(found, "different"), at(found, "done")) != "24 1 1 true" {
		t.Errorf("the check found %v", found)
	}
	w.start("Backfill", `{"manifest":"check/2026-11-26T03-00-00Z/00001.csv"}`)
	kit.Stored(t, w.Cloud, devstack.Env, "in/03 a+b.txt", "CONTENT03")
	kit.Stored(t, w.Cloud, devstack.Env, "in/99 new.txt", "content99")
	pieces := w.start("CheckInventory", `{"key":"inventory/manifest.json"}`).([]any)
	if len(pieces) != 1 || fmt.Sprintf("%v %v %v", at(pieces[0], "same"), at(pieces[0], "missing"), at(pieces[0], "run")) != "25 0 exec-1" {
		t.Errorf("the inventory's check found %v", pieces)
	}
	want := []string{"From", "Listing", "Deliver", "Deliver", "Deliver", "Piece", "Done", "Checked", "From", "Manifest", "DeliverRows", "Rows", "Batch"}
	if !slices.Equal(w.entered, want) {
		t.Errorf("states %v, want %v", w.entered, want)
	}
}

// A check that one piece does not end goes on with the answer of the piece before.
func TestCheckMachineGoesOn(t *testing.T) {
	t.Parallel()
	var payloads []string
	m := &machine{invoke: func(_ string, payload []byte) ([]byte, error) {
		payloads = append(payloads, string(payload))
		return []byte(fmt.Sprintf(`{"after":"k%d","done":%v}`, len(payloads), len(payloads) == 3)), nil
	}}
	output, err := m.run(machines(t)["Check"], map[string]any{"run": "r"})
	if err != nil || fmt.Sprint(output) != "map[after:k3 done:true]" || strings.Join(payloads, " ") != `{"run":"r"} {"after":"k1","done":false} {"after":"k2","done":false}` {
		t.Errorf("%v, %v after %v", output, err, payloads)
	}
}
