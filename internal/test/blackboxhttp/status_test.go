package blackboxhttp_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// A row is a request and what must come of it on every front.
type row struct {
	name string
	request
	arrange func(w *world)
	limit   time.Duration
	skip    func(f front) bool

	status int
	code   string            // of the problem
	answer map[string]string // headers

	// What is stored, for a 201.
	path, data, kind, source string
}

const (
	jsonType = "application/json"
	formType = "multipart/form-data; boundary=b"
	formEnd  = "--b--\r\n"
	bigLimit = 6 << 20
)

// file and field are the parts of a form.
func file(filename, kind, data string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + filename + "\"\r\nContent-Type: " + kind + "\r\n\r\n" + data + "\r\n"
}

func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func put(target, kind, body string) request {
	return request{method: http.MethodPut, target: target, header: bearer(anyKey, "Content-Type", kind), body: body}
}

func post(target, kind, body string) request {
	return request{method: http.MethodPost, target: target, header: bearer(anyKey, "Content-Type", kind), body: body}
}

// copying asks for a source to be copied to path.
func copying(source, path string) request {
	body, _ := json.Marshal(map[string]string{"source": source, "path": path}) // texts: never fails
	return post("/files", jsonType, string(body))
}

func (r request) as(key string) request {
	h := bearer(key)
	for name, values := range r.header {
		if name != "Authorization" {
			h[name] = values
		}
	}
	r.header = h
	return r
}

func (r request) with(name, value string) request {
	r.header = r.header.Clone()
	r.header.Set(name, value)
	return r
}

func onLambda(f front) bool { return f.name != web }

func butFunctionURL(f front) bool { return f.name != fronts[0].name }
func butRuntimes(f front) bool    { return f.name != web && butFunctionURL(f) }

const binary = "\x89PNG\r\n\x1a\n\x00\xff\xfe"

func deliveries(w *world) []row {
	long := strings.Repeat("红", 283) + "x" // 850 bytes
	signed := "https://" + w.site + "/in/%E7%BA%A2.css"
	s3, cos := "s3://"+devstack.Bucket+"/"+stagedKey, "cos://"+cosBucket+"/"+stagedKey+"?region=ap-shanghai"
	formed := post("/files", formType, file("a.png", "image/png", binary)+field("path", "form/b.png")+formEnd)
	inChunks := formed
	inChunks.chunked = true
	return []row{
		{name: "PUT", request: put("/files/put/a.png", "image/png", binary), path: "put/a.png", data: binary, kind: "image/png"},
		{name: "PUT of text", request: put("/files/put/a.txt", "text/plain; charset=utf-8", "红\r\n"), path: "put/a.txt", data: "红\r\n", kind: "text/plain; charset=utf-8"},
		{name: "PUT of nothing", request: put("/files/put/empty", "image/png", ""), path: "put/empty", kind: "image/png"},
		{name: "PUT to a long path", request: put("/files/"+long, "image/png", "x"), path: long, data: "x", kind: "image/png"},
		{name: "PUT in the prefix", request: put("/files/team/a/x", "image/png", "x").as(teamKey), path: "team/a/x", data: "x", kind: "image/png"},
		{name: "PUT of the most", request: put("/files/put/most", "image/png", strings.Repeat("x", bigLimit)), skip: onLambda, path: "put/most", data: strings.Repeat("x", bigLimit), kind: "image/png"},
		{name: "PUT of what Lambda takes", request: put("/files/put/much", "image/png", strings.Repeat("x", bigLimit*3/4-4096)), skip: butFunctionURL, path: "put/much", data: strings.Repeat("x", bigLimit*3/4-4096), kind: "image/png"},
		{name: "form, path last", request: formed, path: "form/b.png", data: binary, kind: "image/png"},
		{name: "form in chunks", request: inChunks, path: "form/b.png", data: binary, kind: "image/png"},
		{name: "form, path first", request: post("/files", formType, field("path", "form/红 %2e.css")+file("a.png", "text/css", "x")+formEnd), path: "form/红 %2e.css", data: "x", kind: "text/css"},
		{name: "form, no path", request: post("/files", formType, file("/tmp/../c:\\d\\红 a.png", "image/png", binary)+formEnd), path: "红 a.png", data: binary, kind: "image/png"},
		{name: "source in S3", request: copying(s3, "src/s3"), source: s3, path: "src/s3", data: "from " + devstack.Bucket, kind: "text/plain"},
		{name: "source in COS", request: copying(cos, "src/cos"), source: cos, path: "src/cos", data: "from " + cosBucket, kind: "text/plain"},
		{name: "source on the web", request: copying(signed+"?sig="+signature, "src/web"), source: signed, path: "src/web", data: "from the web", kind: "text/css"},
		{name: "source behind a redirect", request: copying("https://"+w.site+"/in/to?url=/in/x.css", "src/moved"), source: "https://" + w.site + "/in/to", path: "src/moved", data: "from the web", kind: "text/css"},
		{name: "a ticket refused once", request: put("/files/put/stale", "image/png", "x"), path: "put/stale", data: "x", kind: "image/png",
			arrange: func(w *world) {
				f := tcb.COSError(400, "ExpiredToken", "The provided token has expired.")
				f.Match = func(key string) bool { return key == "put/stale" }
				w.Cloud.Inject(f)
			}},
	}
}

