package httpapi_test

import (
	"slices"
	"testing"

	"github.com/tcbferry/tcbferry/internal/httpapi"
)

func TestParseOrigins(t *testing.T) {
	t.Parallel()
	got, err := httpapi.ParseOrigins(" https://App.Example:443 ,http://localhost:3000,http://a.example:80,capacitor://localhost,https://[::1]:8443")
	if want := []string{"https://app.example", "http://localhost:3000", "http://a.example", "capacitor://localhost", "https://[::1]:8443"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if none, err := httpapi.ParseOrigins(""); none != nil || err != nil {
		t.Errorf("%q, %v", none, err)
	}
	for _, list := range []string{"*", "https://a.example,", "null", "a.example", "https://", "https://a.example/", "https://a.example/x", "https://u@a.example", "https://*", "https://例.example", "https://a.example?x", "https://a.example#x"} {
		if got, err := httpapi.ParseOrigins(list); err == nil {
			t.Errorf("%q gave %q", list, got)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		name, method, origin, asks, key string
		status                          int
		allowed, listed                 bool
	}{
		{"preflight", "OPTIONS", origin, "PUT", "", 204, true, true},
		{"preflight of another page", "OPTIONS", "https://evil.example", "PUT", "", 401, false, false},
		{"preflight of a lookalike", "OPTIONS", origin + ".evil.example", "PUT", "", 401, false, false},
		{"preflight of no page", "OPTIONS", "null", "PUT", "", 401, false, false},
		{"OPTIONS without a question", "OPTIONS", origin, "", "", 401, false, true},
		{"OPTIONS with a key", "OPTIONS", origin, "", anyKey, 405, false, true},
		{"call without a key", "PUT", origin, "", "", 401, false, true},
		{"call", "PUT", origin, "", anyKey, 201, false, true},
		{"call of another page", "PUT", "https://evil.example", "", anyKey, 201, false, false},
		{"call of no page", "PUT", "", "", anyKey, 201, false, false},
	} {
		header := bearer(tt.key)
		if tt.origin != "" {
			header.Set("Origin", tt.origin)
		}
		if tt.asks != "" {
			header.Set("Access-Control-Request-Method", tt.asks)
		}
		resp, answer := f.send(t, tt.method, "/files/x", header, nil)
		want := ""
		if tt.listed {
			want = origin
		}
		h := resp.Header
		if resp.StatusCode != tt.status || h.Get("Access-Control-Allow-Origin") != want || h.Get("Vary") != "Origin" ||
			(h.Get("Access-Control-Allow-Methods") == "PUT, POST, GET") != tt.allowed ||
			(h.Get("Access-Control-Allow-Headers") == "authorization, content-type, x-api-key") != tt.allowed ||
			h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v %s", tt.name, resp.StatusCode, h, answer)
		}
	}
	for _, from := range []string{"", "*", "http://app.example", "https://evil-app.example", "https://app.example:8443", "https://APP.example",
		origin + "/", origin + " https://evil.example", "https://x." + origin[len("https://"):]} {
		resp, _ := f.send(t, "OPTIONS", "/files/x", bearer("", "Origin", from, "Access-Control-Request-Method", "PUT"), nil)
		if resp.StatusCode != 401 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight from %q: %d %v", from, resp.StatusCode, resp.Header)
		}
	}
	closed := start(t, func(o *httpapi.Options) { o.Origins = nil })
	resp, _ := closed.send(t, "OPTIONS", "/files/x", bearer("", "Origin", origin, "Access-Control-Request-Method", "PUT"), nil)
	if resp.StatusCode != 401 || resp.Header.Get("Vary") != "" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("no origins listed: %d %v", resp.StatusCode, resp.Header)
	}
}
