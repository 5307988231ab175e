package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A Chinese page has what its English page has, in the same order: headings, commands,
// rows of tables and, in each section, codes. A page that lags is named.
func TestChinese(t *testing.T) {
	t.Parallel()
	pairs := map[string]string{"README.zh-CN.md": "README.md"}
	for name := range pages(t) {
		if page, ok := strings.CutPrefix(name, "docs/zh/"); ok {
			pairs[name] = "docs/" + page
		}
	}
	if len(pairs) < 5 {
		t.Fatalf("only %d pages are in Chinese", len(pairs))
	}
	for chinese, english := range pairs {
		t.Run(chinese, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(root + english); err != nil {
				t.Fatal(err)
			}
			got, want := sections(read(t, root+chinese)), sections(read(t, root+english))
			if len(got) != len(want) {
				t.Fatalf("%s lags: it has %d headings, and %s has %d", chinese, len(got), english, len(want))
			}
			for i, w := range want {
				g := got[i]
				for _, part := range []struct {
					what      string
					got, want []string
				}{{"level", g.level, w.level}, {"commands", g.commands, w.commands}, {"rows of tables", g.rows, w.rows}, {"codes", g.codes, w.codes}} {
					if !slices.Equal(part.got, part.want) {
						t.Errorf("%s lags behind %s in section %q: its %s are\n%q\nnot\n%q", chinese, english, w.title, part.what, only(part.got, part.want), only(part.want, part.got))
					}
				}
			}
		})
	}
}

// only is what a has and b has not; all of a if neither has anything of its own, as after
// a change of order.
func only(a, b []string) []string {
	if rest := less(a, b); len(rest)+len(less(b, a)) > 0 {
		return rest
	}
	return a
}

func less(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// A section is what must be equal in every language.
type section struct {
	title    string
	level    []string
	commands []string // lines of code
	rows     []string // the codes of each row of a table
	text     string   // outside of tables and commands
	codes    []string // what stands in backquotes in the text, sorted
}

// sections are the parts of a document: one before the first heading, one from each heading.
func sections(text string) []section {
	all := []section{{}}
	fenced, blank, code := false, true, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		s := &all[len(all)-1]
		trimmed := strings.TrimLeft(line, " ")
		// An indented block of code begins after a blank line, and not inside of a paragraph.
		code = strings.HasPrefix(line, "    ") && (blank || code) && !strings.HasPrefix(trimmed, "- ")
		switch {
		case strings.HasPrefix(trimmed, "```"):
			fenced = !fenced
		case fenced, code:
			s.commands = append(s.commands, trimmed)
		case len(headings(line)) > 0:
			all = append(all, section{title: line, level: []string{line[:strings.IndexByte(line, ' ')]}})
		case strings.HasPrefix(trimmed, "|"):
			s.rows = append(s.rows, strings.Join(slices.Sorted(slices.Values(codes(line))), " ")) // word order differs
		default:
			s.text += strings.TrimSpace(line) + " " // a span may go on in the next line
		}
		blank = line == "" || blank && fenced
	}
	for i := range all {
		all[i].codes = slices.Sorted(slices.Values(codes(all[i].text)))
	}
	return all
}

var spans = regexp.MustCompile("`[^`]+`")

func codes(line string) []string { return spans.FindAllString(line, -1) }
