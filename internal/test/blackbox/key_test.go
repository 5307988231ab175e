package blackbox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// Nothing but /healthz is answered without a key, however a front passes the header
// on. Which keys are right is httpapi's to test.
func TestUnauthorized(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w)
		for name, authorization := range map[string][]string{
			"none": nil, "empty": {""}, "unknown": {"Bearer guess"}, "its hash": {"Bearer " + hash(anyKey)},
			"two keys": {"Bearer guess", "Bearer " + anyKey}, "two keys in one": {"Bearer guess, Bearer " + anyKey},
		} {
			for _, r := range []request{
				putFile("/files/x", "text/plain", "x"), putFile("/files/../x", "text/plain", "x"), copying("s3://staging/in/x", "x"),
				post("/tickets", jsonType, `{"path":"x"}`), {method: "GET", target: "/"}, {method: "OPTIONS", target: "/files/x"},
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

// Pages of a listed origin may call and read every answer, behind every front. Which
// origins are listed is httpapi's to test.
func TestCORS(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w)
		preflight := request{method: http.MethodOptions, target: "/files/x", header: http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization,content-type"}}}
		a := s.do(preflight)
		if h := a.header; a.status != 204 || len(a.body) > 0 || h.Get("Access-Control-Allow-Origin") != origin || h.Get("Vary") != "Origin" ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "authorization") {
			t.Errorf("preflight: %d %v", a.status, h)
		}
		if a := s.do(preflight.with("Origin", "https://x."+origin[len("https://"):])); a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of another origin: %d %v", a.status, a.header)
		}
		for status, r := range map[int]request{
			201: putFile("/files/x", "text/plain", "x"), 400: putFile("/files/../x", "text/plain", "x"), 401: putFile("/files/x", "text/plain", "x").as(""),
		} {
			a := s.do(r.with("Origin", origin))
			if a.status != status || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Expose-Headers") != "Retry-After" {
				t.Errorf("%d, not %d: %v", a.status, status, a.header)
			}
		}
	})
}

// A key that may write under a prefix can write nowhere else.
func TestPrefixes(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w)
		for path, status := range map[string]int{
			"team/a/x": 201, "team%2Fa%2Fy": 201,
			"team/ax": 403, "x/team/a/x": 403, "team%252Fa/x": 403,
			"team/a/../x": 400, "team/a/%2e%2e/b/x": 400, "team/a/..%2Fb": 400, `team/a/..%5Cx`: 400,
		} {
			if a := s.do(putFile("/files/"+path, "text/plain", "x").as(teamKey)); a.status != status {
				t.Errorf("%s: %d %s, not %d", path, a.status, a.body, status)
			}
		}
		for _, o := range w.Cloud.Objects() {
			if !strings.HasPrefix(o.Path, "team/a/") {
				t.Errorf("%s is stored", o.Path)
			}
		}
	})
}

// With HTTP_AUTH=iam the platform has authenticated the caller: no key is asked
// for, and one that is sent means nothing.
func TestIAM(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, "HTTP_AUTH", "iam", "HTTP_KEYS", "")
		for _, r := range []request{
			putFile("/files/x", "text/plain", "x").as(""), putFile("/files/x", "text/plain", "x").as(teamKey),
			putFile("/files/x", "text/plain", "x").with("Authorization", "AWS4-HMAC-SHA256 Credential=x"), post("/tickets", jsonType, `{"path":"x"}`).as(""),
		} {
			if a := s.do(r); a.status != http.StatusCreated {
				t.Errorf("%s %v: %d %s", r.target, r.header, a.status, a.body)
			}
		}
		if a := s.do(putFile("/files/../x", "text/plain", "x").as("")); a.status != 400 {
			t.Errorf("a bad path: %d %s", a.status, a.body)
		}
	})
}

// A function that no caller or every caller could use does not start. It says which
// variable is wrong, and shows no key. The other mistakes are config's and httpapi's.
func TestRefusalsToStart(t *testing.T) {
	t.Parallel()
	const key = "not-to-be-shown"
	for _, tt := range []struct {
		name string
		vars []string
		says []string
	}{
		{"neither", []string{"HTTP_KEYS", ""}, []string{"HTTP_KEYS", "HTTP_AUTH=iam"}},
		{"both", []string{"HTTP_AUTH", "iam"}, []string{"HTTP_AUTH", "HTTP_KEYS"}},
		{"a key instead of its hash", []string{"HTTP_KEYS", "me:" + key}, []string{"HTTP_KEYS", "entry 1"}},
		{"every origin", []string{"HTTP_CORS_ORIGINS", "*"}, []string{"HTTP_CORS_ORIGINS"}},
		{"every source", []string{"HTTP_SOURCES", "*"}, []string{"HTTP_SOURCES"}},
		{"several mistakes", []string{"HTTP_KEYS", "", "HTTP_SOURCES", "x", "CLOUDBASE_ENV", ""}, []string{"HTTP_KEYS", "HTTP_SOURCES", "CLOUDBASE_ENV"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newHTTPWorld(t)
			vars := w.vars(tt.vars...)
			l := platform.NewLambda(functions.Path(t, "lambda-http"), vars)
			defer l.Close()
			_, onLambda := l.Init(t.Context())
			server, onWeb := platform.StartWeb(t.Context(), functions.Path(t, "scf-http"), vars)
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
