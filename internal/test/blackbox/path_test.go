package blackbox_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A folder and a path that breaks a rule end before another party is asked for
// anything. The longest path that there may be is delivered. The rules themselves
// are route's.
func TestPathRules(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	f := lambda(t, w)
	files := f.deliver(s3Event("in/folder/", "in/../a.txt", "in/\xff\xfe.txt", strings.Repeat("红", 283)+"ab"))
	for i, e := range files {
		want := ending{code: "InvalidPath"}
		if i == 0 {
			want = ending{reason: "folder"}
		}
		matches(t, e, want)
	}
	if len(files) != 4 {
		t.Errorf("%d files are answered, not 4", len(files))
	}
	for op, n := range w.Cloud.Requests() {
		if n > 0 && op != tcb.OpStableToken { // the start fetches that

			t.Errorf("%d requests for %v", n, op)
		}
	}
	if n := w.Staging.Count("GET"); n > 0 {
		t.Errorf("%d files were opened", n)
	}
	longest := strings.Repeat("红", 283) + "a"
	body := kit.Put(t, w, longest, "")
	kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(longest)), body)
}

// Keys arrive as they are, whatever the envelope does to them.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	var keys, all []string
	for _, key := range []string{
		"a", "a b", "a+b", "a%20b", "a%b", "100%", "a&b=c?d#e", `a"b'c`, "a;b,c@d$e!", "红花/🌺.txt", "é", "e\u0301", "<x>", "{key}", "a:b", "~a.(1)*",
		"a\x01b\x1fc", "a\nb\r\nc", "日本/ 空 白 /x", "cos:/a?region=ap-shanghai", "%E7%BA%A2", "a\u2028b", "..a/b..", ".a", "a\x7fb",
	} {
		kit.Put(t, w, key, "content of "+key)
		keys, all = append(keys, key), append(all, "s3://"+devstack.Bucket+"/"+key)
	}
	check := func(files []kit.Entry) {
		t.Helper()
		for i, e := range files {
			kit.Delivered(t, w.Cloud, devstack.Env, e, "content of "+keys[i])
		}
		if len(files) != len(keys) {
			t.Errorf("%d files are answered, not %d", len(files), len(keys))
		}
	}
	f := lambda(t, w)
	first := f.deliver(s3Event(keys...))
	check(first)
	tokens := w.Cloud.Requests()[tcb.OpStableToken]
	check(f.deliver(plain(all...)))
	again := make([]string, len(first))
	for i, e := range first { // a source from an answer can be pasted back
		again[i] = e.Source
	}
	check(f.deliver(plain(again...)))
	if n := w.Cloud.Requests()[tcb.OpStableToken]; n != tokens {
		t.Errorf("%d further access tokens were fetched by one process", n-tokens)
	}
	s := scf(t, w)
	first = s.deliver(cosEvent(keys...))
	check(first)
	for i, e := range first {
		again[i] = e.Source
	}
	check(s.deliver(plain(again...)))
	check(lambda(t, w).deliver(plain(again...))) // lambda-objects reads COS where credentials are given
	check(scf(t, w).deliver(plain(all...)))      // and scf-objects S3
}
