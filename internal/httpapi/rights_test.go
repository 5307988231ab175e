package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// withKey gives a front one key, any's text with a prefix and options.
func withKey(t *testing.T, rights string) func(*httpapi.Options) {
	t.Helper()
	keys, err := httpapi.ParseKeys("one:" + hash(anyKey) + rights)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *httpapi.Options) { o.Keys = keys }
}

// What a key may do: each option forbids its own thing, and nothing else.
func TestRights(t *testing.T) {
	t.Parallel()
	const s3, cos, web = "s3://staging/in/a b.txt", "cos://staging-125/in/x.txt?region=ap-shanghai", "https://files.example/in/x.txt?sig=" + secret + "-4"
	source := func(ref, path string) [3]string {
		return [3]string{"POST", "/files", `{"source":"` + ref + `","path":"` + path + `"}`}
	}
	put := [3]string{"PUT", "/files/in/x", "bytes"}
	ticket := [3]string{"POST", "/tickets", `{"path":"in/x"}`}
	for _, tt := range []struct {
		rights  string
		request [3]string
		status  int
		code    string
	}{
		{"", put, 201, ""}, {"", ticket, 201, ""}, {"", source(s3, "in/x"), 201, ""},
		{"::no-tickets", put, 201, ""}, {"::no-tickets", ticket, 403, "NoTickets"}, {"::no-tickets", source(s3, "in/x"), 201, ""},
		{"::no-source", put, 201, ""}, {"::no-source", ticket, 201, ""}, {"::no-source", source(s3, "in/x"), 403, "NoSources"},
		{":in/:no-source;no-tickets", put, 201, ""}, {":in/:no-source;no-tickets", ticket, 403, "NoTickets"}, {":in/:no-source;no-tickets", source(s3, "x"), 403, "NoSources"},
		{":out/:no-source", put, 403, "OutsidePrefix"},
		{"::source=s3://staging/in/a", source(s3, "x"), 201, ""},
		{"::source=s3://staging/in/b", source(s3, "x"), 403, "Refused"},
		{"::source=s3://staging/in/b;source=s3://staging/in/a", source(s3, "x"), 201, ""},
		{"::source=s3://staging/in/", source(cos, "x"), 403, "Refused"},
		{"::source=cos://staging-125/in/?region=ap-shanghai", source(cos, "x"), 201, ""},
		{"::source=cos://staging-125/in/?region=ap-beijing", source(cos, "x"), 403, "Refused"},
		{":in/a:b/:source=https://files.example/in/", source(web, "in/a:b/x"), 201, ""},
		{"::source=https://files.example/in/y", source(web, "x"), 403, "Refused"},
		{"::source=s3://staging", source("s3://staging/other/x", "x"), 403, "Refused"}, // HTTP_SOURCES holds as well
		{"::until=2999-01-01", put, 201, ""},
		{"::until=2020-01-01", put, 401, "Unauthorized"},
	} {
		f := start(t, withKey(t, tt.rights))
		header := bearer(anyKey)
		if tt.request[0] == "POST" {
			header.Set("Content-Type", jsonType)
		}
		resp, answer := f.send(t, tt.request[0], tt.request[1], header, strings.NewReader(tt.request[2]))
		if resp.StatusCode != tt.status {
			t.Errorf("%q %v: %d %s", tt.rights, tt.request, resp.StatusCode, answer)
		}
		if tt.code == "" {
			continue
		}
		if p, err := readProblem(answer); err != nil || p.Code != tt.code {
			t.Errorf("%q %v: %s %v, want %s", tt.rights, tt.request, answer, err, tt.code)
		}
		if len(f.deliverer.deliveries) > 0 || len(f.store.opened) > 0 {
			t.Errorf("%q %v: something was delivered or opened", tt.rights, tt.request)
		}
	}
}

