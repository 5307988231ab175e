package route_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestCheckPath(t *testing.T) {
	for _, tc := range []struct{ path, why string }{
		{"a.png", ""},
		{"in/a b+c%20&=.png", ""},
		{"红花/日本.jpg", ""},
		{"..a/b..", ""},
		{"a\x1fb", ""},
		{strings.Repeat("x", 850), ""},
		{strings.Repeat("红", 283), ""},
		{"", "empty"},
		{"/a", "begins with /"},
		{"a/", "ends with /"},
		{"/", "begins with /"},
		{"a//b", "//"},
		{"./a", "segment"},
		{"a/../b", "segment"},
		{"a/..", "segment"},
		{".", "segment"},
		{`a\b`, `\`},
		{"a\x18", "control"}, {"a\x19b", "control"}, {"\x1a", "control"}, {"x\x1b", "control"},
		{"a\xffb", "UTF-8"},
		{"x/${filename}", "${filename}"},
		{strings.Repeat("x", 851), "850"},
		{strings.Repeat("红", 284), "850"},
	} {
		err := route.CheckPath(tc.path)
		if tc.why == "" {
			if err != nil {
				t.Errorf("CheckPath(%q) = %v, want nil", tc.path, err)
			}
			continue
		}
		if err == nil || err.Kind != transfer.KindRefused || !strings.Contains(err.What, tc.why) {
			t.Errorf("CheckPath(%q) = %v, want a refusal that says %q", tc.path, err, tc.why)
		}
	}
	for _, path := range []string{"https://host/k?sign=SECRET", strings.Repeat("x", 851) + "SECRET", "/" + strings.Repeat("x", 64) + "SECRET"} {
		if err := route.CheckPath(path); err == nil || strings.Contains(err.What, "SECRET") || len(err.What) > 300 {
			t.Errorf("CheckPath(%.80q) = %v", path, err)
		}
	}
}

func TestTemplate(t *testing.T) {
	day := time.Date(2026, 3, 9, 23, 30, 0, 0, time.FixedZone("", -3600))
	for _, tc := range []struct{ tpl, key, want string }{
		{"{key}", "in/a b.png", "in/a b.png"},
		{"media/{dir}/{name}", "x/y/a.png", "media/x/y/a.png"},
		{"media/{dir}/{name}", "a.png", "media/a.png"},
		{"{dir}/{name}", "a.png", "a.png"},
		{"{dir}{name}", "a.png", "a.png"},
		{"{dir}-{name}", "a.png", "-a.png"},
		{"{stem}-{yyyy}{mm}{dd}{ext}", "x/a.tar.gz", "a.tar-20260310.gz"},
		{"{bucket}/{stem}{ext}", "x/.profile", "b/.profile"},
		{"{stem}|{ext}", "x/noext", "noext|"},
		{"plain", "x", "plain"},
	} {
		tpl, err := route.ParseTemplate(tc.tpl)
		if err != nil {
			t.Errorf("ParseTemplate(%q): %v", tc.tpl, err)
			continue
		}
		ref := transfer.Ref{Scheme: "s3", Bucket: "b", Key: tc.key}
		if got := tpl.Expand(ref, day); got != tc.want {
			t.Errorf("%q of %q = %q, want %q", tc.tpl, tc.key, got, tc.want)
		}
	}
	for _, bad := range []string{"{Key}", "{}", "{key", "a}b", "{key}}", "{ key}", "{key} {nope}", "{key} {dir}{",
		"", "/{key}", "{key}/", "a//{key}", `a\{key}`, "../{key}", "a/./{key}", "${filename}", "a/{dir}//{name}", strings.Repeat("x", 851)} {
		if _, err := route.ParseTemplate(bad); err == nil {
			t.Errorf("ParseTemplate(%q) succeeded", bad)
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, tc := range []struct {
		glob, key string
		want      bool
	}{
		{"*.jpg", "a.jpg", true},
		{"*.jpg", "x/a.jpg", false},
		{"**.jpg", "x/y/a.jpg", true},
		{"**/*.jpg", "a.jpg", true},
		{"**/*.jpg", "x/y/a.jpg", true},
		{"in/**", "in/x/y", true},
		{"in/**", "input", false},
		{"in/**/z", "in/z", true},
		{"in/**/z", "in/x/y/z", true},
		{"**/**/x.jpg", "x.jpg", true},
		{"a/**/**/x.jpg", "a/x.jpg", true},
		{"a/**/**/**/x.jpg", "a/b/x.jpg", true},
		{"a/**/**/x.jpg", "ax.jpg", false},
		{"foo**/bar", "foobar", false},
		{"a?c", "abc", true},
		{"a?c", "a/c", false},
		{"a+(b)[c].txt", "a+(b)[c].txt", true},
		{"红*", "红花.jpg", true},
		{"*", "new\nline", true},
		{" *.a , *.b ", "x.b", true},
	} {
		gs, err := route.ParseGlobs(tc.glob)
		if err != nil {
			t.Fatal(err)
		}
		if got := gs.Match(tc.key); got != tc.want {
			t.Errorf("%q matches %q: %v, want %v", tc.glob, tc.key, got, tc.want)
		}
	}
}

func TestPlan(t *testing.T) {
	tpl := func(s string) route.Template {
		tpl, err := route.ParseTemplate(s)
		if err != nil {
			t.Fatal(err)
		}
		return tpl
	}
	exclude, _ := route.ParseGlobs("**/*.tmp")
	table := &route.Table{Exclude: exclude, Routes: []route.Route{
		{From: transfer.Ref{Scheme: "s3", Bucket: "b", Key: "in/"}, Env: "e1", Path: tpl("one/{key}")},
		{From: transfer.Ref{Scheme: "s3", Bucket: "b"}, Env: "e2", Path: tpl("{key}")},
		{From: transfer.Ref{Scheme: "cos", Bucket: "c-1"}, Env: "e3", App: "wx3", Path: tpl("{key}")},
		{From: transfer.Ref{Scheme: "cos", Bucket: "d-1", Region: "ap-shanghai"}, Env: "e4", Path: tpl("{key}")},
	}}
	for _, tc := range []struct {
		ref, alt string
		want     string // env app path, reason, or Kind
	}{
		{ref: "s3://b/in/a", want: "e1  one/in/a"},
		{ref: "s3://b/a//b", want: "Refused"},
		{ref: "cos://d-1/k?region=ap-shanghai", want: "e4  k"},
		{ref: "cos://d-1/k?region=ap-beijing", want: "no-route"},
		{ref: "cos://d-1/k?region=", want: "e4  k"},
		{ref: "cos://c-1/a//b?region=ap-shanghai", alt: "a/b", want: "e3 wx3 a/b"},
		{ref: "cos://c-1/a.tmp?region=ap-shanghai", alt: "a.tm", want: "e3 wx3 a.tm"},
		{ref: "cos://c-1/a?region=ap-shanghai", alt: "a.tmp", want: "e3 wx3 a"},
		{ref: "s3://bb/in/a", want: "no-route"},
		{ref: "cos://b/in/a", want: "no-route"},
		{ref: "s3://b/in/", want: "folder"},
		{ref: "s3://b/x.tmp", want: "excluded"},
		{ref: "cos://c-1/k?region=ap-shanghai", want: "e3 wx3 k"},
		{ref: "cos://c-1/a%20b?region=ap-shanghai", alt: "a b", want: "e3 wx3 a%20b or e3 wx3 a b"},
	} {
		ref, err := transfer.Parse(tc.ref)
		if err != nil {
			t.Fatal(err)
		}
		p, reason, refused := table.Plan(transfer.Item{Ref: ref, AltKey: tc.alt})
		got := string(reason)
		switch {
		case refused != nil:
			got = string(refused.Kind)
		case reason == "":
			got = p.Dest.Env + " " + p.Dest.App + " " + p.Dest.Path
			if p.Alt != nil {
				got += " or " + p.Alt.Dest.Env + " " + p.Alt.Dest.App + " " + p.Alt.Dest.Path
			}
		}
		if got != tc.want {
			t.Errorf("Plan(%s) = %q, want %q", tc.ref, got, tc.want)
		}
	}
}

func TestCollision(t *testing.T) {
	type r struct{ from, env, path string }
	for _, tc := range []struct {
		name   string
		routes []r
		want   bool
	}{
		{"whole key", []r{{"", "e", "in/{key}"}}, false},
		{"folder and name", []r{{"", "e", "{dir}/x/{name}"}}, false},
		{"folder, stem and extension", []r{{"", "e", "{dir}/{stem}-{yyyy}{ext}"}}, false},
		{"name alone", []r{{"", "e", "{name}"}}, true},
		{"folder and stem", []r{{"", "e", "{dir}/{stem}"}}, true},
		{"folder joined to the name", []r{{"", "e", "{dir}-{name}"}}, true},
		{"a constant", []r{{"", "e", "latest"}}, true},
		{"the second route", []r{{"s3://a/", "e", "a/{key}"}, {"s3://b/", "e", "b/{name}"}}, true},
		{"two buckets, one place", []r{{"s3://a/", "e", "{key}"}, {"s3://b/", "e", "{key}"}}, true},
		{"two stores, one place", []r{{"s3://a/", "e", "{key}"}, {"cos://a/", "e", "{key}"}}, true},
		{"two buckets, two environments", []r{{"s3://a/", "e", "{key}"}, {"s3://b/", "f", "{key}"}}, false},
		{"two buckets, two folders", []r{{"s3://a/", "e", "a/{key}"}, {"s3://b/", "e", "b/{key}"}}, false},
		{"a folder within the other", []r{{"s3://a/", "e", "a/{key}"}, {"s3://b/", "e", "{key}"}}, true},
		{"two buckets by name", []r{{"s3://a/", "e", "{bucket}/{key}"}, {"s3://b/", "e", "{bucket}/{key}"}}, false},
		{"one bucket, one template", []r{{"s3://a/x/", "e", "{key}"}, {"s3://a/", "e", "{key}"}}, false},
		{"one bucket, two templates", []r{{"s3://a/x/", "e", "y/{key}"}, {"s3://a/", "e", "{key}"}}, true},
	} {
		var table route.Table
		for _, r := range tc.routes {
			path, err := route.ParseTemplate(r.path)
			if err != nil {
				t.Fatal(err)
			}
			from, _ := transfer.Parse(r.from)
			table.Routes = append(table.Routes, route.Route{From: from, Env: r.env, Path: path})
		}
		if got := table.Collision(); (got != "") != tc.want {
			t.Errorf("%s: %q, want one: %v", tc.name, got, tc.want)
		}
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"a", "/a", "a//b", "a/../b", "a\\b", "${filename}", "\x1a", "\xff", "红/花"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if route.CheckPath(path) != nil {
			return
		}
		// What is accepted is one file in one place: no server would rewrite the path.
		segments := strings.Split(path, "/")
		for _, s := range segments {
			if s == "" || s == "." || s == ".." {
				t.Errorf("accepted %q with segment %q", path, s)
			}
		}
		if len(path) > 850 || strings.ContainsAny(path, "\\\x18\x19\x1a\x1b") || strings.ToValidUTF8(path, "?") != path {
			t.Errorf("accepted %q", path)
		}
	})
}
