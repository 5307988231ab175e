package deploy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// npmPackages are what the tests need of npm's registry: the Serverless Framework, what
// Tencent's component is made of, and the types of Tencent's API.
var npmPackages = []string{"osls@4.3.1", "tencent-component-toolkit@2.27.6", "tencentcloud-sdk-nodejs@4.1.313"}

// npm returns the directory of npmPackages. With DEPLOYTEST_INSTALL=1, which make check
// sets, what is missing is installed; without it, and without npm or a registry, the test
// is skipped and says so.
func npm(t *testing.T) string {
	t.Helper()
	if underRace {
		t.Skip("SKIPPED: make check runs it")
	}
	dir, err := npmInstall()
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	return dir
}

var npmInstall = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(root, ".cache", "deploytest"))
	if err != nil {
		return "", err
	}
	var missing []string
	for _, p := range npmPackages {
		name, version, _ := strings.Cut(p, "@")
		manifest, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json"))
		if err != nil || !strings.Contains(string(manifest), `"version": "`+version+`"`) {
			missing = append(missing, p)
		}
	}
	modules := filepath.Join(dir, "node_modules")
	if len(missing) == 0 {
		return modules, nil
	}
	if os.Getenv("DEPLOYTEST_INSTALL") != "1" {
		return "", fmt.Errorf("%s is not installed; make check installs it", strings.Join(missing, ", "))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	// All at once, because npm removes what is not named.
	install := exec.CommandContext(ctx, "npm", append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix", dir}, npmPackages...)...)
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm cannot install %s: %w\n%s", strings.Join(missing, ", "), err, out)
	}
	return modules, nil
})

