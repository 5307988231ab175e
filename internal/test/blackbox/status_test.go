package blackbox_test

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
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A exchange is a request and what must come of it on every front.
type exchange struct {
	name string
	request
	arrange func(w *httpWorld)
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

// over is the smallest body that no request may hold. It is made once, because the race
// detector makes that slow.
var over = strings.Repeat("x", bigLimit+1)

// file and field are the parts of a form.
func file(filename, kind, data string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + filename + "\"\r\nContent-Type: " + kind + "\r\n\r\n" + data + "\r\n"
}

func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func putFile(target, kind, body string) request {
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

func onLambda(f front) bool { return f.name != webFunction }

func butFunctionURL(f front) bool { return f.name != fronts[0].name }
func butRuntimes(f front) bool    { return f.name != webFunction && butFunctionURL(f) }

const binary = "\x89PNG\r\n\x1a\n\x00\xff\xfe"

func deliveries(w *httpWorld) []exchange {
	long := strings.Repeat("红", 283) + "x" // 850 bytes
	signed := "https://" + w.site + "/in/%E7%BA%A2.css"
	s3, cos := "s3://"+devstack.Bucket+"/"+stagedKey, "cos://"+kit.CosBucket+"/"+stagedKey+"?region=ap-shanghai"
	formed := post("/files", formType, file("a.png", "image/png", binary)+field("path", "form/b.png")+formEnd)
	inChunks := formed
	inChunks.chunked = true
	return []exchange{
		{name: "PUT", request: putFile("/files/put/a.png", "image/png", binary), path: "put/a.png", data: binary, kind: "image/png"},
		{name: "PUT of text", request: putFile("/files/put/a.txt", "text/plain; charset=utf-8", "红\r\n"), path: "put/a.txt", data: "红\r\n", kind: "text/plain; charset=utf-8"},
		{name: "PUT compressed", request: putFile("/files/put/a.gz", "image/png", "x").with("Content-Encoding", "gzip"), path: "put/a.gz", data: "x", kind: "image/png"},
		{name: "PUT with its digest", request: putFile("/files/put/sum", "image/png", "x").with("Content-MD5", "ndTkYSaMgDT1yFZOFVxnpg=="), path: "put/sum", data: "x", kind: "image/png"},
		{name: "PUT of nothing", request: putFile("/files/put/empty", "image/png", ""), path: "put/empty", kind: "image/png"},
		{name: "PUT to a long path", request: putFile("/files/"+long, "image/png", "x"), path: long, data: "x", kind: "image/png"},
		{name: "PUT in the prefix", request: putFile("/files/team/a/x", "image/png", "x").as(teamKey), path: "team/a/x", data: "x", kind: "image/png"},
		{name: "PUT of the most", request: putFile("/files/put/most", "image/png", over[:bigLimit]), skip: onLambda, path: "put/most", data: over[:bigLimit], kind: "image/png"},
		{name: "PUT of what Lambda takes", request: putFile("/files/put/much", "image/png", over[:bigLimit*3/4-4096]), skip: butFunctionURL, path: "put/much", data: over[:bigLimit*3/4-4096], kind: "image/png"},
		{name: "form, path last", request: formed, path: "form/b.png", data: binary, kind: "image/png"},
		{name: "form in chunks", request: inChunks, path: "form/b.png", data: binary, kind: "image/png"},
		{name: "form, path first", request: post("/files", formType, field("path", "form/红 %2e.css")+file("a.png", "text/css", "x")+formEnd), path: "form/红 %2e.css", data: "x", kind: "text/css"},
		{name: "form, no path", request: post("/files", formType, file("/tmp/../c:\\d\\红 a.png", "image/png", binary)+formEnd), path: "红 a.png", data: binary, kind: "image/png"},
		{name: "source in S3", request: copying(s3, "src/s3"), source: s3, path: "src/s3", data: "from " + devstack.Bucket, kind: "text/plain"},
		{name: "source in COS", request: copying(cos, "src/cos"), source: cos, path: "src/cos", data: "from " + kit.CosBucket, kind: "text/plain"},
		{name: "source on the web", request: copying(signed+"?sig="+signature, "src/web"), source: signed, path: "src/web", data: "from the web", kind: "text/css"},
		{name: "source behind a redirect", request: copying("https://"+w.site+"/in/to?url=/in/x.css", "src/moved"), source: "https://" + w.site + "/in/to", path: "src/moved", data: "from the web", kind: "text/css"},
		{name: "a ticket refused once", request: putFile("/files/put/stale", "image/png", "x"), path: "put/stale", data: "x", kind: "image/png",
			arrange: func(w *httpWorld) {
				f := tcb.COSError(400, "ExpiredToken", "The provided token has expired.")
				f.Match = func(key string) bool { return key == "put/stale" }
				w.Cloud.Inject(f)
			}},
	}
}

// refusals are one request or two for each status. What else is refused is
// httpapi's to test, behind no front.
func refusals(w *httpWorld) []exchange {
	s3 := "s3://" + devstack.Bucket + "/"
	chunked := putFile("/files/x", "image/png", "x")
	chunked.chunked = true
	return []exchange{
		{name: "JSON broken off", request: post("/files", jsonType, `{"source":"s3://staging/in/x","path":"x"`), status: 400, code: "Malformed"},
		{name: "PUT with the digest of another file", request: putFile("/files/x", "image/png", "y").with("Content-MD5", "ndTkYSaMgDT1yFZOFVxnpg=="), status: 400, code: "BadDigest"},
		{name: "source that is empty", request: copying("", "x"), status: 400, code: "Malformed"},
		{name: "PUT if nothing is there", request: putFile("/files/x", "image/png", "x").with("If-None-Match", "*"), status: 501, code: "NotImplemented"},
		{name: "form broken off", request: post("/files", formType, file("a.png", "image/png", "x")), status: 400, code: "Malformed"},
		{name: "part of a file", request: putFile("/files/x", "image/png", "x").with("Content-Range", "bytes 0-0/10"), status: 400, code: "Malformed"},
		{name: "no key", request: putFile("/files/x", "image/png", "x").as(""), status: 401, code: "Unauthorized", answer: map[string]string{"WWW-Authenticate": "Bearer"}},
		{name: "unknown key", request: putFile("/files/x", "image/png", "x").as("guess"), status: 401, code: "Unauthorized", answer: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}},
		{name: "outside the prefix", request: putFile("/files/team/ab", "image/png", "x").as(teamKey), status: 403, code: "OutsidePrefix"},
		{name: "source not allowed", request: copying(s3+"other/secret.txt", "x"), status: 403, code: "Refused"},
		{name: "no such source in S3", request: copying(s3+"in/none", "x"), status: 404, code: "NotFound"},
		{name: "no such source in COS", request: copying("cos://"+kit.CosBucket+"/in/none?region=ap-shanghai", "x"), status: 404, code: "NotFound"},
		{name: "no such source on the web", request: copying("https://"+w.site+"/in/none", "x"), status: 404, code: "NotFound"},
		{name: "no such endpoint", request: request{method: "GET", target: "/admin", header: bearer(anyKey)}, status: 404, code: "NotFound"},
		{name: "GET of a file", request: request{method: "GET", target: "/files/x", header: bearer(anyKey)}, status: 405, code: "MethodNotAllowed", answer: map[string]string{"Allow": "PUT"}},
		{name: "PUT in chunks", request: chunked, skip: onLambda, status: 411, code: "LengthRequired"},
		{name: "PUT of too much", request: putFile("/files/x", "image/png", over).with("Expect", "100-continue"), skip: onLambda, status: 413, code: "EntityTooLarge"},
		{name: "source over COS's limit", request: copying(s3+"in/huge", "x"), status: 413, code: "EntityTooLarge",
			arrange: func(w *httpWorld) { w.Staging.Synthesize(devstack.Bucket, "in/huge", 5<<30+1, 1) }},
		{name: "PUT in chunks of AWS", request: putFile("/files/x", "image/png", "x").with("Content-Encoding", "aws-chunked"), status: 415, code: "UnsupportedMediaType"},
	}
}

// failures are answers of WeChat, COS and sources, at least one for each status that
// comes of them. What other codes mean is the event functions' to show.
func failures(w *httpWorld) []exchange {
	wechat := func(code int) tcb.Fault { return tcb.WeChatError(tcb.OpTicket, code, "no") }
	hour := map[string]string{"Retry-After": "3600"}
	all := []exchange{
		{name: "quota", status: 429, code: "45009"},
		{name: "slow", status: 429, code: "SlowDown", answer: hour},
		{name: "denied", status: 502, code: "48001"},
		{name: "corrupt", skip: butRuntimes, status: 502, code: "Corrupt"},
		{name: "down", status: 503, code: "-1", answer: hour},
		{name: "hang", limit: short, status: 504, code: "OutOfTime"},
	}
	for key, f := range map[string]tcb.Fault{
		"quota": wechat(45009), "slow": kit.Final(tcb.COSError(503, "SlowDown", "Please reduce your request rate.")), "denied": wechat(48001),
		"corrupt": tcb.FaultNamed("upload wrong crc64"), "down": kit.Final(wechat(-1)), "hang": tcb.FaultNamed("upload hang"),
	} {
		w.Cloud.Inject(kit.Always(f, "f/"+key))
	}
	for i, e := range all {
		all[i].request = putFile("/files/f/"+e.name, "image/png", "x")
	}
	ticket := post("/tickets", jsonType, `{"path":"f/down"}`)
	return append(all,
		exchange{name: "ticket, WeChat is down", request: ticket, status: 503, code: "-1", answer: hour},
		exchange{name: "source of unknown length", request: copying("https://"+w.site+"/in/chunked", "f/chunked"), status: 403, code: "Refused"},
	)
}

// Every status of openapi.yaml behind every front, with what is
// stored or refused.
func TestStatuses(t *testing.T) {
	t.Parallel()
	byName := map[string]front{}
	for _, f := range fronts {
		byName[f.name] = f
	}
	sideBySide(t, byName, func(t *testing.T, _ string, f front) {
		w := newHTTPWorld(t)
		s := f.start(t, w)
		for _, r := range slices.Concat(deliveries(w), refusals(w), failures(w)) {
			if r.skip == nil || !r.skip(f) {
				r.run(t, s)
			}
		}
		if a := s.do(request{method: "GET", target: "/healthz"}); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"status":"ok"}` {
			t.Errorf("health: %d %s", a.status, a.body)
		}
	})
}

func (r exchange) run(t *testing.T, s *site) {
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
func (s *site) delivered(a answer, r exchange) {
	s.t.Helper()
	var e kit.Entry
	if err := json.Unmarshal(a.body, &e); err != nil || a.status != 201 {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	o := s.w.stored(s.t, r.path, r.data, r.kind)
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
