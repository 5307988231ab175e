package route

import (
	"fmt"
	"slices"
	"strings"
)

// Collision says how two objects may get one cloud path by this table, "" if they
// cannot. If delivered objects are deleted, one of the two would be lost.
//
// A template keeps the keys of one bucket apart if it holds the whole key. Two
// routes to one environment are kept apart by the text that their templates begin
// with, by {bucket} in a template that both have, or by both being of one bucket
// and template.
func (t *Table) Collision() string {
	for i, a := range t.Routes {
		if !a.Path.holdsKey() {
			return fmt.Sprintf("the path %s may be the same for two keys; put {key}, or {dir}/{name}, into it", a.Path)
		}
		for _, b := range t.Routes[:i] {
			if a.Env != b.Env || apart(a.Path.prefix(), b.Path.prefix()) {
				continue
			}
			sameBucket := a.From.Scheme == b.From.Scheme && a.From.Bucket == b.From.Bucket
			if a.Path.String() != b.Path.String() || !sameBucket && !a.Path.has("{bucket}") {
				return fmt.Sprintf("the paths %s and %s of two routes may be the same for two objects; begin each with a text of its own", b.Path, a.Path)
			}
		}
	}
	return ""
}

// apart reports whether nothing can begin with both texts.
func apart(a, b string) bool { return !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a) }

func (t Template) has(placeholder string) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.name == placeholder })
}

// holdsKey reports whether the key can be read out of a path. A slash must stand between
// {dir} and {name}, or else a/b and ab would both become ab.
func (t Template) holdsKey() bool {
	text := t.String()
	dir, name := strings.Index(text, "{dir}"), strings.Index(text, "{name}")
	if name < 0 && t.has("{ext}") {
		name = strings.Index(text, "{stem}")
	}
	return t.has("{key}") || dir >= 0 && name >= 0 && strings.Contains(text[min(dir, name):max(dir, name)], "/")
}

// prefix is the text before the first placeholder.
func (t Template) prefix() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].text
}

// String is the template as it was written.
func (t Template) String() string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text + p.name)
	}
	return b.String()
}
