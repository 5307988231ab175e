package route_test

import (
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// FuzzTemplate compares Expand with plain replacement, which it is but for the
// slash that an empty {dir} takes along.
func FuzzTemplate(f *testing.F) {
	for _, tpl := range []string{"{key}", "{dir}/{name}", "{dir}{dir}/x", "a/{bucket}/{yyyy}-{mm}-{dd}/{stem}{ext}", "{", "}", "{}", "{KEY}", "x{key", "{{key}}"} {
		f.Add(tpl, "b", "in/a b.tar.gz")
		f.Add(tpl, "b", ".profile")
	}
	f.Add("{dir}/{dir}//{name}", "", "//")
	f.Fuzz(func(t *testing.T, text, bucket, key string) {
		tpl, err := route.ParseTemplate(text)
		if err != nil {
			return
		}
		got := tpl.Expand(transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: key}, time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC))
		name := key[strings.LastIndexByte(key, '/')+1:]
		dir := strings.TrimSuffix(strings.TrimSuffix(key, name), "/")
		ext := path.Ext(name)
		if ext == name {
			ext = ""
		}
		if dir == "" {
			text = strings.ReplaceAll(text, "{dir}/", "{dir}")
		}
		want := strings.NewReplacer("{key}", key, "{dir}", dir, "{name}", name, "{stem}", strings.TrimSuffix(name, ext), "{ext}", ext,
			"{bucket}", bucket, "{yyyy}", "2026", "{mm}", "03", "{dd}", "09").Replace(text)
		if got != want {
			t.Fatalf("%q of %q is %q, want %q", text, key, got, want)
		}
	})
}

// FuzzGlobs compares a glob with a matcher of a few lines.
func FuzzGlobs(f *testing.F) {
	for _, glob := range []string{"*", "**", "**/*.jpg", "in/**", "in/**/z", "foo**/bar", "a?c", "a+(b)[c].txt", "**/**", "**/**/x", `\*`, "红*", "***"} {
		f.Add(glob, "a.jpg")
		f.Add(glob, "in/x/y/z")
		f.Add(glob, glob)
	}
	f.Fuzz(func(t *testing.T, glob, key string) {
		globs, err := route.ParseGlobs(glob)
		if err != nil || len(globs) != 1 || strings.TrimSpace(glob) != glob || strings.Contains(glob, ",") {
			return
		}
		if !utf8.ValidString(key) || len(glob) > 64 || len(key) > 256 {
			return
		}
		if got, want := globs.Match(key), matches("/"+glob, "/"+key); got != want {
			t.Fatalf("%q on %q: %v, want %v", glob, key, got, want)
		}
	})
}

// matches is the definition of a glob: in place of /**/ there may be a slash
// alone, ** is anything, * and ? know no slash.
func matches(glob, key string) bool {
	seen := map[[2]int]bool{} // what does not match
	var at func(g, k string) bool
	at = func(g, k string) (ok bool) {
		place := [2]int{len(g), len(k)}
		if seen[place] {
			return false
		}
		defer func() { seen[place] = !ok }()
		_, width := utf8.DecodeRuneInString(k)
		switch {
		case g == "":
			return k == ""
		case strings.HasPrefix(g, "/**/"):
			if !strings.HasPrefix(k, "/") {
				return false
			}
			for i := range len(k) { // from each slash on
				if k[i] == '/' && at(g[3:], k[i:]) {
					return true
				}
			}
			return false
		case strings.HasPrefix(g, "**"):
			return at(g[2:], k) || k != "" && at(g, k[width:])
		case g[0] == '*':
			return at(g[1:], k) || k != "" && k[0] != '/' && at(g, k[width:])
		case k == "":
			return false
		case g[0] == '?':
			return k[0] != '/' && at(g[1:], k[width:])
		}
		return g[0] == k[0] && at(g[1:], k[1:])
	}
	return at(glob, key)
}