// A key with sources of its own reads the web through a source that follows
// redirects only to these.
func TestNarrowedWebSource(t *testing.T) {
	t.Parallel()
	var allow func(string) (transfer.Ref, error)
	narrowed := &store{objects: map[string]string{"https://files.example/in/a": "narrowed"}}
	f := start(t, withKey(t, "::source=https://files.example/in/a"), func(o *httpapi.Options) {
		o.Web = func(a func(string) (transfer.Ref, error)) transfer.Source { allow = a; return narrowed }
	})
	resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", jsonType), strings.NewReader(`{"source":"https://files.example/in/a","path":"x"}`))
	if resp.StatusCode != 201 || len(narrowed.opened) != 1 {
		t.Fatalf("%d %s, opened %q", resp.StatusCode, answer, narrowed.opened)
	}
	for raw, ok := range map[string]bool{"https://files.example/in/ab": true, "https://files.example/in/b": false, "https://other.example/in/a": false} {
		if _, err := allow(raw); (err == nil) != ok {
			t.Errorf("a redirect to %s: %v", raw, err)
		}
	}
}

// The day that until names is the first on which the key is refused, in UTC.
func TestUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC, 1 January 2000
		o, _, _ := options(t, io.Discard)
		withKey(t, "::until=2000-01-03")(&o)
		h := httpapi.New(o)
		put := func() int {
			r := httptest.NewRequest("PUT", "/files/x", strings.NewReader("x"))
			r.Header = bearer(anyKey)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		time.Sleep(48*time.Hour - time.Second)
		if got := put(); got != 201 {
			t.Errorf("a second before: %d", got)
		}
		time.Sleep(time.Second)
		if got := put(); got != 401 {
			t.Errorf("at midnight: %d", got)
		}
	})
}

// A key with a rate makes that many requests in any minute, and is told when the
// next one counts. Other keys are not held up.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, _, _ := options(t, io.Discard)
		keys, err := httpapi.ParseKeys(fmt.Sprintf("one:%s::rate=3,two:%s", hash(anyKey), hash(teamKey)))
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = keys
		h := httpapi.New(o)
		call := func(key string) *http.Response {
			r := httptest.NewRequest("PUT", "/files/x", strings.NewReader("x"))
			r.Header = bearer(key)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Result()
		}
		for i, step := range []struct {
			pause  time.Duration
			status int
			after  string
		}{
			{0, 201, ""}, {10 * time.Second, 201, ""}, {10 * time.Second, 201, ""},
			{0, 429, "40"}, {20*time.Second + time.Millisecond, 429, "20"},
			{20*time.Second - time.Millisecond, 201, ""}, // a minute after the first
			{0, 429, "10"}, {10 * time.Second, 201, ""},
			{time.Hour, 201, ""}, {0, 201, ""}, {0, 201, ""}, {0, 429, "60"},
		} {
			time.Sleep(step.pause)
			if r := call(anyKey); r.StatusCode != step.status || r.Header.Get("Retry-After") != step.after {
				t.Errorf("step %d: %d, Retry-After %q; want %d, %q", i, r.StatusCode, r.Header.Get("Retry-After"), step.status, step.after)
			}
			if r := call(teamKey); r.StatusCode != 201 {
				t.Errorf("step %d: another key: %d", i, r.StatusCode)
			}
		}
	})
}

func TestParseRights(t *testing.T) {
	t.Parallel()
	for rights, wrong := range map[string]string{
		":in/:no-tickets; no-source ;rate=60;until=2027-01-01": "",
		"::source=s3://b/in/;source=https://h:8443/x/":         "",
		"::":                                  "none of no-tickets",
		":in/:":                               "none of no-tickets",
		":in/:no-ticket":                      "none of no-tickets",
		"::no-tickets;":                       "none of no-tickets",
		"::No-Tickets":                        "none of no-tickets",
		"::no-tickets=true":                   "none of no-tickets",
		"::rate":                              "rate",
		"::rate=0":                            "rate",
		"::rate=-1":                           "rate",
		"::rate=1.5":                          "rate",
		"::rate=100001":                       "rate",
		"::rate=1;rate=2":                     "rate",
		"::until=2027-13-01":                  "until",
		"::until=tomorrow":                    "until",
		"::until=2027-01-01;until=2028-01-01": "until",
		"::source=":                           "source",
		"::source=http://h/":                  "source",
		"::source=s3://b/../x":                "source",
		"::no-source;source=s3://b/":          "both no-source and source",
		":/in/:no-source":                     "path prefix",
		":in:no-source":                       "path prefix",
	} {
		_, err := httpapi.ParseKeys("one:" + hash(anyKey) + rights)
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(err.Error(), "entry 1")) {
			t.Errorf("%q: %v, want %q", rights, err, wrong)
		}
	}
}
