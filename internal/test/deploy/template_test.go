// Package deploy holds what is promised about the files that deploy the
// functions: that they are valid, grant no more than is needed, set the variables
// that the code reads, and that a mistake in them does not go unnoticed.
package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var root = filepath.Join("..", "..", "..")

// A turned template is what CloudFormation makes of a SAM template.
type turned struct {
	Doc    map[string]any    `json:"doc"`
	Takes  map[string][]bool `json:"takes"`  // for each parameter, whether it takes each of patterns' values
	Builds map[string]string `json:"builds"` // BuildMethod of each function
	Error  string            `json:"error"`
}

func (d turned) with(values map[string]string) stack {
	all := map[string]string{"StagingBucket": "staging", "CloudBaseEnv": "env-1"}
	for k, v := range values {
		all[k] = v
	}
	return stack{d.Doc, all}
}

// checks are all that must hold for a template. Each returns what does not.
var checks = map[string]func(turned) []string{
	"parameters":  checkParameters,
	"patterns":    checkPatterns,
	"environment": checkEnvironment,
	"policies":    checkPolicies,
	"functions":   checkFunctions,
	"queues":      checkQueues,
	"telemetry":   checkTelemetry,
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	template := transformed(t)[0]
	if template.Error != "" {
		t.Fatal(template.Error)
	}
	if update {
		text, _ := policies(template)
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			for _, problem := range check(template) {
				t.Error(problem)
			}
		})
	}
}

// transformed returns the template, and then each of mistakes in it.
func transformed(t *testing.T) []turned {
	t.Helper()
	all, err := transform()
	if errors.Is(err, errMissing) {
		t.Skip("skipped: the transformed template, for python3 with samtranslator is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var transform = sync.OnceValues(func() ([]turned, error) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	texts := []string{string(template)}
	for _, m := range mistakes {
		text, err := m.make(string(template))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	values := map[string][]string{}
	for name, p := range patterns {
		values[name] = append(append([]string{}, p.takes...), p.refuses...)
	}
	var all []turned
	return all, script("transform.py", map[string]any{"templates": texts, "values": values}, &all)
})

// errMissing says that python3 or what a program imports is not installed.
var errMissing = errors.New("not installed")

// script runs one of testdata's programs with JSON in and out.
func script(name string, in, out any) error {
	stdin, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := exec.Command("python3", filepath.Join("testdata", name))
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none",
		"PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	stdout, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound), strings.HasPrefix(stderr.String(), "missing: "):
		return errMissing
	case err != nil:
		return fmt.Errorf("%s: %w\n%s", name, err, stderr.String())
	}
	return json.Unmarshal(stdout, out)
}

func TestLint(t *testing.T) {
	if underRace {
		t.Skip("it runs another program for ten seconds, which the race detector cannot look into; make check runs it")
	}
	t.Parallel()
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("skipped: cfn-lint, for it is not installed")
	}
	path := filepath.Join(root, "template.yaml")
	if out, err := exec.Command(lint, "-t", path).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}

	// What it must find, all in one template: it takes seconds.
	template, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(template)
	seeds := []mistake{
		{name: "misspelt response type", old: "[ReportBatchItemFailures]", new: "[ReportBatchItemFailure]", says: "E3030"},
		{name: "concurrency below 2", old: "{MaximumConcurrency: 2}", new: "{MaximumConcurrency: 1}", says: "E3034"},
		{name: "function that is not there", old: "FunctionName: !Ref LambdaObjects", new: "FunctionName: !Ref LambdaObject", says: "LambdaObject"},
		{name: "unused condition", old: "Conditions:\n", new: "Conditions:\n  Idle: !Equals [a, a]\n", says: "W8001"},
		{name: "misspelt property", old: "SqsManagedSseEnabled", new: "SqsManagedSSEEnabled", says: "E3002"},
	}
	for _, m := range seeds {
		if text, err = m.make(text); err != nil {
			t.Fatal(err)
		}
	}
	seeded := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(seeded, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(lint, "-t", seeded).CombinedOutput()
	if err == nil {
		t.Error("cfn-lint finds nothing in a template full of mistakes")
	}
	for _, m := range seeds {
		if !strings.Contains(string(out), m.says) {
			t.Errorf("cfn-lint does not notice: %s\n%s", m.name, out)
		}
	}
}

// The stack can be created, with each trigger and front.
func TestCreate(t *testing.T) {
	if underRace {
		t.Skip("it runs another program for ten seconds, which the race detector cannot look into; make check runs it")
	}
	t.Parallel()
	template := transformed(t)[0]
	var asked []any
	for _, options := range []map[string]string{
		{"WeChatAppSecret": "ssm:/app"},
		{"Trigger": "direct", "Http": "keys", "KeyPrefix": "in/", "Backfill": "true"},
	} {
		// moto decides no conditions within lists; stack has decided them all.
		s := template.with(options)
		resources := s.resources()
		for _, r := range resources {
			delete(r.(map[string]any), "Condition")
		}
		doc := map[string]any{"Resources": resources, "Parameters": s.doc["Parameters"], "Mappings": s.doc["Mappings"]}
		asked = append(asked, map[string]any{"doc": doc, "parameters": s.values})
	}
	var created []struct {
		Status    string
		Resources []string
	}
	err := script("create.py", asked, &created)
	if errors.Is(err, errMissing) {
		t.Skip("skipped: the creation of the stack, for python3 with moto is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range created {
		if c.Status != "CREATE_COMPLETE" {
			t.Errorf("stack %d is %s", i, c.Status)
		}
		for _, want := range []string{"LambdaObjects", "ObjectsRole", "Bucket"} {
			if !slices.Contains(c.Resources, want) {
				t.Errorf("stack %d: no %s in %v", i, want, c.Resources)
			}
		}
	}
}
