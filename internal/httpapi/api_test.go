package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	jsonType = "application/json"
	formType = "multipart/form-data; boundary=b"
)

func newError(kind transfer.Kind, code string, after time.Duration) *transfer.Error {
	return &transfer.Error{Stage: transfer.StageUpload, Kind: kind, Code: code, What: "it failed; do something", After: after}
}

// file is a form body with one file part.
func file(filename, data string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + filename + "\"\r\nContent-Type: image/png\r\n\r\n" + data + "\r\n"
}

func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

const formEnd = "--b--\r\n"

// An exchange is one request and what must come of it. path and data are of the
// delivery, for a 201; code is of the problem, otherwise.
type exchange struct {
	name, method, target string
	key, contentType     string
	body                 string
	chunked              bool
	header               []string
	fail                 *transfer.Error

	status     int
	code       string
	path, data string
	answer     http.Header
}

var exchanges = []exchange{
	{name: "health", method: "GET", target: "/healthz", status: 200},

	{name: "put", method: "PUT", target: "/files/in/a.png", key: anyKey, contentType: "image/png", body: "bytes", status: 201, path: "in/a.png", data: "bytes"},
	{name: "put nothing", method: "PUT", target: "/files/in/empty", key: anyKey, contentType: "text/plain; charset=gbk", status: 201, path: "in/empty"},
	{name: "put in the prefix", method: "PUT", target: "/files/team/a/x", key: teamKey, contentType: "text/plain", body: "bytes", status: 201, path: "team/a/x", data: "bytes"},
	{name: "put, decoded once", method: "PUT", target: "/files/in%2Fa%20b%252F+%E7%BA%A2%3F.png", key: anyKey, contentType: "image/png", body: "bytes", status: 201, path: "in/a b%2F+红?.png", data: "bytes"},
	{name: "put the most", method: "PUT", target: "/files/big", key: anyKey, contentType: "image/png", body: strings.Repeat("x", bigLimit), status: 201, path: "big", data: strings.Repeat("x", bigLimit)},
	{name: "put too much", method: "PUT", target: "/files/big", key: anyKey, body: strings.Repeat("x", bigLimit+1), header: []string{"Expect", "100-continue"}, status: 413, code: "EntityTooLarge"},
	{name: "put nowhere", method: "PUT", target: "/files/", key: anyKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put above", method: "PUT", target: "/files/in/../../x", key: anyKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put above, encoded", method: "PUT", target: "/files/in/%2e%2e/x", key: anyKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put above the prefix", method: "PUT", target: "/files/team/a/..%2Fb/x", key: teamKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put, doubly encoded dots are text", method: "PUT", target: "/files/team/a/%252e%252e%252Fb", key: teamKey, contentType: "text/plain", body: "bytes", status: 201, path: "team/a/%2e%2e%2Fb", data: "bytes"},
	{name: "put, two slashes", method: "PUT", target: "/files//etc", key: anyKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put, not UTF-8", method: "PUT", target: "/files/%ff", key: anyKey, body: "bytes", status: 400, code: "InvalidPath"},
	{name: "put a part", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"Content-Range", "bytes 0-4/10"}, status: 400, code: "Malformed"},
	{name: "put a bad type", method: "PUT", target: "/files/x", key: anyKey, contentType: "image/png; a=b; a=c", body: "bytes", status: 400, code: "Malformed"},
	{name: "put without a key", method: "PUT", target: "/files/x", body: "bytes", status: 401, code: "Unauthorized", answer: http.Header{"Www-Authenticate": {"Bearer"}}},
	{name: "put with an unknown key", method: "PUT", target: "/files/x", key: "guess", body: "bytes", status: 401, code: "Unauthorized", answer: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}},
	{name: "put outside the prefix", method: "PUT", target: "/files/team/ab", key: teamKey, body: "bytes", status: 403, code: "OutsidePrefix"},
	{name: "put in chunks", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", chunked: true, status: 411, code: "LengthRequired"},
	{name: "put compressed", method: "PUT", target: "/files/x", key: anyKey, contentType: "text/plain", body: "bytes", header: []string{"Content-Encoding", "gzip"}, status: 201, path: "x", data: "bytes"},
	{name: "put in AWS's chunks", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"Content-Encoding", "gzip, AWS-chunked"}, status: 415, code: "UnsupportedMediaType"},
	{name: "put, an endless encoding", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"Content-Encoding", strings.Repeat("x", 1025)}, status: 400, code: "Malformed"},
	{name: "put, a cache control in no ASCII", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"Cache-Control", "é"}, status: 400, code: "Malformed"},
	{name: "put, a disposition in no ASCII", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"Content-Disposition", "é"}, status: 400, code: "Malformed"},
	{name: "put if nothing is there", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"If-None-Match", "*"}, status: 501, code: "NotImplemented"},
	{name: "put if the same is there", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"If-Match", `"x"`}, status: 501, code: "NotImplemented"},
	{name: "put if unmodified", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"If-Unmodified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"}, status: 501, code: "NotImplemented"},
	{name: "put if modified", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"}, status: 501, code: "NotImplemented"},
	{name: "put with a digest in a trailer", method: "PUT", target: "/files/x", key: anyKey, body: "bytes", header: []string{"X-Amz-Trailer", "x-amz-checksum-crc32"}, status: 501, code: "NotImplemented"},
	{name: "put, day's quota", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindDenied, "45009", 8*time.Hour), status: 429, code: "45009", answer: http.Header{"Retry-After": {"28800"}}},
	{name: "put, minute's quota", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindThrottled, "45011", 0), status: 429, code: "45011", answer: http.Header{"Retry-After": {"60"}}},
	{name: "put, too many at once", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindThrottled, "-501004", 0), status: 429, code: "-501004", answer: http.Header{"Retry-After": {"10"}}},
	{name: "put, slow down", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindThrottled, "SlowDown", 1500*time.Millisecond), status: 429, code: "SlowDown", answer: http.Header{"Retry-After": {"2"}}},
	{name: "put, denied", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindDenied, "48001", 0), status: 502, code: "48001"},
	{name: "put, stale", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindStale, "40001", 0), status: 502, code: "40001"},
	{name: "put, corrupt", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindCorrupt, "", 0), status: 502, code: "Corrupt"},
	{name: "put, unavailable", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindUnavailable, "-1", 0), status: 503, code: "-1"},
	{name: "put, out of time", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindOutOfTime, "", 0), status: 504, code: "OutOfTime"},
	{name: "put, malformed further on", method: "PUT", target: "/files/x", key: anyKey, fail: newError(transfer.KindMalformed, "", 0), status: 400, code: "Malformed"},
	{name: "put, path refused further on", method: "PUT", target: "/files/x", key: anyKey, fail: &transfer.Error{Stage: transfer.StageRoute, Kind: transfer.KindRefused, What: "no"}, status: 400, code: "Refused"},

	{name: "form, path first", method: "POST", target: "/files", key: anyKey, contentType: formType, body: field("path", "in/b.png") + file("a.png", "bytes") + formEnd, status: 201, path: "in/b.png", data: "bytes"},
	{name: "form, path last", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", "bytes") + field("path", "in/%2e b.png") + formEnd, status: 201, path: "in/%2e b.png", data: "bytes"},
	{name: "form, no path", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("/tmp/../a.png", "bytes") + formEnd, status: 201, path: "a.png", data: "bytes"},
	{name: "form, no path, other slashes", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file(`C:\docs\红 a.png`, "bytes") + formEnd, status: 201, path: "红 a.png", data: "bytes"},
	{name: "form in chunks", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", "bytes") + formEnd, chunked: true, status: 201, path: "a.png", data: "bytes"},
	{name: "form, the most", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", strings.Repeat("x", bigLimit)) + field("path", "big") + formEnd, status: 201, path: "big", data: strings.Repeat("x", bigLimit)},
	{name: "form, too much", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", strings.Repeat("x", bigLimit+1)) + formEnd, status: 413, code: "EntityTooLarge"},
	{name: "form, far too much", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", strings.Repeat("x", 2*bigLimit)) + formEnd, header: []string{"Expect", "100-continue"}, status: 413, code: "EntityTooLarge"},
	{name: "form outside the prefix", method: "POST", target: "/files", key: teamKey, contentType: formType, body: file("a.png", "bytes") + formEnd, status: 403, code: "OutsidePrefix"},
	{name: "form without a key", method: "POST", target: "/files", contentType: formType, body: file("a.png", "bytes") + formEnd, status: 401, code: "Unauthorized"},
	{name: "form, empty path", method: "POST", target: "/files", key: anyKey, contentType: formType, body: field("path", "") + file("a.png", "bytes") + formEnd, status: 400, code: "InvalidPath"},

	{name: "source", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"in/a.txt"}`, status: 201, path: "in/a.txt", data: "from s3"},
	{name: "source in COS", method: "POST", target: "/files", key: anyKey, contentType: "application/json; charset=UTF-8", body: `{"path":"x.txt","source":"cos://staging-125/in/x.txt?region=ap-shanghai"}`, status: 201, path: "x.txt", data: "from cos"},
	{name: "source on the web", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"path":"x.txt","source":"https://Files.Example:443/in/x.txt?sig=` + secret + `-4"}`, status: 201, path: "x.txt", data: "from the web"},
	{name: "source in chunks", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"in/a.txt"}`, chunked: true, status: 201, path: "in/a.txt", data: "from s3"},
	{name: "source that is gone", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/none","path":"x"}`, status: 404, code: "NotFound"},
	{name: "source of no file", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/","path":"x"}`, status: 403, code: "Refused"},
	{name: "source not allowed", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/other/x","path":"x"}`, status: 403, code: "Refused"},
	{name: "source not allowed, bad path", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/other/x","path":"/x"}`, status: 400, code: "InvalidPath"},
	{name: "source over COS's limit", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindRefused, "EntityTooLarge", 0), status: 413, code: "EntityTooLarge"},
	{name: "source refused further on", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindRefused, "", 0), status: 403, code: "Refused"},
	{name: "source not found further on", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindNotFound, "NoSuchKey", 0), status: 404, code: "NoSuchKey"},
	{name: "source, throttled", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindThrottled, "", 0), status: 429, code: "Throttled", answer: http.Header{"Retry-After": {"10"}}},
	{name: "source, denied", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindDenied, "AccessDenied", 0), status: 502, code: "AccessDenied"},
	{name: "source, unavailable", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindUnavailable, "", 5*time.Second), status: 503, code: "Unavailable", answer: http.Header{"Retry-After": {"5"}}},
	{name: "source, out of time", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindOutOfTime, "", 0), status: 504, code: "OutOfTime"},
	{name: "neither form nor JSON", method: "POST", target: "/files", key: anyKey, contentType: "text/plain", body: "bytes", status: 415, code: "UnsupportedMediaType"},
	{name: "no type", method: "POST", target: "/files", key: anyKey, body: "bytes", status: 415, code: "UnsupportedMediaType"},
	{name: "JSON in GBK", method: "POST", target: "/files", key: anyKey, contentType: "application/json; charset=gbk", body: `{}`, status: 415, code: "UnsupportedMediaType"},
	{name: "form if nothing is there", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", "bytes") + formEnd, header: []string{"If-None-Match", "*"}, status: 501, code: "NotImplemented"},
	{name: "ticket if nothing is there", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"x"}`, header: []string{"If-None-Match", "*"}, status: 501, code: "NotImplemented"},
	{name: "form with a digest", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", "bytes") + formEnd, header: []string{"Content-MD5", "4UpEKGiMIFlAD7CKYgP4xQ=="}, status: 501, code: "NotImplemented"},
	{name: "part of a form", method: "POST", target: "/files", key: anyKey, contentType: formType, body: file("a.png", "bytes") + formEnd, header: []string{"Content-Range", "bytes 0-4/10"}, status: 400, code: "Malformed"},
	{name: "form, a part in other letters", method: "POST", target: "/files", key: anyKey, contentType: formType, body: strings.Replace(file("a.png", "bytes"), "\r\n\r\n", "\r\nContent-Transfer-Encoding: BINARY\r\n\r\n", 1) + formEnd, status: 201, path: "a.png", data: "bytes"},
	{name: "source that is empty", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"","path":"x"}`, status: 400, code: "Malformed"},
	{name: "source, no access and nothing to say when", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{"source":"s3://staging/in/a b.txt","path":"x"}`, fail: newError(transfer.KindUnavailable, "", 0), status: 503, code: "Unavailable", answer: http.Header{"Retry-After": {"10"}}},
	{name: "JSON compressed", method: "POST", target: "/files", key: anyKey, contentType: jsonType, body: `{}`, header: []string{"Content-Encoding", "br"}, status: 415, code: "UnsupportedMediaType"},

	{name: "ticket", method: "POST", target: "/tickets", key: teamKey, contentType: jsonType, body: `{"path":"team/a/long.mp4"}`, status: 201},
	{name: "ticket, bad path", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"a/../b"}`, status: 400, code: "InvalidPath"},
	{name: "ticket, no path", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{}`, status: 400, code: "Malformed"},
	{name: "ticket without a key", method: "POST", target: "/tickets", contentType: jsonType, body: `{"path":"x"}`, status: 401, code: "Unauthorized"},
	{name: "ticket outside the prefix", method: "POST", target: "/tickets", key: teamKey, contentType: jsonType, body: `{"path":"x"}`, status: 403, code: "OutsidePrefix"},
	{name: "ticket, endless body", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"` + strings.Repeat("x", 64<<10) + `"}`, status: 413, code: "EntityTooLarge"},
	{name: "ticket as a form", method: "POST", target: "/tickets", key: anyKey, contentType: formType, body: field("path", "x") + formEnd, status: 415, code: "UnsupportedMediaType"},
	{name: "ticket, minute's quota", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"x"}`, fail: newError(transfer.KindThrottled, "45011", 0), status: 429, code: "45011", answer: http.Header{"Retry-After": {"60"}}},
	{name: "ticket, denied", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"x"}`, fail: newError(transfer.KindDenied, "85088", 0), status: 502, code: "85088"},
	{name: "ticket, unavailable", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"x"}`, fail: newError(transfer.KindUnavailable, "-1000", 0), status: 503, code: "-1000"},
	{name: "ticket, out of time", method: "POST", target: "/tickets", key: anyKey, contentType: jsonType, body: `{"path":"x"}`, fail: newError(transfer.KindOutOfTime, "", 0), status: 504, code: "OutOfTime"},

	{name: "get a file", method: "GET", target: "/files/x", key: anyKey, status: 405, code: "MethodNotAllowed", answer: http.Header{"Allow": {"PUT"}}},
	{name: "put files", method: "PUT", target: "/files", key: anyKey, body: "bytes", status: 405, code: "MethodNotAllowed", answer: http.Header{"Allow": {"POST"}}},
	{name: "delete a ticket", method: "DELETE", target: "/tickets", key: anyKey, status: 405, code: "MethodNotAllowed", answer: http.Header{"Allow": {"POST"}}},
	{name: "post health", method: "POST", target: "/healthz", key: anyKey, status: 405, code: "MethodNotAllowed", answer: http.Header{"Allow": {"GET, HEAD"}}},
	{name: "post health without a key", method: "POST", target: "/healthz", status: 401, code: "Unauthorized"},
	{name: "unknown method without a key", method: "BREW", target: "/files/x", status: 401, code: "Unauthorized"},
	{name: "unknown route", method: "GET", target: "/admin", key: anyKey, status: 404, code: "NotFound"},
	{name: "unknown route without a key", method: "GET", target: "/admin", status: 401, code: "Unauthorized"},
	{name: "the slash after files, encoded", method: "PUT", target: "/files%2Fx", key: anyKey, body: "bytes", status: 404, code: "NotFound"},
	{name: "a path that a mux would clean", method: "PUT", target: "//files/x", key: anyKey, body: "bytes", status: 404, code: "NotFound"},
	{name: "another path that a mux would clean", method: "PUT", target: "/x/../files/x", key: anyKey, body: "bytes", status: 404, code: "NotFound"},
	{name: "health, disguised", method: "GET", target: "/healthz/", status: 401, code: "Unauthorized"},
}

// Every status of the document, and many more requests, over a real connection.
func TestExchanges(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	c.canFail(t)
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) { x.run(t, c) })
	}
	c.complete(t)
}

func (x exchange) run(t *testing.T, c *contract) {
	f := start(t)
	f.deliverer.fail = x.fail
	header := bearer(x.key, x.header...)
	if x.contentType != "" {
		header.Set("Content-Type", x.contentType)
	}
	var body io.Reader = strings.NewReader(x.body)
	if x.chunked {
		body = io.MultiReader(body) // hides the length
	}
	resp, answer := f.send(t, x.method, x.target, header, body)
	if resp.StatusCode != x.status {
		t.Fatalf("status %d, want %d: %s", resp.StatusCode, x.status, answer)
	}
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	for name, want := range x.answer {
		if !slices.Equal(resp.Header[name], want) {
			t.Errorf("%s: %q, want %q", name, resp.Header[name], want)
		}
	}
	c.check(t, x.method, x.target, header, []byte(x.body), resp, answer)
	if x.status >= 300 {
		p, err := readProblem(answer)
		if err != nil || p.Status != x.status || p.Code != x.code || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("problem %+v, %v, want code %s", p, err, x.code)
		}
		if len(f.deliverer.deliveries) > 0 {
			t.Errorf("delivered %+v all the same", f.deliverer.deliveries)
		}
	} else if x.path != "" {
		x.checkDelivery(t, f, answer)
	}
	f.Close()
	shown := string(answer) + f.logs.String()
	for _, s := range []string{anyKey, teamKey, "guess", hash(anyKey), hash(teamKey), secret + "-4"} {
		if strings.Contains(shown, s) {
			t.Errorf("%q is shown", s)
		}
	}
}

func (x exchange) checkDelivery(t *testing.T, f *front, answer []byte) {
	t.Helper()
	if len(f.deliverer.deliveries) != 1 {
		t.Fatalf("%d deliveries", len(f.deliverer.deliveries))
	}
	d := f.deliverer.deliveries[0]
	if want := (transfer.Dest{App: "app", Env: "env", Path: x.path}); d.plan.Dest != want || !bytes.Equal(d.data, []byte(x.data)) {
		t.Errorf("delivered %d bytes to %+v, want %d to %+v", len(d.data), d.plan.Dest, len(x.data), want)
	}
	var entry struct{ Status, Path, Source string }
	if err := json.Unmarshal(answer, &entry); err != nil || entry.Status != "delivered" || entry.Path != x.path {
		t.Errorf("entry %s, %v", answer, err)
	}
	if fromSource := x.contentType != formType && x.method == http.MethodPost; fromSource {
		if entry.Source == "" || d.plan.Item.Size != -1 || d.etag != "etag" {
			t.Errorf("entry %s of item %+v", answer, d.plan.Item)
		}
		return
	}
	want := x.contentType
	if want == formType {
		want = "image/png"
	}
	if entry.Source != "" || d.contentType != want || d.plan.Item.Size != int64(len(x.data)) || d.etag != "" {
		t.Errorf("type %q, item %+v, entry %s", d.contentType, d.plan.Item, answer)
	}
}
