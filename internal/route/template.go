package route

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Template turns a source key into a cloud path: text with placeholders
// {key} {dir} {name} {stem} {ext} {bucket} {yyyy} {mm} {dd}.
type Template struct{ parts []part }

// A part is literal text, or a placeholder when name is set.
type part struct{ text, name string }

const placeholders = "{key} {dir} {name} {stem} {ext} {bucket} {yyyy} {mm} {dd}"

// ParseTemplate reads a template. An unknown placeholder is an error, and so is a
// template that can make no valid cloud path.
func ParseTemplate(s string) (Template, error) {
	t, err := parse(s)
	if err != nil {
		return Template{}, err
	}
	// If neither of these keys gives a path, the text around the placeholders is wrong.
	var problem string
	for _, key := range []string{"dir/name.ext", "name"} {
		if problem = pathProblem(t.Expand(transfer.Ref{Bucket: "bucket", Key: key}, time.Time{})); problem == "" {
			return t, nil
		}
	}
	return Template{}, fmt.Errorf("makes no valid cloud path of any key: it %s", problem)
}

func parse(s string) (Template, error) {
	var t Template
	for s != "" {
		open := strings.IndexAny(s, "{}")
		if open < 0 {
			t.parts = append(t.parts, part{text: s})
			break
		}
		end := strings.IndexByte(s[open:], '}')
		if s[open] == '}' || end < 0 {
			return Template{}, fmt.Errorf("has a %c without its partner; placeholders are %s", s[open], placeholders)
		}
		name := s[open : open+end+1]
		if !strings.Contains(" "+placeholders+" ", " "+name+" ") {
			return Template{}, fmt.Errorf("has the unknown placeholder %s; use %s", name, placeholders)
		}
		if open > 0 {
			t.parts = append(t.parts, part{text: s[:open]})
		}
		t.parts = append(t.parts, part{name: name})
		s = s[open+end+1:]
	}
	return t, nil
}

// Expand writes the cloud path of a file. The date is the event's, or today's
// when the event has none, in UTC. The result is not checked.
func (t Template) Expand(ref transfer.Ref, when time.Time) string {
	if when.IsZero() {
		when = time.Now()
	}
	when = when.UTC()
	dir, name := path.Split(ref.Key)
	dir = strings.TrimSuffix(dir, "/")
	ext := path.Ext(name)
	if ext == name { // .profile is a name, not an extension
		ext = ""
	}
	var b strings.Builder
	skipSlash := false // an empty {dir} takes the slash after it along
	for _, p := range t.parts {
		text := p.text
		if skipSlash {
			text = strings.TrimPrefix(text, "/")
		}
		switch p.name {
		case "{key}":
			text = ref.Key
		case "{dir}":
			text = dir
		case "{name}":
			text = name
		case "{stem}":
			text = strings.TrimSuffix(name, ext)
		case "{ext}":
			text = ext
		case "{bucket}":
			text = ref.Bucket
		case "{yyyy}":
			text = when.Format("2006")
		case "{mm}":
			text = when.Format("01")
		case "{dd}":
			text = when.Format("02")
		}
		skipSlash = p.name == "{dir}" && dir == ""
		b.WriteString(text)
	}
	return b.String()
}
