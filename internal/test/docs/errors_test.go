package docs

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/ticket/cloudbase"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// numbers has what the product says of every errcode, names the same of every code that
// is a word. The order is that of the sentences of an entry.
func numbers() map[string][]string {
	says := map[string][]string{}
	for _, c := range wechat.Codes() {
		where := map[string]string{wechat.AtToken: "Where a token is fetched, ", wechat.AtAPI: "Where a token is used, "}[c.At]
		says[c.Code] = append(says[c.Code], sentence(where, c))
	}
	return says
}

func names() map[string][]string {
	says := map[string][]string{}
	for _, party := range []struct {
		where string
		codes []transfer.Code
	}{{"By ticket, ", cospost.Codes()}, {"In parts, ", multipart.Codes()}, {"Source, ", s3source.Codes()}, {"CloudBase, ", cloudbase.Codes()}} {
		for _, c := range party.codes {
			says[c.Code] = append(says[c.Code], sentence(party.where, c))
		}
	}
	return says
}

func sentence(where string, c transfer.Code) string {
	name := ""
	if c.Name != "" {
		name = "`" + c.Name + "`, "
	}
	return fmt.Sprintf("%s%s%s: %s.", where, name, c.Kind, c)
}

// list has an entry for each code, with an anchor; codes of which the same is said share
// an entry. A code that has its anchor elsewhere on the page gets a link.
func list(says map[string][]string, elsewhere map[string]int) string {
	groups := map[string][]string{}
	for code, sentences := range says {
		text := strings.Join(sentences, " ")
		groups[text] = append(groups[text], code)
	}
	texts := map[string]string{} // by the first code of the group
	for text, codes := range groups {
		slices.SortFunc(codes, order)
		texts[codes[0]] = text
	}
	seen := maps.Clone(elsewhere)
	var b strings.Builder
	for _, first := range slices.SortedFunc(maps.Keys(texts), order) {
		var anchors, names []string
		for _, code := range groups[texts[first]] {
			id := strings.ToLower(code)
			if seen[id]++; seen[id] > 1 {
				names = append(names, "["+code+"](#"+id+")")
			} else {
				anchors, names = append(anchors, `<a id="`+id+`"></a>`), append(names, "**"+code+"**")
			}
		}
		fmt.Fprintf(&b, "- %s%s. %s\n", strings.Join(anchors, ""), strings.Join(names, ", "), texts[first])
	}
	return b.String()
}

// order sorts names by letters, and numbers by their size without the sign.
func order(a, b string) int {
	key := func(s string) string {
		if n := strings.TrimLeft(s, "-"); n[0] >= '0' && n[0] <= '9' {
			return fmt.Sprintf("%12s", n)
		}
		return s
	}
	return cmp.Compare(key(a), key(b))
}

var anchor = regexp.MustCompile(`<a id="([^"]+)"></a>`)

func ids(text string) map[string]int {
	n := map[string]int{}
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		n[m[1]]++
	}
	return n
}

// Every code that the product explains is in docs/reference, as the product explains it.
func TestErrorsListEveryCode(t *testing.T) {
	_, own, _ := block(t, read(t, errorPage), "own codes")
	for _, part := range []struct {
		page, name string
		says       map[string][]string
	}{{numberPage, "numbers", numbers()}, {errorPage, "names", names()}} {
		before, inside, after := block(t, read(t, part.page), part.name)
		want := list(part.says, ids(own))
		if len(part.says) < 40 {
			t.Errorf("there are only %d %s", len(part.says), part.name)
		}
		if update {
			if err := os.WriteFile(part.page, []byte(before+want+after), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if inside != want {
			t.Errorf("the list of %s is out of date; run UPDATE_GOLDEN=1 go test ./internal/test/docs", part.name)
		}
	}
}

// Every kind and every code has one anchor, the one that transfer.Help leads to.
func TestErrorsHaveAnchors(t *testing.T) {
	t.Parallel()
	all := map[string]map[string]int{}
	for _, page := range []string{errorPage, numberPage} {
		text := read(t, page)
		all[filepath.Base(page)] = ids(text)
		for _, a := range anchors(text) {
			all[filepath.Base(page)][a]++
		}
	}
	labels := slices.Collect(maps.Keys(numbers()))
	labels = slices.AppendSeq(labels, maps.Keys(names()))
	labels = append(labels, written(t)...)
	if len(labels) < 150 {
		t.Errorf("only %d labels were found", len(labels))
	}
	for _, label := range labels {
		page, id, _ := strings.Cut(transfer.Help(label), "#")
		if all[filepath.Base(page)][id] != 1 {
			t.Errorf("%s: %s has %d anchors %q", label, page, all[filepath.Base(page)][id], id)
		}
	}
}

// written are the kinds, and the codes that stand as literals in the code of the product.
func written(t *testing.T) []string {
	t.Helper()
	pattern := regexp.MustCompile(`Kind = "(\w+)"|\bCode(?:: | = )"(\w+)"|newProblem\(\S+, "(\w+)"`)
	var found []string
	for _, dir := range []string{"app", "delivery", "event", "httpapi", "host", "notify", "route", "source", "ticket", "transfer", "upload"} {
		err := filepath.WalkDir(root+"internal/"+dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
				for _, m := range pattern.FindAllStringSubmatch(read(t, path), -1) {
					found = append(found, m[1]+m[2]+m[3])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