func refusals(w *world) []row {
	s3 := "s3://" + devstack.Bucket + "/"
	over := strings.Repeat("x", bigLimit+1)
	form := func(body string) request { return post("/files", formType, body) }
	chunked := put("/files/x", "image/png", "x")
	chunked.chunked = true
	compressed := put("/files/x", "image/png", "x").with("Content-Encoding", "gzip")
	return []row{
		{name: "JSON broken off", request: post("/files", jsonType, `{"source":"s3://staging/in/x","path":"x"`), status: 400, code: "Malformed"},
		{name: "JSON with a member twice", request: post("/tickets", jsonType, `{"path":"x","path":"y"}`), status: 400, code: "Malformed"},
		{name: "JSON with another member", request: post("/tickets", jsonType, `{"path":"x","env":"y"}`), status: 400, code: "Malformed"},
		{name: "source without a path", request: post("/files", jsonType, `{"source":"s3://staging/in/x"}`), status: 400, code: "Malformed"},
		{name: "ticket for a bad path", request: post("/tickets", jsonType, `{"path":"a/../b"}`), status: 400, code: "InvalidPath"},
		{name: "form broken off", request: form(file("a.png", "image/png", "x")), status: 400, code: "Malformed"},
		{name: "form without a file", request: form(field("path", "x") + formEnd), status: 400, code: "Malformed"},
		{name: "form with two files", request: form(file("a", "image/png", "x") + file("b", "image/png", "y") + formEnd), status: 400, code: "Malformed"},
		{name: "form without a boundary", request: post("/files", "multipart/form-data", formEnd), status: 400, code: "Malformed"},
		{name: "form with an empty path", request: form(field("path", "") + file("a", "image/png", "x") + formEnd), status: 400, code: "InvalidPath"},
		{name: "part of a file", request: put("/files/x", "image/png", "x").with("Content-Range", "bytes 0-0/10"), status: 400, code: "Malformed"},

		{name: "no key", request: put("/files/x", "image/png", "x").as(""), status: 401, code: "Unauthorized", answer: map[string]string{"WWW-Authenticate": "Bearer"}},
		{name: "unknown key", request: put("/files/x", "image/png", "x").as("guess"), status: 401, code: "Unauthorized", answer: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}},

		{name: "PUT outside the prefix", request: put("/files/team/ab", "image/png", "x").as(teamKey), status: 403, code: "OutsidePrefix"},
		{name: "form outside the prefix", request: form(file("a", "image/png", "x") + formEnd).as(teamKey), status: 403, code: "OutsidePrefix"},
		{name: "source outside the prefix", request: copying(s3+stagedKey, "team/b/x").as(teamKey), status: 403, code: "OutsidePrefix"},
		{name: "ticket outside the prefix", request: post("/tickets", jsonType, `{"path":"Team/a/x"}`).as(teamKey), status: 403, code: "OutsidePrefix"},
		{name: "source not allowed", request: copying(s3+"other/secret.txt", "x"), status: 403, code: "Refused"},

		{name: "no such source in S3", request: copying(s3+"in/none", "x"), status: 404, code: "NotFound"},
		{name: "no such source in COS", request: copying("cos://"+cosBucket+"/in/none?region=ap-shanghai", "x"), status: 404, code: "NotFound"},
		{name: "no such source on the web", request: copying("https://"+w.site+"/in/none", "x"), status: 404, code: "NotFound"},
		{name: "no such endpoint", request: request{method: "GET", target: "/admin", header: bearer(anyKey)}, status: 404, code: "NotFound"},

		{name: "GET of a file", request: request{method: "GET", target: "/files/x", header: bearer(anyKey)}, status: 405, code: "MethodNotAllowed", answer: map[string]string{"Allow": "PUT"}},
		{name: "PUT of a ticket", request: put("/tickets", jsonType, `{"path":"x"}`), status: 405, code: "MethodNotAllowed", answer: map[string]string{"Allow": "POST"}},

		{name: "PUT in chunks", request: chunked, skip: onLambda, status: 411, code: "LengthRequired"},

		{name: "PUT of too much", request: put("/files/x", "image/png", over), skip: onLambda, status: 413, code: "EntityTooLarge"},
		{name: "form with too much", request: form(file("a", "image/png", over) + formEnd), skip: onLambda, status: 413, code: "EntityTooLarge"},
		{name: "form with a flood of headers", request: form("--b\r\n" + strings.Repeat("X-Flood: x\r\n", 10_000) + "\r\n" + formEnd), status: 413, code: "EntityTooLarge"},
		{name: "JSON without end", request: post("/tickets", jsonType, `{"path":"`+strings.Repeat("x", 64<<10)+`"}`), status: 413, code: "EntityTooLarge"},
		{name: "source over COS's limit", request: copying(s3+"in/huge", "x"), status: 413, code: "EntityTooLarge",
			arrange: func(w *world) { w.Staging.Synthesize(devstack.Bucket, "in/huge", 5<<30+1, 1) }},

		{name: "neither form nor JSON", request: post("/files", "text/plain", "x"), status: 415, code: "UnsupportedMediaType"},
		{name: "ticket as a form", request: post("/tickets", formType, field("path", "x")+formEnd), status: 415, code: "UnsupportedMediaType"},
		{name: "PUT compressed", request: compressed, status: 415, code: "UnsupportedMediaType"},
	}
}

