package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A stack is a CloudFormation template with values for its parameters. It works
// out what the service would create. What only the service knows stays in angle
// brackets: <Queue>, <Queue.Arn>.
type stack struct {
	doc    map[string]any
	values map[string]string
}

var pseudo = map[string]string{
	"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012",
	"AWS::StackName": "tcbferry", "AWS::URLSuffix": "amazonaws.com",
}

// noValue is what AWS::NoValue becomes before it is dropped.
type noValue struct{}

func (s stack) resources() map[string]any { return s.existing("Resources") }

// inner are the templates of the stacks within the stack, by their path.
var inner = sync.OnceValue(func() map[string]template {
	all := map[string]template{}
	paths, err := filepath.Glob(filepath.Join(root, "stacks", "*.yaml"))
	for _, path := range paths {
		text, readErr := os.ReadFile(path)
		d, parseErr := parse(string(text))
		if err = errors.Join(err, readErr, parseErr); err != nil {
			panic(err)
		}
		all["stacks/"+filepath.Base(path)] = d
	}
	return all
})

// nested are the stacks within the stack, by logical ID.
func (s stack) nested() map[string]stack {
	all := map[string]stack{}
	for id, p := range s.properties("AWS::CloudFormation::Stack") {
		n := stack{inner()[p["TemplateURL"].(string)].doc, maps.Clone(pseudo)}
		for name := range pseudo {
			if v, ok := s.values[name]; ok {
				n.values[name] = v
			}
		}
		n.values["AWS::StackName"] += "-" + id
		parameters, _ := p["Parameters"].(map[string]any)
		for name, v := range parameters {
			n.values[name] = fmt.Sprint(v)
		}
		all[id] = n
	}
	return all
}

// existing is what a section has where its conditions hold.
func (s stack) existing(section string) map[string]any {
	all := map[string]any{}
	for name, r := range s.section(section) {
		if c, ok := r.(map[string]any)["Condition"].(string); !ok || s.condition(c) {
			all[name] = s.prune(r)
		}
	}
	return all
}

func (s stack) section(name string) map[string]any {
	m, _ := s.doc[name].(map[string]any)
	return m
}

// properties returns the properties of the resources of a type, by logical ID.
func (s stack) properties(kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for name, r := range s.resources() {
		if m := r.(map[string]any); m["Type"] == kind {
			found[name], _ = s.resolve(m["Properties"]).(map[string]any)
		}
	}
	return found
}

func (s stack) condition(name string) bool {
	expr, ok := s.section("Conditions")[name]
	return ok && s.holds(expr)
}

func (s stack) holds(expr any) bool {
	name, arg, _ := intrinsic(expr)
	switch list, _ := arg.([]any); name {
	case "Condition":
		return s.condition(arg.(string))
	case "Fn::Not":
		return !s.holds(list[0])
	case "Fn::Equals":
		return fmt.Sprint(s.resolve(list[0])) == fmt.Sprint(s.resolve(list[1]))
	case "Fn::And":
		for _, e := range list {
			if !s.holds(e) {
				return false
			}
		}
		return true
	case "Fn::Or":
		for _, e := range list {
			if s.holds(e) {
				return true
			}
		}
		return false
	case "Fn::EachMemberEquals":
		for _, e := range s.resolve(list[0]).([]any) {
			if e != s.resolve(list[1]) {
				return false
			}
		}
		return true
	case "Fn::Contains":
		return slices.Contains(s.resolve(list[0]).([]any), s.resolve(list[1]))
	}
	panic("no condition function: " + name)
}

// refusals are the descriptions of the assertions in Rules that do not hold.
func (s stack) refusals() (all []string) {
	for _, rule := range s.section("Rules") {
		if c := at(rule, "RuleCondition"); c != nil && !s.holds(c) {
			continue
		}
		for _, a := range at(rule, "Assertions").([]any) {
			if !s.holds(at(a, "Assert")) {
				all = append(all, at(a, "AssertDescription").(string))
			}
		}
	}
	return all
}

// intrinsic takes a call of an intrinsic function apart.
func intrinsic(v any) (name string, arg any, ok bool) {
	m, _ := v.(map[string]any)
	if len(m) != 1 {
		return "", nil, false
	}
	for name, arg = range m {
	}
	return name, arg, name == "Ref" || strings.HasPrefix(name, "Fn::")
}

// prune decides each Fn::If and drops what has no value.
func (s stack) prune(v any) any {
	if name, arg, ok := intrinsic(v); ok {
		if name == "Ref" && arg == "AWS::NoValue" {
			return noValue{}
		}
		if name == "Fn::If" {
			list := arg.([]any)
			if s.condition(list[0].(string)) {
				return s.prune(list[1])
			}
			return s.prune(list[2])
		}
	}
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			if e = s.prune(e); e != (noValue{}) {
				m[k] = e
			}
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			if e = s.prune(e); e != (noValue{}) {
				list = append(list, e)
			}
		}
		return list
	}
	return v
}

// resolve works out all intrinsic functions.
func (s stack) resolve(v any) any {
	v = s.prune(v)
	if name, arg, ok := intrinsic(v); ok {
		return s.call(name, arg)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = s.resolve(e)
		}
	case []any:
		for i, e := range v {
			v[i] = s.resolve(e)
		}
	}
	return v
}

func (s stack) call(name string, arg any) any {
	list, _ := arg.([]any)
	switch name {
	case "Ref":
		return s.ref(arg.(string))
	case "Fn::GetAtt":
		return fmt.Sprintf("<%s.%s>", list[0], list[1])
	case "Fn::Join":
		var parts []string
		for _, p := range s.resolve(list[1]).([]any) {
			parts = append(parts, fmt.Sprint(p))
		}
		return strings.Join(parts, list[0].(string))
	case "Fn::Split":
		return split(s.resolve(list[1]).(string), list[0].(string))
	case "Fn::Select":
		i := int(list[0].(float64))
		return s.resolve(list[1]).([]any)[i]
	case "Fn::FindInMap":
		m := s.section("Mappings")[list[0].(string)].(map[string]any)
		return m[fmt.Sprint(s.resolve(list[1]))].(map[string]any)[list[2].(string)]
	case "Fn::GetAZs":
		return []any{"<zone 0>", "<zone 1>"}
	case "Fn::Cidr":
		return []any{"<range 0>", "<range 1>"}
	case "Fn::Sub":
		if text, ok := arg.(string); ok {
			return s.sub(text, nil)
		}
		return s.sub(list[0].(string), list[1].(map[string]any))
	}
	panic("no function: " + name)
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

func (s stack) sub(text string, local map[string]any) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[2 : len(p)-1]
		if v, ok := local[name]; ok {
			return fmt.Sprint(s.resolve(v))
		}
		return fmt.Sprint(s.ref(name))
	})
}

func (s stack) ref(name string) any {
	if v, ok := pseudo[name]; ok {
		return cmp.Or(s.values[name], v)
	}
	p, ok := s.section("Parameters")[name].(map[string]any)
	if !ok {
		return "<" + name + ">"
	}
	v, ok := s.values[name]
	if !ok {
		if p["Default"] == nil {
			panic("no value for " + name)
		}
		v = fmt.Sprint(p["Default"])
	}
	if p["Type"] == "CommaDelimitedList" {
		return split(v, ",")
	}
	return v
}

func split(s, sep string) []any {
	var list []any
	for part := range strings.SplitSeq(s, sep) {
		list = append(list, part)
	}
	return list
}
