package blackbox_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// Sources that lead out of the list, or only look as if they were on it, are refused, and
// no request is sent. There is one of each kind here; httpapi has all spellings.
func hostileSources(t *testing.T, s *site) {
	w, before := s.w, s.w.touched()
	site, port := w.site, w.port()
	for _, source := range []string{
		// other schemes
		"in/x", "file:///etc/passwd", "http://" + site + "/in/x", "HTTPS://" + site + "/in/x", "//" + site + "/in/x",
		// user information, and hosts that look like the one
		"https://" + site + "@evil.example/in/x", "https://user@" + site + "/in/x", `https://evil.example\@` + site + "/in/x", "https://" + site + ".evil.example/in/x", "https://127.0.0.1/in/x",
		// other spellings of the address, and addresses inside
		"https://127.1:" + port + "/in/x", "https://[::ffff:127.0.0.1]:" + port + "/in/x", "https://169.254.169.254/latest/meta-data/", "https://localhost.:" + port + "/in/x",
		// out of the prefix
		"https://" + site + "/other", "https://" + site + "/in/../other", "https://" + site + "/in/%252e%252e/other", "https://" + site + "/in/x\r\nHost: evil.example",
		// other buckets and prefixes
		"s3://" + devstack.Bucket + "/other/secret.txt", "s3://" + devstack.Bucket + "/in/../other/secret.txt", "s3://" + kit.CosBucket + "/in/x", "cos://" + kit.CosBucket + "/other/secret.txt?region=ap-shanghai",
		"s3://" + devstack.Bucket + "/" + strings.Repeat("x", 9<<10),
	} {
		if a := s.do(copying(source, "x")); a.status != 403 || a.problem(t).Code != "Refused" {
			t.Errorf("%.100q: %d %s", source, a.status, a.body)
		}
	}
	if n := w.touched() - before; n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// A redirect is followed within the list only, however it is written.
func hostileRedirects(t *testing.T, s *site) {
	w, before := s.w, s.w.hits.Load()
	commits := w.Cloud.Commits()
	targets := []string{
		"https://169.254.169.254/latest/meta-data/iam/security-credentials/", "http://169.254.169.254/", "//169.254.169.254/latest", "https://[fd00:ec2::254]/latest", "http://" + w.site + "/in/x",
		w.S3URL + "/" + devstack.Bucket + "/other/secret.txt", "https://" + w.site + "/other", "../other", "/in/../other", "/in/%2e%2e/other", "//user@" + w.site + "/in/x", "https://evil.example/in/x",
		"https://localhost:" + w.port() + "/in/x", "file:///etc/passwd",
	}
	for i, target := range targets {
		a := s.do(copying("https://"+w.site+"/in/to?url="+url.QueryEscape(target), "x"))
		if a.status != 403 || a.problem(t).Code != "Refused" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if n := w.hits.Load() - before; n != int64(i+1) {
			t.Fatalf("%s: %d requests reached the server, not %d", target, n, i+1)
		}
	}
	looped := w.hits.Load()
	if a := s.do(copying("https://"+w.site+"/in/loop", "x")); a.status != 403 {
		t.Errorf("an endless redirect: %d %s", a.status, a.body)
	}
	if n := w.hits.Load() - looped; n > 10 {
		t.Errorf("%d redirects were followed", n)
	}
	if n := w.Cloud.Commits() - commits; n != 0 {
		t.Errorf("%d files were stored", n)
	}
}

// A host that is on the list by its name must be of the public Internet; its
// address must be on the list itself.
func namesThatLeadInside(t *testing.T, s *site) {
	w, before := s.w, s.w.hits.Load()
	a := s.do(copying(fmt.Sprintf("https://localhost:%s/in/x?sig=%s", w.port(), signature), "x"))
	if p := a.problem(t); a.status != 403 || !strings.Contains(p.Detail, "public Internet") || strings.Contains(p.Detail, "127.0.0.1") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := w.hits.Load() - before; n != 0 {
		t.Errorf("%d requests reached the server", n)
	}
	if a := s.do(copying("https://"+w.site+"/in/x", "x")); a.status != 201 {
		t.Errorf("by its address: %d %s", a.status, a.body)
	}
}

// Without HTTP_SOURCES nothing may be named.
func TestNoSources(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, "HTTP_SOURCES", "")
		for _, source := range []string{"s3://" + devstack.Bucket + "/" + stagedKey, "cos://" + kit.CosBucket + "/" + stagedKey, "https://" + w.site + "/in/x"} {
			if a := s.do(copying(source, "x")); a.status != 403 {
				t.Errorf("%s: %d %s", source, a.status, a.body)
			}
		}
		if n := w.touched(); n != 0 {
			t.Errorf("%d requests went out", n)
		}
	})
}
