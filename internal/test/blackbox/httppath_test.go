package blackbox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// PATH is decoded exactly once in total, whatever the front has done, and a
// stage's name is not part of it.
func paths(t *testing.T, s *site) {
	w, before := s.w, s.w.Cloud.Commits()
	for target, path := range map[string]string{
		"in/a.png":               "in/a.png",
		"in%2Fb.png":             "in/b.png",
		"in%2fc.png":             "in/c.png",
		"in%252Fd.png":           "in%2Fd.png",
		"%252e%252e/e":           "%2e%2e/e",
		"f+f":                    "f+f",
		"g%2Bg%20g":              "g+g g",
		"%E7%BA%A2%e8%8a%b1.txt": "红花.txt",
		"h%25":                   "h%",
		"i%2525":                 "i%25",
		"j%3Fx%3D1%23y":          "j?x=1#y",
		"k;v=1/@:&=$,'()*!~":     "k;v=1/@:&=$,'()*!~",
		"prod/prod/l":            "prod/prod/l",
		"files/m":                "files/m",
		"...n/.n/n..":            "...n/.n/n..",
		"$%7Bname%7D":            "${name}",
	} {
		a := s.do(putFile("/files/"+target, "text/plain", target))
		if a.status != http.StatusCreated {
			t.Errorf("%s: %d %s", target, a.status, a.body)
			continue
		}
		w.stored(t, path, target, "text/plain")
	}
	if n := w.Cloud.Commits() - before; n != 16 {
		t.Errorf("%d files were stored", n)
	}
}

// Paths that a front might decode into others are refused before another party is
// asked for anything. The rules themselves are route's.
func hostilePaths(t *testing.T, s *site) {
	w, before := s.w, s.w.touched()
	long := strings.Repeat("x", 851)
	for _, target := range []string{
		"", "/etc/passwd", "%2Fetc/passwd", "a/%2Fb", "a%2F", "a/../x", "a/..", "%2e%2e/x", "a%2F..%2Fx", "..%2Fx", "a/.%2e/x",
		`a%5Cb`, "a%1B/x", "x/$%7bfilename%7D", long[:848] + "%E7%BA%A2",
	} {
		if a := s.do(putFile("/files/"+target, "text/plain", "x")); a.status != 400 || a.problem(t).Code != "InvalidPath" {
			t.Errorf("%.80s: %d %s", target, a.status, a.body)
		}
	}
	if !s.decodes { // what JSON cannot hold and what an HTTP API refuses itself
		for _, target := range []string{"%ff", "a%C0%AE", "%E7%BA"} {
			if a := s.do(putFile("/files/"+target, "text/plain", "x")); a.status != 400 {
				t.Errorf("%s: %d %s", target, a.status, a.body)
			}
		}
		if a := s.do(putFile("/files%2Fx", "text/plain", "x")); a.status != 404 {
			t.Errorf("an encoded slash after files: %d %s", a.status, a.body)
		}
	}
	for _, target := range []string{"//files/x", "/x/../files/x", "/FILES/x", "/files./x", "/healthz/../files/x", "/stage/files/x"} {
		if a := s.do(putFile(target, "text/plain", "x")); a.status != 404 {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if n := w.touched() - before; n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// A path in a form or in JSON is taken as it is, and the same rules hold.
func pathsInBodies(t *testing.T, s *site) {
	w, before := s.w, s.w.touched()
	source := "s3://" + devstack.Bucket + "/" + stagedKey
	for _, r := range []request{
		post("/files", formType, field("path", "a/../x")+file("a", "image/png", "x")+formEnd),
		post("/files", formType, file("a/..", "image/png", "x")+formEnd),
		copying(source, "a/../x"), copying(source, "a\x1ab"),
	} {
		if a := s.do(r); a.status != 400 || a.problem(t).Code != "InvalidPath" {
			t.Errorf("%s: %d %s", r.body, a.status, a.body)
		}
	}
	if n := w.touched() - before; n != 0 {
		t.Errorf("%d requests went out", n)
	}
	const path = "in/%2e%2e/a+b%2Fc"
	for i, r := range []request{
		post("/files", formType, field("path", path)+file("a", "text/plain", "from "+devstack.Bucket)+formEnd),
		copying(source, path),
	} {
		if a := s.do(r); a.status != 201 {
			t.Errorf("%d: %d %s", i, a.status, a.body)
		}
		w.stored(t, path, "from "+devstack.Bucket, "text/plain")
	}
}
