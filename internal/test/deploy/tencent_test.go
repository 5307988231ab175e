package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
)

const tencentGolden = "testdata/tencent.golden"

// tencentMistakes are made one by one. Each changes what is sent.
var tencentMistakes = []struct{ name, dir, old, new, says string }{
	{"closed trigger", "scf-objects", "enable: true", "# enable: true", `CreateTrigger.Enable "CLOSE"`},
	{"no timeout", "scf-objects", "  timeout: 300", "  # timeout: 300", "CreateFunction.Timeout 3"},
	{"no role", "scf-objects", "  role: tcbferry-objects", "  # role: tcbferry-objects", "-CreateFunction.Role"},
	{"no region", "scf-objects", "  region: ${env:TENCENT_REGION}", "  # region: x", `CreateFunction.Region "ap-guangzhou"`},
	{"event function", "scf-http", "type: web", "type: event", `CreateFunction.Type "Event"`},
	{"nobody reaches the URL", "scf-http", "enableExtranet: true", "# enableExtranet: true", `"EnableExtranet":false`},
	{"no key", "scf-http", "      HTTP_KEYS: ", "      # HTTP_KEYS: ", "-CreateFunction.Environment.Variables {\"Key\":\"HTTP_KEYS\""},
}

// What Tencent's component sends for our files is what is meant, and a mistake in a file
// changes it.
func TestTencentCalls(t *testing.T) {
	t.Parallel()
	modules := npm(t)
	var inputs []any
	add := func(text string) {
		filled, _ := fill(text)
		var doc any
		if err := yaml.Unmarshal([]byte(filled), &doc); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, at(doc, "inputs"))
	}
	files := serverlessFiles(t)
	for _, i := range instances {
		add(files[i.dir])
	}
	for _, m := range tencentMistakes {
		if !strings.Contains(files[m.dir], m.old) {
			t.Fatalf("%s: the mistake cannot be made: there is no %q", m.name, m.old)
		}
		add(strings.Replace(files[m.dir], m.old, m.new, 1))
	}
	all := tencentCalls(t, modules, inputs)
	sent := map[string][]string{}
	var text strings.Builder
	for n, i := range instances {
		sent[i.dir] = all[n]
		text.WriteString("== " + i.dir + "\n  " + strings.Join(all[n], "\n  ") + "\n")
	}
	if update {
		if err := os.WriteFile(tencentGolden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(tencentGolden); err != nil || string(want) != text.String() {
		t.Errorf("%v; the component sends\n%s", err, text.String())
	}
	for n, m := range tencentMistakes {
		got := all[len(instances)+n]
		differs := without(got, sent[m.dir])
		for _, line := range without(sent[m.dir], got) {
			differs = append(differs, "-"+line)
		}
		if !slices.ContainsFunc(differs, func(line string) bool { return strings.Contains(line, m.says) }) {
			t.Errorf("%s: what is sent should differ by %s, and differs by %q", m.name, m.says, differs)
		}
	}
}

// tencentCalls are the calls that the toolkit makes for each of the inputs, a line for each
// value.
func tencentCalls(t *testing.T, modules string, inputs []any) (all [][]string) {
	t.Helper()
	in, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "tencent.js"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var failed bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &failed
	out, err := cmd.Output()
	var calls [][]map[string]any
	if err != nil || json.Unmarshal(out, &calls) != nil {
		t.Fatalf("%v: %s%s", err, out, failed.String())
	}
	for _, made := range calls {
		var lines []string
		for _, call := range made {
			action, _ := call["Action"].(string)
			delete(call, "Action")
			flatten(action, call, func(path string, v any) {
				value, _ := json.Marshal(v) // what was read as JSON always marshals
				lines = append(lines, path+" "+strings.ReplaceAll(string(value), `\"`, `"`))
			})
		}
		slices.Sort(lines)
		all = append(all, lines)
	}
	return all
}

// Every command of tccli in the documents is one that Tencent's API takes: tccli has a
// command for each action, and an option for each of its parameters.
func TestTccliCommands(t *testing.T) {
	t.Parallel()
	modules := npm(t)
	found := documented(t, "tccli")
	if len(found) < 6 {
		t.Errorf("only %d commands were found", len(found))
	}
	for _, c := range found {
		for _, problem := range tccli(t, modules, c.words) {
			t.Errorf("%s: %q: %s", c.page, c.words, problem)
		}
	}
	for mistake, says := range map[string]string{
		"tccli cam CreateRoles --RoleName r":                                         "no action CreateRoles",
		"tccli cam CreateRole --Role r":                                              "no parameter Role",
		"tccli cam CreateRole --RoleName r":                                          "needs PolicyDocument",
		"tccli cos PutBucket --Bucket b":                                             "no service cos",
		`tccli scf UpdateFunctionEventInvokeConfig --AsyncTriggerConfig '{"MsgTTL"'`: "no JSON",
	} {
		if all := strings.Join(tccli(t, modules, shellWords(mistake)), "; "); !strings.Contains(all, says) {
			t.Errorf("%s: %q, and not %s", mistake, all, says)
		}
	}
}

// otherOptions are the commands of other tools that the guides use, with their options:
// scf (docs/commands of its repository), coscli (cloud.tencent.com/document/product/436/63143),
// tcb (docs.cloudbase.net/cli-v1/functions/deploy) and osls (its docs/cli-reference).
var otherOptions = map[string][]string{
	"scf deploy": {"--force"}, "scf remove": {}, "scf info": {}, "scf -v": {},
	"scf logs": {"--startTime"}, "scf invoke": {"--data"},
	"osls deploy": {"--region"}, "osls info": {"--verbose"}, "osls remove": {},
	"coscli ls": {}, "coscli cp": {}, "coscli rm": {"-r"}, "coscli rb": {},
	"tcb fn": {"--httpFn", "--path", "-e"},
}

func TestOtherCommands(t *testing.T) {
	t.Parallel()
	guide := file(t, "docs", "deploy-tencent.md") + file(t, "docs", "deploy-serverless.md")
	code := codeBlocks(guide)
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(guide, -1) {
		code = append(code, m[1])
	}
	seen := map[string]bool{}
	for _, c := range code {
		for _, at := range regexp.MustCompile(`(?m)(?:^ *|&& |; |\()((?:scf|coscli|tcb|osls) [a-z-]+)`).FindAllStringSubmatchIndex(c, -1) {
			name := c[at[2]:at[3]]
			options, ok := otherOptions[name]
			if !ok {
				t.Errorf("%q is no command that is known here", name)
			}
			seen[name] = true
			for _, w := range shellWords(c[at[2]:])[2:] {
				if strings.HasPrefix(w, "-") && !slices.Contains(options, w) {
					t.Errorf("%q has the option %s, which is not known here", name, w)
				}
			}
		}
	}
	for name := range otherOptions {
		if !seen[name] {
			t.Errorf("no guide uses %s", name)
		}
	}
}

// tccli tells what the command lacks that the types of the API have.
func tccli(t *testing.T, modules string, words []string) (problems []string) {
	t.Helper()
	if len(words) < 3 {
		return nil // tccli --version
	}
	models, err := filepath.Glob(filepath.Join(modules, "tencentcloud-sdk-nodejs", "tencentcloud", "services", words[1], "v*", words[1]+"_models.d.ts"))
	if err != nil || len(models) == 0 {
		return []string{"there is no service " + words[1]}
	}
	text, err := os.ReadFile(models[len(models)-1])
	if err != nil {
		t.Fatal(err)
	}
	_, request, ok := strings.Cut(string(text), "export interface "+words[2]+"Request {")
	if !ok {
		return []string{"there is no action " + words[2]}
	}
	request, _, _ = strings.Cut(request, "\n}")
	required := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ {4}(\w+)(\??): (.*);`).FindAllStringSubmatch(request, -1) {
		required[m[1]] = m[2] == ""
	}
	for n := 3; n < len(words); n += 2 {
		name, isOption := strings.CutPrefix(words[n], "--")
		if name == "region" {
			continue
		}
		if _, ok := required[name]; !ok || !isOption || n+1 == len(words) {
			problems = append(problems, "there is no parameter "+name+", or no value for it")
			continue
		}
		delete(required, name)
		if value := words[n+1]; strings.HasPrefix(value, "{") && !json.Valid([]byte(value)) {
			problems = append(problems, name+" is no JSON")
		}
	}
	for name, needed := range required {
		if needed {
			problems = append(problems, words[2]+" needs "+name)
		}
	}
	return problems
}

// A value that is missing stops the deployment before anything is sent.
func TestMissingValue(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: there is no node")
	}
	for _, tc := range []struct{ dir, without, value, says string }{
		{"scf-objects", "", "", ""},
		{"scf-http", "", "", ""},
		{"scf-objects", "HTTP_KEYS", "", ""}, // of the other function
		{"scf-http", "STAGING_BUCKET", "", ""},
		{"scf-objects", "WECHAT_APP_SECRET", "", "No value for WECHAT_APP_SECRET"},
		{"scf-objects", "STAGING_BUCKET", " ", "No value for STAGING_BUCKET"},
		{"scf-http", "HTTP_KEYS", "", "No value for HTTP_KEYS"},
		{"scf-http", "TENCENT_REGION", "", "No value for TENCENT_REGION"},
	} {
		cmd := exec.CommandContext(t.Context(), node, "../check-env.js")
		cmd.Dir = filepath.Join(root, "functions", tc.dir)
		for name, value := range env {
			if name == tc.without {
				value = tc.value
			}
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if (err == nil) != (tc.says == "") || !strings.Contains(string(out), tc.says) {
			t.Errorf("%s without %s: %v, %s", tc.dir, tc.without, err, out)
		}
	}
}
