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
)

// A command is a call of a program in a page, as its words.
type command struct {
	page  string
	words []string
}

// calls finds the calls of a program in the code of a page, those within other commands
// too.
func calls(page, text, program string) (found []command) {
	code := codeBlocks(text)
	for _, m := range regexp.MustCompile("`("+program+" [a-z][^`]* --[^`]*)`").FindAllStringSubmatch(text, -1) {
		code = append(code, m[1])
	}
	start := regexp.MustCompile(`(?:^|[\s(])` + program + ` [a-z]`)
	for _, c := range code {
		for _, at := range start.FindAllStringIndex(c, -1) {
			call := strings.TrimLeft(c[at[0]:], " \n\t(")
			found = append(found, command{page, shellWords(call)})
		}
	}
	return found
}

// values are what variables of the shell hold that may not hold just anything.
var values = map[string]string{"ETAG": `"0123456789abcdef"`}

// unknown is text and a number, and long enough for every service.
const unknown = "1234567890"

// shellWords are the words of the first command in a text, as a shell would split it. What a
// variable or another command puts in is unknown.
func shellWords(s string) (words []string) {
	var word strings.Builder
	var quote byte // ', " or 0
	open := false  // a word has begun
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'' && i+1 < len(s):
			if i++; s[i] != '\n' {
				word.WriteByte(s[i])
				open = true
			}
		case c == quote:
			quote = 0
		case c == '$' && quote != '\'':
			n := substitution(s[i:])
			name := strings.Trim(s[i+1:i+n], "{}")
			if v, ok := values[name]; ok {
				word.WriteString(v)
			} else {
				word.WriteString(unknown)
			}
			i += n - 1
			open = true
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t':
			end()
		case strings.IndexByte("|;&)<>\n", c) >= 0, c == '#' && !open:
			end()
			return words
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	return words
}

// substitution is the length of $NAME, ${…} or $(…) at the beginning of s.
func substitution(s string) int {
	if strings.HasPrefix(s, "$(") {
		depth := 0
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return len(s)
	}
	return len(regexp.MustCompile(`^\$(\{[^}]*\}|\w+|.)`).FindString(s))
}

// awsCLI is what the AWS CLI complains of in commands, "" for those that it takes. The files that
// they read are empty JSON documents.
func awsCLI(t *testing.T, commands []command) []string {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "commands.py"))
	if err != nil {
		t.Fatal(err)
	}
	if exec.Command("python3", "-c", "import awscli").Run() != nil {
		t.Skip("skipped: Python's awscli is not installed")
	}
	dir := t.TempDir()
	var words [][]string
	for _, c := range commands {
		words = append(words, c.words)
		for _, w := range c.words {
			if name, ok := strings.CutPrefix(w, "file://"); ok || strings.HasSuffix(w, ".csv") {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte("{}"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	in, _ := json.Marshal(words) // strings always marshal
	cli := exec.Command("python3", script)
	var failed bytes.Buffer
	cli.Dir, cli.Stdin, cli.Stderr = dir, bytes.NewReader(in), &failed
	out, err := cli.Output()
	var all []string
	if err != nil || json.Unmarshal(out, &all) != nil {
		t.Fatalf("%v: %s%s", err, out, failed.String())
	}
	return all
}

// documented are the commands of a program in the documents.
func documented(t *testing.T, program string) []command {
	t.Helper()
	var found []command
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/*/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, calls(page, string(text), program)...)
		}
	}
	return found
}

// Every command of the AWS CLI in the documents is one that the CLI and the services' models
// take, and mistakes in some are noticed.
func TestCommands(t *testing.T) {
	t.Parallel()
	found := documented(t, "aws")
	if len(found) < 40 {
		t.Errorf("only %d commands were found", len(found))
	}
	mistakes := []struct{ command, says string }{
		{"aws sqs get-queue-attribute --queue-url q", "Invalid choice"},
		{"aws sqs get-queue-attributes --queue-urls q", "--queue-url"},
		{"aws s3api list-objects-v2 --bucket b --query 'Contents[].[Key'", "--query"},
		{`aws s3control describe-job --account-id "$(aws sts get-caller-identity)"`, "--job-id"},
		{`aws s3control create-job --account-id 1 --priority ten --role-arn r --operation '{}' --report '{"Enabled":true}'`, "ten"},
		{`aws s3control create-job --account-id 1 --priority 1 --role-arn r --operation '{"Lambda":{}}' --report '{"Enabled":true}'`, "Lambda"},
		{"aws s3 cp a s3://b --recursively", "--recursively"},
		{"aws s3 move a s3://b", "Invalid choice"},
		{"aws logs tail g --followed", "--followed"},
		{"aws cloudformation deploy --template-file t.yaml", "--stack-name"},
	}
	for _, m := range mistakes {
		found = append(found, command{"", shellWords(m.command)})
	}
	all := awsCLI(t, found)
	for i, m := range mistakes {
		if says := all[len(all)-len(mistakes)+i]; !strings.Contains(says, m.says) {
			t.Errorf("%s: the CLI should complain of %s, and says %q", m.command, m.says, says)
		}
	}
	for i, c := range found[:len(found)-len(mistakes)] {
		if all[i] != "" {
			t.Errorf("%s: %q: %s", c.page, c.words, all[i])
		}
	}
}

// samOptions are the options of SAM's CLI (docs.aws.amazon.com/serverless-application-model/latest/
// developerguide, command reference) that the documents use, by command.
var samOptions = map[string][]string{
	"build":  {},
	"deploy": {"--stack-name", "--parameter-overrides", "--no-execute-changeset"},
	"delete": {},
}

func TestSamCommands(t *testing.T) {
	t.Parallel()
	found := calls("deploy-aws.md", file(t, "docs", "deploy-aws.md"), "sam")
	if len(found) < 6 {
		t.Errorf("only %d commands were found", len(found))
	}
	for _, c := range found {
		if len(c.words) == 2 && c.words[1] == "--version" {
			continue
		}
		options, ok := samOptions[c.words[1]]
		if !ok {
			t.Errorf("%q is no command of SAM's CLI that is known here", c.words)
		}
		for _, w := range c.words[2:] {
			if strings.HasPrefix(w, "--") && !slices.Contains(options, w) {
				t.Errorf("%q has the option %s, which is not known here", c.words, w)
			}
		}
	}
}

func TestShellWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"aws a b", []string{"aws", "a", "b"}},
		{"aws a --x 'b c' | cut -d: -f2", []string{"aws", "a", "--x", "b c"}},
		{"aws a \\\n  --x '' # what", []string{"aws", "a", "--x", ""}},
		{`aws a "$(out X)" "$Y$Z" ${W%/}`, []string{"aws", "a", unknown, unknown + unknown, unknown}},
		{`aws a '{"b":"'"$J"'/c","e":'"$ETAG"'}' > f`, []string{"aws", "a", `{"b":"` + unknown + `/c","e":"0123456789abcdef"}`}},
		{"aws a --query 'x, `[]`'); aws b", []string{"aws", "a", "--query", "x, `[]`"}},
		{"aws a \"\\\"b\\\"\" && c", []string{"aws", "a", `"b"`}},
		{"aws a b#c", []string{"aws", "a", "b#c"}},
	} {
		if got := shellWords(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
	}
}
