package blackboxhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// PATH is decoded exactly once in total, whatever the front has done, and a
// stage's name is not part of it.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
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
				a := s.do(put("/files/"+target, "text/plain", target))
				if a.status != http.StatusCreated {
					t.Errorf("%s: %d %s", target, a.status, a.body)
					continue
				}
				w.stored(t, path, target, "text/plain")
			}
			if n := len(w.Cloud.Objects()); n != 16 {
				t.Errorf("%d files are stored", n)
			}
		})
	}
}

// Paths that mean something else to somebody are refused, before anybody outside
// is asked for anything.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 851)
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			for _, target := range []string{
				"", "/", "/etc/passwd", "%2Fetc/passwd", "a//b", "a/%2Fb", "a/", "a%2F",
				"..", ".", "../x", "a/../x", "a/./x", "a/..", "%2e%2e/x", "a/%2E%2e/x", "a%2F..%2Fx", "..%2Fx", "a/.%2e/x",
				`a%5Cb`, "..%5Cx", "a%18", "a%1B/x", "$%7Bfilename%7D", "x/$%7bfilename%7D", long, long[:848] + "%E7%BA%A2",
			} {
				if a := s.do(put("/files/"+target, "text/plain", "x")); a.status != 400 || a.problem(t).Code != "InvalidPath" {
					t.Errorf("%.80s: %d %s", target, a.status, a.body)
				}
			}
			if !f.decodes { // what JSON cannot hold and what an HTTP API refuses itself
				for _, target := range []string{"%ff", "a%C0%AE", "%E7%BA"} {
					if a := s.do(put("/files/"+target, "text/plain", "x")); a.status != 400 {
						t.Errorf("%s: %d %s", target, a.status, a.body)
					}
				}
				if a := s.do(put("/files%2Fx", "text/plain", "x")); a.status != 404 {
					t.Errorf("an encoded slash after files: %d %s", a.status, a.body)
				}
			}
			for _, target := range []string{"//files/x", "/x/../files/x", "/FILES/x", "/files./x", "/healthz/../files/x", "/stage/files/x"} {
				if a := s.do(put(target, "text/plain", "x")); a.status != 404 {
					t.Errorf("%s: %d %s", target, a.status, a.body)
				}
			}
			if n := w.touched(); n != 0 {
				t.Errorf("%d requests went out", n)
			}
		})
	}
}

// A path in a form or in JSON is taken as it is, and the same rules hold.
func TestPathsInBodies(t *testing.T) {
	t.Parallel()
	for _, f := range runtimes {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			source := "s3://" + devstack.Bucket + "/" + stagedKey
			for _, path := range []string{"", "/x", "x/", "a//b", "../x", "a/../x", `a\b`, "${filename}", "a\x1ab", strings.Repeat("x", 851)} {
				for _, r := range []request{
					post("/files", formType, field("path", path)+file("a", "image/png", "x")+formEnd),
					copying(source, path),
				} {
					if a := s.do(r); a.status != 400 || a.problem(t).Code != "InvalidPath" {
						t.Errorf("%.60q: %d %s", path, a.status, a.body)
					}
				}
			}
			for _, name := range []string{"..", "a/..", `a\.`, "a/", "", "x/${filename}"} {
				if a := s.do(post("/files", formType, file(name, "image/png", "x")+formEnd)); a.status != 400 {
					t.Errorf("file name %q: %d %s", name, a.status, a.body)
				}
			}
			if n := w.touched(); n != 0 {
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
		})
	}
}
