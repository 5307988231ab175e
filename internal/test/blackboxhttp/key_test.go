package blackboxhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// Nothing but /healthz is answered without a key of the function's.
func TestNobody(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			for name, authorization := range map[string][]string{
				"none": nil, "empty": {""}, "no key": {"Bearer"}, "no key after all": {"Bearer "}, "unknown": {"Bearer guess"},
				"too long": {"Bearer " + anyKey + "x"}, "too short": {"Bearer " + anyKey[1:]}, "other case": {"Bearer " + strings.ToLower(anyKey)},
				"its hash": {"Bearer " + hash(anyKey)}, "its name": {"Bearer any"}, "without a scheme": {anyKey}, "another scheme": {"Basic " + anyKey},
				"two keys": {"Bearer guess", "Bearer " + anyKey}, "two keys in one": {"Bearer guess, Bearer " + anyKey},
			} {
				for _, r := range []request{
					put("/files/x", "text/plain", "x"), put("/files/../x", "text/plain", "x"), put("/files", "text/plain", "x"),
					post("/files", formType, file("a", "image/png", "x")+formEnd), post("/files", "text/plain", ""), copying("s3://staging/in/x", "x"),
					post("/tickets", jsonType, `{"path":"x"}`), post("/tickets", jsonType, `{`), post("/healthz", jsonType, ""),
					{method: "GET", target: "/"}, {method: "GET", target: "/healthz/"}, {method: "OPTIONS", target: "/files/x"}, {method: "BREW", target: "/files/x"},
				} {
					r = r.as("")
					r.header["Authorization"] = authorization
					if a := s.do(r); a.status != 401 || a.problem(t).Code != "Unauthorized" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
						t.Errorf("%s: %s %s: %d %s", name, r.method, r.target, a.status, a.body)
					}
				}
			}
			if n := w.touched(); n != 0 {
				t.Errorf("%d requests went out", n)
			}
		})
	}
}

// A key that may write under a prefix cannot be talked out of it.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			for path, status := range map[string]int{
				"team/a/x": 201, "team%2Fa%2Fy": 201,
				"team/ax": 403, "team/a": 403, "Team/a/x": 403, "x/team/a/x": 403, "team%252Fa/x": 403, "team/b/x": 403, "team%20/a/x": 403,
				"team/a/../x": 400, "team/a/%2e%2e/b/x": 400, "team/a/..%2Fb": 400, "team//a/x": 400, "./team/a/x": 400, `team/a/..%5Cx`: 400, "team/a/": 400,
			} {
				if a := s.do(put("/files/"+path, "text/plain", "x").as(teamKey)); a.status != status {
					t.Errorf("%s: %d %s, not %d", path, a.status, a.body, status)
				}
			}
			for _, r := range []request{
				post("/tickets", jsonType, `{"path":"team/a/../x"}`), post("/tickets", jsonType, `{"path":"team/b"}`),
				copying("s3://staging/"+stagedKey, "team/a/../../x"), post("/files", formType, field("path", "team/a/../b")+file("a", "image/png", "x")+formEnd),
			} {
				if a := s.do(r.as(teamKey)); a.status != 400 && a.status != 403 {
					t.Errorf("%s %s: %d %s", r.target, r.body, a.status, a.body)
				}
			}
			for _, o := range w.Cloud.Objects() {
				if !strings.HasPrefix(o.Path, "team/a/") {
					t.Errorf("%s is stored", o.Path)
				}
			}
		})
	}
}

// With HTTP_AUTH=iam the platform has authenticated the caller: no key is asked
// for, and one that is sent means nothing.
func TestIAM(t *testing.T) {
	t.Parallel()
	for _, f := range runtimes {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w, "HTTP_AUTH", "iam", "HTTP_KEYS", "")
			for _, r := range []request{
				put("/files/x", "text/plain", "x").as(""), put("/files/x", "text/plain", "x").as(teamKey),
				put("/files/x", "text/plain", "x").with("Authorization", "AWS4-HMAC-SHA256 Credential=x"), post("/tickets", jsonType, `{"path":"x"}`).as(""),
			} {
				if a := s.do(r); a.status != http.StatusCreated {
					t.Errorf("%s %v: %d %s", r.target, r.header, a.status, a.body)
				}
			}
			if a := s.do(put("/files/../x", "text/plain", "x").as("")); a.status != 400 {
				t.Errorf("a bad path: %d %s", a.status, a.body)
			}
		})
	}
}

// A function that nobody or everybody could call does not start, and neither
// does one with a list that cannot be read; it says which variable is to blame.
func TestRefusalsToStart(t *testing.T) {
	t.Parallel()
	const key = "not-to-be-shown"
	for _, tt := range []struct {
		name string
		vars []string
		says []string
	}{
		{"neither", []string{"HTTP_KEYS", ""}, []string{"HTTP_KEYS", "HTTP_AUTH=iam"}},
		{"neither, in words", []string{"HTTP_KEYS", "", "HTTP_AUTH", "keys"}, []string{"HTTP_KEYS"}},
		{"both", []string{"HTTP_AUTH", "iam"}, []string{"HTTP_AUTH", "HTTP_KEYS"}},
		{"no such way", []string{"HTTP_AUTH", "none"}, []string{"HTTP_AUTH"}},
		{"a key instead of its hash", []string{"HTTP_KEYS", "me:" + key}, []string{"HTTP_KEYS", "entry 1"}},
		{"nothing but a key", []string{"HTTP_KEYS", key}, []string{"HTTP_KEYS", "entry 1"}},
		{"the same key twice", []string{"HTTP_KEYS", "a:" + hash(key) + ",b:" + hash(key)}, []string{"HTTP_KEYS", "entry 2"}},
		{"prefix without its slash", []string{"HTTP_KEYS", "a:" + hash(key) + ":team"}, []string{"HTTP_KEYS", "entry 1"}},
		{"every origin", []string{"HTTP_CORS_ORIGINS", "*"}, []string{"HTTP_CORS_ORIGINS"}},
		{"every source", []string{"HTTP_SOURCES", "*"}, []string{"HTTP_SOURCES"}},
		{"source on plain http", []string{"HTTP_SOURCES", "s3://staging/in/,http://files.example/"}, []string{"HTTP_SOURCES", "entry 2"}},
		{"several mistakes", []string{"HTTP_KEYS", "", "HTTP_SOURCES", "x", "CLOUDBASE_ENV", ""}, []string{"HTTP_KEYS", "HTTP_SOURCES", "CLOUDBASE_ENV"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			vars := w.vars(tt.vars...)
			l := platform.NewLambda(lambdaHTTP, vars)
			defer l.Close()
			_, onLambda := l.Init(t.Context())
			server, onWeb := platform.StartWeb(t.Context(), scfHTTP, vars)
			if onWeb == nil {
				server.Close()
			}
			for name, err := range map[string]error{"lambda-http": onLambda, "scf-http": onWeb} {
				if err == nil {
					t.Errorf("%s started", name)
					continue
				}
				said := err.Error() + l.Output()
				for _, word := range tt.says {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%s does not say %s: %v", name, word, err)
					}
				}
				if strings.Contains(said, key) || strings.Contains(said, hash(key)) || strings.Contains(said, hash(anyKey)) {
					t.Errorf("%s shows a key: %s", name, said)
				}
			}
		})
	}
}
