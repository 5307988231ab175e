package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// pages are all documents, by their path from the root of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "events/*.md", "docs/*.md", "docs/*/*.md", "docs/zh/*/*.md"} {
		names, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all[strings.TrimPrefix(name, root)] = read(t, name)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d documents were found", len(all))
	}
	return all
}

// link matches a link of a document: its file, its anchor; or the file of a picture.
var link = regexp.MustCompile(`\]\(([^)#: ]*)(#[^) ]*)?\)|(?:src|srcset)="([^":{]+)"`)

// target is the file that a match of link in a document leads to.
func target(name string, m []string) string {
	if file := m[1] + m[3]; file != "" {
		return filepath.Join(filepath.Dir(name), file)
	}
	return name
}

// Links between documents lead to files and to anchors that are there.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := target(name, m)
			if _, err := os.Stat(root + target); err != nil {
				t.Errorf("%s links to %s, which is not there", name, target)
				continue
			}
			found := m[2] == "" || ids(all[target])[m[2][1:]] > 0
			for _, a := range anchors(all[target]) {
				found = found || "#"+a == m[2]
			}
			if !found {
				t.Errorf("%s: %s has no heading or anchor %s", name, target, m[2])
			}
		}
	}
}

// The README's table leads to every page, in English or in Chinese.
func TestReadmeLeadsToEveryPage(t *testing.T) {
	t.Parallel()
	all := pages(t)
	linked := map[string]bool{"README.md": true, "README.zh-CN.md": true}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		for _, m := range link.FindAllStringSubmatch(all[name], -1) {
			linked[target(name, m)] = true
		}
	}
	for name := range all {
		if !linked[name] && !linked[filepath.Dir(name)] {
			t.Errorf("neither README.md nor README.zh-CN.md links to %s", name)
		}
	}
}

// anchors are those of a document's headings, as GitHub makes them from their text.
func anchors(text string) []string {
	var all []string
	seen := map[string]int{}
	for _, title := range headings(text) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimLeft(title, "# "))
		if n := seen[slug]; n > 0 {
			all = append(all, slug+"-"+strconv.Itoa(n))
		} else {
			all = append(all, slug)
		}
		seen[slug]++
	}
	return all
}

// headings are the lines of a document that are headings, with their marks.
func headings(text string) []string {
	var all []string
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n ")
		if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
			fenced = !fenced
		} else if title := strings.TrimLeft(line, "#"); !fenced && title != line && strings.HasPrefix(title, " ") {
			all = append(all, line)
		}
	}
	return all
}

// A dark picture is the light one in other colours, and the Chinese one is the English one
// in other words.
func TestPictures(t *testing.T) {
	t.Parallel()
	colour, words := regexp.MustCompile(`#[0-9a-f]{6}`), regexp.MustCompile(`>[^<]+<|font-family="[^"]*"`)
	picture := func(name string) string { return read(t, root+"docs/images/"+name+".svg") }
	shape := func(name string) string { return colour.ReplaceAllString(picture(name), "") }
	for _, name := range []string{"flow-", "flow-zh-"} {
		if picture(name+"light") == picture(name+"dark") || shape(name+"light") != shape(name+"dark") {
			t.Errorf("%slight.svg and %[1]sdark.svg differ in more than their colours, or in nothing", name)
		}
	}
	if words.ReplaceAllString(shape("flow-light"), "") != words.ReplaceAllString(shape("flow-zh-light"), "") {
		t.Error("flow-light.svg and flow-zh-light.svg differ in more than their words")
	}
}

// Pages are short enough to read, and tables narrow enough to show.
func TestLengths(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		if n := len(strings.Fields(text)); n >= 3000 {
			t.Errorf("%s has %d words; a page has under 3,000", name, n)
		}
		number := 0
		for line := range strings.Lines(text) {
			number++
			if n := len([]rune(strings.TrimSpace(line))); strings.HasPrefix(strings.TrimSpace(line), "|") && n > 200 {
				t.Errorf("%s:%d: this line of a table has %d characters; 200 is the most", name, number, n)
			}
		}
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		if text, err := os.ReadFile(root + name); err == nil && strings.Count(string(text), "\n") > 150 {
			t.Errorf("%s has over 150 lines", name)
		}
	}
}
