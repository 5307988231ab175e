package blackbox_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// A cloud path that breaks a rule is refused before anybody is asked for anything.
func TestPathRules(t *testing.T) {
	t.Parallel()
	bad := []string{
		"/in/a.txt", "in//a.txt", "./a.txt", "in/./a.txt", "../a.txt", "in/..", "in/../a.txt", `in\a.txt`,
		"in/\x18.txt", "in/\x19.txt", "in/\x1a.txt", "in/\x1b.txt", "in/\xff\xfe.txt", "in/${filename}", "${filename}/a.txt",
		strings.Repeat("k", 851), strings.Repeat("红", 283) + "ab",
	}
	for _, form := range forms {
		if form.name != "s3" && form.name != "cos" {
			continue
		}
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := form.start(t, w)
			keys := append([]string{"in/folder/"}, bad...)
			files := f.ferry(form.event(keys...))
			for i, e := range files {
				switch {
				case i == 0:
					matches(t, e, verdict{reason: "folder"})
				case form.name == "cos" && strings.Contains(keys[i], "\xff"):
					// JSON has no such bytes: the key is another one, and there is none.
				default:
					matches(t, e, verdict{code: "InvalidPath"})
				}
			}
			if len(files) != len(keys) {
				t.Errorf("%d files are answered, not %d", len(files), len(keys))
			}
			for op, n := range w.Cloud.Requests() {
				if form.name == "s3" && n > 0 {
					t.Errorf("%d requests for %v", n, op)
				}
			}
			if n := w.Staging.Count("GET"); form.name == "s3" && n > 0 {
				t.Errorf("%d files were opened", n)
			}
			longest := strings.Repeat("红", 283) + "a"
			body := put(t, w, longest, "")
			delivered(t, w.Cloud, devstack.Env, f.one(form.event(longest)), body)
		})
	}
}

// Keys arrive as they are, whatever the envelope does to them.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var keys, all []string
	for _, key := range []string{
		"a", "a b", "a+b", "a%20b", "a%b", "100%", "a&b=c?d#e", `a"b'c`, "a;b,c@d$e!", "红花/🌺.txt", "é", "e\u0301", "<x>", "{key}", "a:b", "~a.(1)*",
		"a\x01b\x1fc", "a\nb\r\nc", "日本/ 空 白 /x", "cos:/a?region=ap-shanghai", "%E7%BA%A2", "a\u2028b", "..a/b..", ".a", "a\x7fb",
	} {
		put(t, w, key, "content of "+key)
		keys, all = append(keys, key), append(all, "s3://"+devstack.Bucket+"/"+key)
	}
	check := func(files []entry) {
		t.Helper()
		for i, e := range files {
			delivered(t, w.Cloud, devstack.Env, e, "content of "+keys[i])
		}
		if len(files) != len(keys) {
			t.Errorf("%d files are answered, not %d", len(files), len(keys))
		}
	}
	f := lambda(t, w)
	first := f.ferry(s3Event(keys...))
	check(first)
	check(f.ferry(plain(all...)))
	again := make([]string, len(first))
	for i, e := range first { // a source from an answer can be pasted back
		again[i] = e.Source
	}
	check(f.ferry(plain(again...)))
	s := scf(t, w)
	first = s.ferry(cosEvent(keys...))
	check(first)
	for i, e := range first {
		again[i] = e.Source
	}
	check(s.ferry(plain(again...)))
	check(lambda(t, w).ferry(plain(again...))) // lambda-objects reads COS where credentials are given
	check(scf(t, w).ferry(plain(all...)))      // and scf-objects S3
	if n := w.Cloud.Requests()[tcb.OpStableToken]; n != 4 {
		t.Errorf("%d access tokens were fetched by 4 processes", n)
	}
}
