// Package deploy holds what is promised about the files that deploy the
// functions: that they are valid, allow no more than is needed, set the variables
// that the code reads, and that a mistake in them does not go unnoticed.
package deploy

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
)

var root = filepath.Join("..", "..", "..")

// A template is a SAM template as CloudFormation reads it: every short form, like
// !Ref x, is written out, like {"Ref": x}. SAM adds nothing that is checked here,
// because of its own resources the template has functions with a role only.
type template struct{ doc map[string]any }

func (d template) with(values map[string]string) stack {
	all := map[string]string{"StagingBucket": "staging", "CloudBaseEnv": "env-1"}
	for k, v := range values {
		all[k] = v
	}
	return stack{d.doc, all}
}

func parse(text string) (template, error) {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		return template{}, err
	}
	doc, ok := plain(&n).(map[string]any)
	if !ok {
		return template{}, errors.New("the template is no mapping")
	}
	return template{doc}, nil
}

// plain is a node as JSON would have it, with short forms written out.
func plain(n *yaml.Node) any {
	var v any
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		list := []any{}
		for _, e := range n.Content {
			list = append(list, plain(e))
		}
		v = list
	default:
		v = scalar(n)
	}
	switch tag := n.Tag; {
	case strings.HasPrefix(tag, "!!"), tag == "":
		return v
	case tag == "!Ref", tag == "!Condition":
		return map[string]any{tag[1:]: v}
	case tag == "!GetAtt":
		resource, attribute, _ := strings.Cut(v.(string), ".")
		return map[string]any{"Fn::GetAtt": []any{resource, attribute}}
	default:
		return map[string]any{"Fn::" + tag[1:]: v}
	}
}

func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		f, _ := strconv.ParseFloat(n.Value, 64) // the parser has found a number
		return f
	}
	return n.Value
}

func source(t *testing.T) string {
	t.Helper()
	return file(t, "template.yaml")
}

// asIs is the template as it stands.
func asIs(t *testing.T) template {
	t.Helper()
	d, err := parse(source(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// checks are all that must hold for a template. Each returns what does not.
var checks = map[string]func(template) []string{
	"parameters":  checkParameters,
	"patterns":    checkPatterns,
	"rules":       checkRules,
	"environment": checkEnvironment,
	"stack":       checkStack,
	"telemetry":   checkTelemetry,
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	d := asIs(t)
	if update {
		if err := os.WriteFile(golden, []byte(stackText(d)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			for _, problem := range check(d) {
				t.Error(problem)
			}
		})
	}
}