// framework packages a copy of the repository's files with osls, and returns what it
// would have CloudFormation make, with the names that the functions have in the template.
func framework(t *testing.T, modules string, mistakes ...fileMistake) template {
	t.Helper()
	dir := t.TempDir()
	files := []string{"serverless.yml", "template.yaml", "internal/tools/serverless/template.js"}
	stacks, err := filepath.Glob(filepath.Join(root, "stacks", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stacks {
		files = append(files, "stacks/"+filepath.Base(path))
	}
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files {
		text := file(t, name)
		for _, m := range mistakes {
			if m.file == name {
				if text = strings.Replace(text, m.old, m.new, 1); !strings.Contains(text, m.new) {
					t.Fatalf("the mistake cannot be made: %s has no %q", m.file, m.old)
				}
			}
		}
		write(name, text)
	}
	write("params.yaml", "StagingBucket: \"staging\"\nCloudBaseEnv: \"env-1\"\n")
	for _, zip := range []string{"lambda-objects-arm64", "lambda-http-arm64", "lambda-check-arm64"} {
		write("dist/"+zip+".zip", zip)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "osls", "bin", "serverless.js"), "package")
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("osls package: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, ".serverless", "cloudformation-template-update-stack.json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(regexp.MustCompile(`\b(Objects|Http|Check)LambdaFunction\b`).ReplaceAllString(string(text), "Lambda$1"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// own are lines that one of the two has by its nature: where the code is, SAM's type of a
// function, and the framework's own bucket.
var own = regexp.MustCompile(`^ServerlessDeploymentBucket|^Outputs\.ServerlessDeploymentBucketName|^Lambda\w+\.(Type|DependsOn|Metadata|Properties\.(Code|CodeUri))\b`)

// checkFramework compares the framework's stack with the template's, for each option. Stacks
// within the stack became part of it, so their outputs are what the outputs refer to.
func checkFramework(sam, sls template) (problems []string) {
	c := (*complaints)(&problems)
	var within, outputs []string
	for name, r := range sam.doc["Resources"].(map[string]any) {
		if at(r, "Type") != "AWS::CloudFormation::Stack" {
			continue
		}
		within = append(within, name)
		doc := inner()[at(r, "Properties", "TemplateURL").(string)].doc
		for output, o := range doc["Outputs"].(map[string]any) {
			value := fmt.Sprint(stack{doc, nil}.resolve(at(o, "Value")))
			outputs = append(outputs, "<"+name+".Outputs."+output+">", strings.Replace(value, "<", "<"+name, 1))
		}
	}
	become := strings.NewReplacer(outputs...)
	lines := func(s stack) (all []string) {
		for _, line := range s.lines() {
			line = become.Replace(strings.Replace(line, ".Properties.TracingConfig.Mode ", ".Properties.Tracing ", 1))
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "Outputs."), ".")
			if !own.MatchString(line) && !slices.ContainsFunc(within, func(stack string) bool { return strings.HasPrefix(name, stack) }) {
				all = append(all, line)
			}
		}
		return all
	}
	for _, o := range options {
		if o.values["HttpFront"] == "api" {
			continue // the framework refuses it
		}
		want, got := lines(sam.with(o.values)), lines(sls.with(o.values))
		for _, line := range without(want, got) {
			c.want(false, "%s: the framework's stack lacks %s", o.name, line)
		}
		for _, line := range without(got, want) {
			c.want(false, "%s: the framework's stack has %s", o.name, line)
		}
	}
	return problems
}

// A fileMistake is something that a person might do to one of the files.
type fileMistake struct{ file, old, new, says string }

// frameworkMistakes are noticed by checkFramework, all made at once.
var frameworkMistakes = []fileMistake{
	{"serverless.yml", "disableLogs: true # the template has the log group", "disableLogs: false", "has ObjectsLogGroup.Type"},
	{"serverless.yml", "versionFunctions: false", "versionFunctions: true", "has ObjectsLambdaVersion"},
	{"internal/tools/serverless/template.js", "{ CodeUri, Tracing, ...rest }", "{ CodeUri, Tracing, ReservedConcurrentExecutions, ...rest }", "HTTP shut: the framework's stack lacks LambdaHttp.Properties.ReservedConcurrentExecutions"},
	{"internal/tools/serverless/template.js", "const resources = {};", "delete template.Resources.QueueTakesEvents; delete template.Resources.Queue.Properties.RedrivePolicy;\n  const resources = {};", "lacks Queue.Properties.RedrivePolicy.maxReceiveCount 5"},
	{"internal/tools/serverless/template.js", "const resources = {};", "template.Resources.ObjectsRole.Properties.Policies[0].PolicyDocument.Statement[1].Resource = \"*\";\n  const resources = {};", `has ObjectsRole.Properties.Policies.PolicyDocument.Statement {"Action":"s3:GetObject"`},
	{"internal/tools/serverless/template.js", "const resources = {};", "template.Resources.FromQueue.Properties.BatchSize = 2;\n  const resources = {};", "has FromQueue.Properties.BatchSize 2"},
}

// The Serverless Framework makes the stack that SAM makes.
func TestFramework(t *testing.T) {
	t.Parallel()
	modules := npm(t)
	sam := asIs(t)
	for _, problem := range checkFramework(sam, framework(t, modules)) {
		t.Error(problem)
	}
	found := checkFramework(sam, framework(t, modules, frameworkMistakes...))
	for _, m := range frameworkMistakes {
		if !slices.ContainsFunc(found, func(problem string) bool { return strings.Contains(problem, m.says) }) {
			t.Errorf("no check says %q, only %d others, like %q", m.says, len(found), found[:min(3, len(found))])
		}
	}
}

// Who runs a tool where another's file is reads what to do instead. Tencent's CLI stops
// at the first tag of CloudFormation's and shows the lines around it, as js-yaml 4 does.
func TestWrongTool(t *testing.T) {
	t.Parallel()
	modules := npm(t)
	const load = `try { require("js-yaml").load(require("fs").readFileSync(process.argv[1], "utf8")) } catch (e) { console.log(e.message) }`
	cmd := exec.CommandContext(t.Context(), "node", "-e", load, filepath.Join(root, "serverless.yml"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "in functions/scf-objects or functions/scf-http") {
		t.Errorf("scf in the root: %v\n%s", err, out)
	}
	for _, i := range instances {
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "osls", "bin", "serverless.js"), "package")
		cmd.Dir = filepath.Join(root, "functions", i.dir)
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("osls in functions/%s succeeds:\n%s", i.dir, out)
		}
	}
}
