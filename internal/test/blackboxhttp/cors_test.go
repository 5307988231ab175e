package blackboxhttp_test

import (
	"net/http"
	"strings"
	"testing"
)

// Pages of a listed origin may call and read every answer; others may not, and
// their preflight is answered like anybody's request without a key.
func TestCORS(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			preflight := func(from, target string) request {
				return request{method: http.MethodOptions, target: target, header: http.Header{
					"Origin": {from}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization,content-type"}}}
			}
			for _, target := range []string{"/files/x", "/files", "/tickets"} {
				a := s.do(preflight(origin, target))
				h := a.header
				if a.status != 204 || len(a.body) > 0 || h.Get("Access-Control-Allow-Origin") != origin || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" ||
					!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "authorization") {
					t.Errorf("%s: %d %v", target, a.status, h)
				}
			}
			for _, from := range []string{"", "null", "*", "http://app.example", "https://app.example.evil.example", "https://evil-app.example", "https://app.example:8443", "https://APP.example", origin + "/", origin + " https://evil.example", "https://x." + origin[len("https://"):]} {
				if a := s.do(preflight(from, "/files/x")); a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%q: %d %v", from, a.status, a.header)
				}
				a := s.do(put("/files/x", "text/plain", "x").with("Origin", from))
				if a.status != 201 || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "Origin" {
					t.Errorf("a request from %q: %d %v", from, a.status, a.header)
				}
			}
			for status, r := range map[int]request{
				201: put("/files/x", "text/plain", "x"), 400: put("/files/../x", "text/plain", "x"), 401: put("/files/x", "text/plain", "x").as(""),
				403: put("/files/x", "text/plain", "x").as(teamKey), 200: {method: "GET", target: "/healthz", header: http.Header{}},
			} {
				a := s.do(r.with("Origin", origin))
				if a.status != status || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Expose-Headers") != "Retry-After" {
					t.Errorf("%d, not %d: %v", a.status, status, a.header)
				}
			}
		})
	}
}

// Without HTTP_CORS_ORIGINS no page may call.
func TestNoOrigins(t *testing.T) {
	t.Parallel()
	for _, f := range runtimes {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := f.start(t, newWorld(t), "HTTP_CORS_ORIGINS", "")
			for _, r := range []request{
				put("/files/x", "text/plain", "x"),
				{method: http.MethodOptions, target: "/files/x", header: http.Header{"Access-Control-Request-Method": {"PUT"}}},
			} {
				a := s.do(r.with("Origin", origin))
				for name := range a.header {
					if strings.HasPrefix(name, "Access-Control-") || a.status == 204 {
						t.Errorf("%s: %d %v", r.method, a.status, a.header)
					}
				}
			}
		})
	}
}