// faults are what WeChat, COS and sources answer with, and what becomes of it.
func faults(w *world) []row {
	final := func(f tcb.Fault) tcb.Fault { f.RetryAfter = "3600"; return f }
	cloud := func(f tcb.Fault, key string) func(*world) {
		return func(w *world) { w.Cloud.Inject(always(f, key)) }
	}
	wechat := func(code int) tcb.Fault { return tcb.WeChatError(tcb.OpTicket, code, "no") }
	hour := map[string]string{"Retry-After": "3600"}
	minute := map[string]string{"Retry-After": "60"}
	rows := []row{
		{name: "day's quota", arrange: cloud(wechat(45009), "f/45009"), status: 429, code: "45009", answer: minute},
		{name: "minute's quota", arrange: cloud(final(wechat(45011)), "f/45011"), status: 429, code: "45011", answer: hour},
		{name: "too many at once", arrange: cloud(final(wechat(-501004)), "f/many"), status: 429, code: "-501004", answer: hour},
		{name: "COS slows down", arrange: cloud(final(tcb.COSError(503, "SlowDown", "Please reduce your request rate.")), "f/slow"), status: 429, code: "SlowDown", answer: hour},
		{name: "no permission", arrange: cloud(wechat(48001), "f/48001"), status: 502, code: "48001"},
		{name: "COS refuses", arrange: cloud(tcb.COSError(403, "AccessDenied", "Access Denied."), "f/denied"), status: 502, code: "AccessDenied"},
		{name: "ticket that stays stale", arrange: cloud(tcb.COSError(400, "ExpiredToken", "expired"), "f/stale"), status: 502, code: "ExpiredToken"},
		{name: "stored wrong", arrange: cloud(tcb.FaultNamed("upload wrong crc64"), "f/corrupt"), skip: butRuntimes, status: 502, code: "Corrupt"},
		{name: "WeChat is down", arrange: cloud(final(wechat(-1)), "f/down"), status: 503, code: "-1", answer: hour},
		{name: "gateway before COS", arrange: cloud(final(tcb.FaultNamed("upload gateway 502")), "f/gateway"), status: 503, code: "Unavailable", answer: hour},
		{name: "WeChat hangs", arrange: cloud(tcb.FaultNamed("ticket hang"), "f/hang"), limit: 1500 * time.Millisecond, status: 504, code: "OutOfTime"},
		{name: "COS hangs", arrange: cloud(tcb.FaultNamed("upload hang"), "f/still"), limit: 1500 * time.Millisecond, status: 504, code: "OutOfTime"},
	}
	for i, key := range []string{"45009", "45011", "many", "slow", "48001", "denied", "stale", "corrupt", "down", "gateway", "hang", "still"} {
		rows[i].request = put("/files/f/"+key, "image/png", "x")
	}
	ticket := func(key string) request { return post("/tickets", jsonType, `{"path":"`+key+`"}`) }
	return append(rows,
		row{name: "ticket, day's quota", request: ticket("f/45009"), status: 429, code: "45009", answer: minute},
		row{name: "ticket, no permission", request: ticket("f/48001"), status: 502, code: "48001"},
		row{name: "ticket, WeChat is down", request: ticket("f/down"), status: 503, code: "-1", answer: hour},
		row{name: "ticket, WeChat hangs", request: ticket("f/hang"), limit: 1500 * time.Millisecond, status: 504, code: "OutOfTime"},
		row{name: "source of unknown length", request: copying("https://"+w.site+"/in/chunked", "f/chunked"), status: 403, code: "Refused"},
	)
}

