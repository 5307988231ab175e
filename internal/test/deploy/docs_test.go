package deploy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
)

var (
	inlineParameter = regexp.MustCompile("`([A-Z][A-Za-z]+): (\"[^`]*\")`")
	namedOutput     = regexp.MustCompile("output `(\\w+)`|\\bout ([A-Z]\\w+)")
)

// The guide sets parameters that the template has to values that it takes, and names
// outputs that it has.
func TestGuide(t *testing.T) {
	t.Parallel()
	d := asIs(t)
	guide := file(t, "docs", "deploy-aws.md")
	texts := []string{}
	for _, m := range inlineParameter.FindAllStringSubmatch(strings.ReplaceAll(guide, "\n", " "), -1) {
		texts = append(texts, m[1]+": "+m[2])
	}
	for _, block := range codeBlocks(guide) {
		if regexp.MustCompile(`^[A-Z]\w+: ["']`).MatchString(block) {
			texts = append(texts, block)
		}
		if strings.HasPrefix(block, `{"Parameters":`) {
			texts = append(texts, block)
		}
	}
	set := 0
	for _, text := range texts {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			t.Errorf("%v in %s", err, text)
		}
		if inner, ok := values["Parameters"].(map[string]any); ok { // as the AWS CLI has it
			values = inner
			delete(values, "CodeBucket") // of a release's template (internal/tools/pack)
		}
		for name, v := range values {
			set++
			value, ok := v.(string)
			if at(d.doc, "Parameters", name) == nil || !ok {
				t.Errorf("the guide sets %s: %v, which the template does not have, or without quotes", name, v)
				continue
			}
			if placeholder := strings.ContainsAny(value, "…") || strings.Contains(value, "NAME") || strings.Contains(value, "ACCOUNT"); placeholder {
				continue
			}
			if !regexpFits(t, d.pattern(name), value) {
				t.Errorf("the guide sets %s: %q, which the template refuses", name, value)
			}
		}
	}
	outputs := namedOutput.FindAllStringSubmatch(guide, -1)
	for _, m := range outputs {
		if d.with(nil).section("Outputs")[m[1]+m[2]] == nil {
			t.Errorf("the guide speaks of the output %s, which the template does not have", m[1]+m[2])
		}
	}
	if set < 30 || len(outputs) < 10 {
		t.Errorf("only %d parameters and %d outputs were found", set, len(outputs))
	}
}

// Who deploys a release takes every file that its template refers to.
func TestGuideNamesEveryFileOfTheTemplate(t *testing.T) {
	t.Parallel()
	names := func(pattern string) string {
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, path := range paths {
			all = append(all, strings.TrimPrefix(strings.TrimSuffix(filepath.Base(path), ".yaml"), "lambda-"))
		}
		return strings.Join(all, ",")
	}
	guide := file(t, "docs", "deploy-aws.md")
	for _, files := range []string{"tcbferry-{" + names("stacks/*.yaml") + "}.yaml", "lambda-{" + names("functions/lambda-*") + "}-arm64.zip"} {
		if !strings.Contains(guide, files) {
			t.Errorf("the guide does not name %s", files)
		}
	}
}

// codeBlocks are the indented blocks of a document, without their indent.
func codeBlocks(text string) (blocks []string) {
	var block []string
	for _, line := range append(strings.Split(text, "\n"), "end") {
		if code, ok := strings.CutPrefix(line, "    "); ok || line == "" && block != nil {
			block = append(block, code)
			continue
		}
		if block != nil {
			blocks = append(blocks, strings.TrimSpace(strings.Join(block, "\n")))
		}
		block = nil
	}
	return blocks
}

// regexpFits tells whether a pattern takes a value. Those with a look-ahead, which Go does
// not know, are checkPatterns'.
func regexpFits(t *testing.T, pattern, value string) bool {
	t.Helper()
	if strings.Contains(pattern, "(?!") {
		return true
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString(value)
}
