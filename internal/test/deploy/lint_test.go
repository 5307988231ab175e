package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// regions are those of all partitions that differ in what they have: China, GovCloud, and
// some without function URLs or without HTTP APIs.
var regions = []string{"us-east-1", "eu-west-1", "ap-southeast-1", "ap-east-1", "cn-north-1", "cn-northwest-1",
	"us-gov-west-1", "us-gov-east-1", "ap-south-2", "il-central-1", "mx-central-1", "ap-east-2"}

// A finding is what cfn-lint says of a place in a template.
type finding struct {
	Filename, Message string
	Rule              struct{ ID string }
}

// lint runs cfn-lint, which knows every property that CloudFormation takes in a region,
// runs SAM's own transform as sam validate does, and follows references.
func lint(t *testing.T, regions []string, files ...string) []finding {
	t.Helper()
	program, err := exec.LookPath("cfn-lint")
	if err != nil || underRace {
		t.Skip("SKIPPED: cfn-lint is not installed, or make check runs it")
	}
	args := append([]string{"--format", "json", "--regions"}, regions...)
	// It exits with a code for what it found; what is no JSON is a failure.
	out, _ := exec.Command(program, append(append(args, "--template"), files...)...).Output()
	var found []finding
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("cfn-lint: %v in %s", err, out)
	}
	return found
}

// The template and its stacks have no mistake in any partition. Only a region with
// function URLs gets the stack that has one (Rules).
func TestLint(t *testing.T) {
	t.Parallel()
	stacks, err := filepath.Glob(filepath.Join(root, "stacks", "*.yaml"))
	if err != nil || len(stacks) == 0 {
		t.Fatal("there are no stacks: ", err)
	}
	for _, f := range lint(t, regions, append(stacks, filepath.Join(root, "template.yaml"))...) {
		if filepath.Base(f.Filename) != "url.yaml" || f.Rule.ID != "E3006" {
			t.Errorf("%s: %s %s", f.Filename, f.Rule.ID, f.Message)
		}
	}
}

// cfn-lint finds mistakes that a person might make. It runs once for all of them.
func TestLintFindsMistakes(t *testing.T) {
	t.Parallel()
	text := source(t)
	seeds := []mistake{
		{name: "misspelt response type", old: "[ReportBatchItemFailures]", new: "[ReportBatchItemFailure]", says: "E3030"},
		{name: "concurrency below 2", old: "{MaximumConcurrency: 2}", new: "{MaximumConcurrency: 1}", says: "E3034"},
		{name: "function that is not there", old: "FunctionName: !Ref LambdaObjects", new: "FunctionName: !Ref LambdaObject", says: "LambdaObject"},
		{name: "unused condition", old: "Conditions:\n", new: "Conditions:\n  Idle: !Equals [a, a]\n", says: "W8001"},
		{name: "misspelt property", old: "SqsManagedSseEnabled", new: "SqsManagedSSEEnabled", says: "E3002"},
		{name: "circle", old: "FunctionArn: !GetAtt LambdaHttp.Arn", new: "FunctionArn: !GetAtt HttpUrl.Outputs.Url", says: "E3004"},
		{name: "type that the region does not have", old: "  AlarmTopic:\n", new: "  Url:\n    Type: AWS::Lambda::Url\n    Properties: {AuthType: NONE, TargetFunctionArn: x}\n\n  AlarmTopic:\n", says: "'AWS::Lambda::Url' does not exist in 'us-gov-west-1'"},
		{name: "function that no rule may call", old: `{"Fn::EachMemberEquals"`, new: `{"Fn::Join"`, says: "E8006"},
	}
	var err error
	for _, m := range seeds {
		if text, err = m.make(text); err != nil {
			t.Fatal(err)
		}
	}
	untransformed, err := mistake{name: "event that SAM refuses", old: "      LoggingConfig:",
		new: "      Events: {Put: {Type: S3, Properties: {Bucket: !Ref StagingBucket, Events: s3:ObjectCreated:*}}}\n      LoggingConfig:"}.make(source(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for name, text := range map[string]string{"seeded.yaml": text, "untransformed.yaml": untransformed} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seeds = append(seeds, mistake{name: "event that SAM refuses", says: "E0001"})
	var says []string
	for _, f := range lint(t, []string{"us-gov-west-1"}, files...) {
		says = append(says, f.Rule.ID+" "+f.Message)
	}
	for _, m := range seeds {
		if all := strings.Join(says, "\n"); !strings.Contains(all, m.says) {
			t.Errorf("cfn-lint does not notice: %s\n%s", m.name, all)
		}
	}
}
