package blackbox_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// Nothing but /healthz is answered without a key, however a front passes the header
// on. Which keys are right is httpapi's to test.
func unauthorized(t *testing.T, s *site) {
	w, before := s.w, s.w.touched()
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
	if n := w.touched() - before; n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

// Pages of a listed origin may call and read every answer, behind every front. Which
// origins are listed is httpapi's to test.
func pages(t *testing.T, s *site) {
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
}

// A key that may write under a prefix can write nowhere else.
func prefixes(t *testing.T, s *site) {
	w, before := s.w, s.w.Cloud.Commits()
	for path, status := range map[string]int{
		"team/a/x": 201, "team%2Fa%2Fy": 201,
		"team/ax": 403, "x/team/a/x": 403, "team%252Fa/x": 403,
		"team/a/../x": 400, "team/a/%2e%2e/b/x": 400, "team/a/..%2Fb": 400, `team/a/..%5Cx`: 400,
	} {
		if a := s.do(putFile("/files/"+path, "text/plain", "x").as(teamKey)); a.status != status {
			t.Errorf("%s: %d %s, not %d", path, a.status, a.body, status)
		}
	}
	w.stored(t, "team/a/x", "x", "text/plain")
	w.stored(t, "team/a/y", "x", "text/plain")
	if n := w.Cloud.Commits() - before; n != 2 {
		t.Errorf("%d files were stored", n)
	}
}

// With HTTP_AUTH=iam no key is asked for, and one that is sent means nothing. On
// Lambda the event must name the caller, whom the log names in turn; an ALB cannot
// name one. A web function is told nothing of its caller.
func TestIAM(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:user/u"
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, "HTTP_AUTH", "iam", "HTTP_KEYS", "")
		requests := []request{
			putFile("/files/x", "text/plain", "x").as(""), putFile("/files/x", "text/plain", "x").as(teamKey),
			putFile("/files/x", "text/plain", "x").with("Authorization", "AWS4-HMAC-SHA256 Credential=x"), post("/tickets", jsonType, `{"path":"x"}`).as(""),
		}
		status := http.StatusCreated
		if f.payload != nil {
			for _, r := range requests {
				if a := s.do(r); a.status != http.StatusUnauthorized {
					t.Errorf("%s %v, no caller: %d %s", r.target, r.header, a.status, a.body)
				}
			}
			s.payload = func(r request) map[string]any { return signedBy(arn, f.payload(r)) }
			if strings.HasPrefix(f.name, "ALB") {
				status = http.StatusUnauthorized
			}
		}
		for _, r := range requests {
			if a := s.do(r); a.status != status {
				t.Errorf("%s %v: %d %s", r.target, r.header, a.status, a.body)
			}
		}
		if status != http.StatusCreated {
			return
		}
		if a := s.do(putFile("/files/../x", "text/plain", "x").as("")); a.status != 400 {
			t.Errorf("a bad path: %d %s", a.status, a.body)
		}
		if named := strings.Contains(s.program.Output(), `"caller":"`+arn+`"`); named != (f.payload != nil) {
			t.Error("the log does not name the caller, or names one that it was not told of")
		}
	})
}

// signedBy says in a payload, in the place of its front, who has signed the request.
func signedBy(arn string, p map[string]any) map[string]any {
	c := p["requestContext"].(map[string]any)
	if p["version"] == "2.0" {
		c["authorizer"] = map[string]any{"iam": map[string]any{"userArn": arn}}
	} else {
		c["identity"] = map[string]any{"userArn": arn, "sourceIp": "203.0.113.7"}
	}
	return p
}