// Every status of the table in interface.md behind every front, with what is
// stored or refused.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := f.start(t, w)
			for _, r := range slices.Concat(deliveries(w), refusals(w), faults(w)) {
				if r.skip == nil || !r.skip(f) {
					r.run(t, s)
				}
			}
			if a := s.do(request{method: "GET", target: "/healthz"}); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"status":"ok"}` {
				t.Errorf("health: %d %s", a.status, a.body)
			}
		})
	}
}

func (r row) run(t *testing.T, s *site) {
	t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
		here := s.at(t)
		if r.arrange != nil {
			r.arrange(s.w)
		}
		if r.limit == 0 {
			r.limit = limit
		}
		before := s.w.Cloud.Commits()
		a := here.within(r.request, r.limit)
		if r.status == 0 {
			here.delivered(a, r)
			return
		}
		if a.status != r.status || a.problem(t).Code != r.code {
			t.Errorf("%d %s, not %d %s", a.status, a.body, r.status, r.code)
		}
		for name, want := range r.answer {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, not %q", name, got, want)
			}
		}
		if s.w.Cloud.Commits() != before && r.code != "Corrupt" {
			t.Error("something was stored")
		}
	})
}

// delivered fails the test unless the answer says so and it is true.
func (s *site) delivered(a answer, r row) {
	s.t.Helper()
	var e entry
	if err := json.Unmarshal(a.body, &e); err != nil || a.status != 201 {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	s.w.stored(s.t, r.path, r.data, r.kind)
	o, _ := s.w.Cloud.Object(devstack.Env, r.path)
	if e.Status != "delivered" || e.Path != r.path || e.Source != r.source || e.Size != int64(len(r.data)) || e.FileID != o.FileID ||
		e.ETag != o.ETag || e.CRC64 != strconv.FormatUint(o.CRC64, 10) || !slices.Contains(e.Verified, "crc64") || !slices.Contains(e.Verified, "size") {
		s.t.Errorf("the entry is %+v", e)
	}
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != jsonType {
		s.t.Errorf("the answer is %s", kind)
	}
	if want := 1 + strings.Count(r.name, "refused once"); e.Attempts != want {
		s.t.Error(fmt.Sprint(e.Attempts, " attempts"))
	}
}