// What a key's options forbid is refused before anybody outside is asked: tickets,
// sources other than its own, redirects out of these, requests over its rate.
func TestKeyOptions(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, "HTTP_KEYS", "any:"+hash(anyKey)+":team/a/:no-tickets;source=s3://"+devstack.Bucket+"/in/a;source=https://"+w.site+"/in/to,"+
			"team:"+hash(teamKey)+"::until=2020-01-01,once:"+hash("once")+":team/a/:rate=1")
		ticket := post("/tickets", jsonType, `{"path":"team/a/x"}`)
		if a := s.do(ticket); a.status != 403 || a.problem(t).Code != "NoTickets" {
			t.Errorf("ticket: %d %s", a.status, a.body)
		}
		if a := s.do(copying("s3://"+devstack.Bucket+"/in/b", "team/a/x")); a.status != 403 || a.problem(t).Code != "Refused" {
			t.Errorf("a source of others: %d %s", a.status, a.body)
		}
		if a := s.do(ticket.as(teamKey)); a.status != 401 {
			t.Errorf("a key that has ended: %d %s", a.status, a.body)
		}
		if n := w.touched(); n != 0 {
			t.Errorf("%d requests went out", n)
		}
		if a := s.do(copying("https://"+w.site+"/in/to?url=/in/x.css", "team/a/x")); a.status != 403 || w.hits.Load() != 1 {
			t.Errorf("a redirect to a source of others: %d %s, %d requests", a.status, a.body, w.hits.Load())
		}
		if a := s.do(copying("s3://"+devstack.Bucket+"/"+stagedKey, "team/a/x")); a.status != 201 {
			t.Errorf("a source of its own: %d %s", a.status, a.body)
		}
		if a := s.do(putFile("/files/team/b/x", "text/plain", "x")); a.status != 403 {
			t.Errorf("outside the prefix: %d %s", a.status, a.body)
		}
		once := putFile("/files/team/a/y", "text/plain", "x").as("once")
		if a := s.do(once); a.status != 201 {
			t.Errorf("upload: %d %s", a.status, a.body)
		}
		if a := s.do(once); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("over the rate: %d %v", a.status, a.header)
		}
	})
}

// A source that is not there costs no ticket.
func missingSources(t *testing.T, s *site) {
	w, before := s.w, s.w.Cloud.Requests()
	for _, source := range []string{"s3://" + devstack.Bucket + "/in/none", "https://" + w.site + "/in/none"} {
		if a := s.do(copying(source, "x")); a.status != 404 {
			t.Errorf("%s: %d %s", source, a.status, a.body)
		}
	}
	if after := w.Cloud.Requests(); !maps.Equal(after, before) {
		t.Errorf("the requests are %v, and were %v", after, before)
	}
}

// The log tells who asked for what, from where and with what result, by the request
// ID that stands in the file's line too. Refusals are in it at every level, and
// counted.
func TestRequestLog(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		for _, level := range []string{"info", "error"} {
			s := f.start(t, w, "LOG_LEVEL", level)
			id := func(r request, id string) request {
				return r.with("X-Scf-Request-Id", id).with("X-Scf-Remote-Addr", "203.0.113.7")
			}
			s.do(id(putFile("/files/x", "text/plain", "x").as(teamKey), "id-403"))
			s.do(id(putFile("/files/x", "text/plain", "x").as("guess"), "id-401"))
			s.do(id(post("/tickets", jsonType, `{"path":"team/a/t"}`).as(teamKey), "id-ticket"))
			s.do(id(putFile("/files/team/a/x", "text/plain", "x").as(teamKey), "id-file"))
			type line struct {
				Msg, Key, Path, FileID, ExpiresAt, Address, RequestID, Error string
				Status                                                       any
				Refusals                                                     int
			}
			var requests, files []line
			refusals := 0
			for text := range strings.Lines(s.program.Output()) {
				var l line
				if json.Unmarshal([]byte(text), &l) != nil {
					continue
				}
				refusals += l.Refusals
				switch l.Msg {
				case "request":
					requests = append(requests, l)
				case "file":
					files = append(files, l)
				}
			}
			if refusals != 2 {
				t.Errorf("%s: %d refusals are counted", level, refusals)
			}
			want := []line{{Status: 403.0, Key: "team", Path: "x"}, {Status: 401.0}, {Status: 201.0, Key: "team", Path: "team/a/t"}, {Status: 201.0, Key: "team", Path: "team/a/x"}}
			if level == "error" {
				want = want[:2]
			}
			if len(requests) != len(want) {
				t.Fatalf("%s: %d lines of requests", level, len(requests))
			}
			for i, l := range requests {
				stored := l.Status == 201.0
				if l.Status != want[i].Status || l.Key != want[i].Key || l.Path != want[i].Path || l.Address != "203.0.113.7" || l.RequestID == "" ||
					stored != (l.Error == "") || stored != strings.HasSuffix(l.FileID, "/"+l.Path) || (stored && l.Path == "team/a/t") != (l.ExpiresAt != "") {
					t.Errorf("%s: line %d is %+v", level, i, l)
				}
			}
			if level == "info" && (len(files) != 1 || files[0].RequestID != requests[3].RequestID) {
				t.Errorf("the lines of one request cannot be joined: %+v %+v", files, requests)
			}
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
			l.Grace = grace
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
