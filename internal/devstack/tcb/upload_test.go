package tcb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const objectContent = "[Object Content]"

// TestUpload is the documentation's example: all values are published ones.
func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	for _, path := range []string{"a.png", "this/is/a/深い path+%2B.png", strings.Repeat("x", 850)} {
		ticket := w.ticket(path)
		p := newPost(ticket, path, objectContent)
		p.add("content-type", "image/webp")
		a := w.send(p)
		if a.status != 204 || a.body != "" || a.err != nil {
			t.Fatalf("%q: %d %s %v", path, a.status, a.body, a.err)
		}
		for name, want := range map[string]string{
			"ETag": `"ee8de918d05640145b18f70f4c3aa602"`, "x-cos-hash-crc64ecma": "16749565679157681890",
			"Server": "tencent-cos", "Location": ticket.URL,
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%q: %s = %s, want %s", path, name, got, want)
			}
		}
		if a.header.Get("x-cos-request-id") == "" || a.header.Get("x-cos-trace-id") != "" {
			t.Errorf("%q: request and trace id = %v", path, a.header)
		}
		o, ok := w.cloud.ObjectByID(ticket.FileID)
		if !ok || string(o.Content) != objectContent || !o.Readable || o.ContentType != "image/webp" || o.Size != 16 ||
			o.FileID != "cloud://"+env+"."+bucket+"/"+path || o.SHA256 == "" {
			t.Errorf("%q: object = %+v, %v", path, o, ok)
		}
	}
	if objects := w.cloud.Objects(); len(objects) != 3 || objects[2].Seq != 3 || w.cloud.Commits() != 3 {
		t.Errorf("objects = %v", objects)
	}
}

// accepted are requests that differ from the usual one and must pass.
var accepted = []struct {
	name   string
	change func(*post)
	status int
}{
	{"no final CRLF", func(p *post) { p.end = "--" }, 204},
	{"lower-case field name", func(p *post) { p.parts[1].name = "signature" }, 204},
	{"key last of the fields", func(p *post) { p.drop("key"); p.add("key", "a.bin") }, 204},
	{"filename and type on text parts", func(p *post) {
		p.parts[0].filename, p.parts[0].header = "key", "Content-Type: text/plain;charset=UTF-8\r\n"
	}, 204},
	{"empty file", func(p *post) { p.set("file", "") }, 204},
	{"CRLF and dashes in the file", func(p *post) { p.set("file", "\r\n--\r\n----b0undar\r\n--") }, 204},
	{"filename in key", func(p *post) { p.set("key", "${filename}") }, 204},
	{"action status 200", func(p *post) { p.add("success_action_status", "200") }, 200},
	{"action status 201", func(p *post) { p.add("success_action_status", "201") }, 201},
	{"action status 299", func(p *post) { p.add("success_action_status", "299") }, 204},
	{"content md5", func(p *post) { p.add("Content-MD5", "7o3pGNBWQBRbGPcPTDqmAg==") }, 204},
	{"just inside the window", func(p *post) { p.pad(8192) }, 204},
	{"long boundary", func(p *post) { p.boundary = strings.Repeat("b", 70) }, 204},
}

// pad makes everything before the file's content end at the given offset.
func (p *post) pad(offset int) {
	p.add("x-ignored", "")
	raw := string(p.raw(""))
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	at := strings.Index(body, p.parts[len(p.parts)-1].value)
	p.set("x-ignored", strings.Repeat("i", offset-at))
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	for _, c := range accepted {
		p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
		c.change(p)
		before := w.cloud.Commits()
		if a := w.send(p); a.status != c.status || a.body != "" || w.cloud.Commits() != before+1 {
			t.Errorf("%s: %d %s %v, want %d", c.name, a.status, a.body, a.err, c.status)
		}
	}
}

// refused are requests with one rule broken each.
var refused = []struct {
	name   string
	change func(*post)
	status int
	code   string
}{
	{"PUT", func(p *post) { p.method = "PUT" }, 405, "MethodNotAllowed"},
	{"GET", func(p *post) { p.method = "GET" }, 405, "MethodNotAllowed"},
	{"JSON", func(p *post) { p.contentType = "application/json" }, 405, "MethodNotAllowed"},
	{"no boundary", func(p *post) { p.contentType = "multipart/form-data;charset=UTF-8" }, 400, "MalformedPOSTRequest"},
	{"quoted boundary", func(p *post) { p.contentType = `multipart/form-data; boundary="` + p.boundary + `"` }, 400, "MalformedPOSTRequest"},
	{"other boundary", func(p *post) { p.contentType = "multipart/form-data; boundary=other" }, 400, "MalformedPOSTRequest"},
	{"chunked", func(p *post) {
		p.length, p.extra = "-", "Transfer-Encoding: chunked\r\n"
		p.body = func(s string) string { return "1\r\n-\r\n0\r\n\r\n" }
	}, 411, "MissingContentLength"},
	{"no length", func(p *post) { p.length = "-" }, 411, "MissingContentLength"},
	{"length zero", func(p *post) { p.body = func(string) string { return "" } }, 400, "MalformedPOSTRequest"},
	{"too large by its length", func(p *post) { p.length = "9999999999"; p.halfClose = true }, 400, "EntityTooLarge"},
	{"no such bucket", func(p *post) { p.target = "/7465-other-125/a.bin" }, 404, "NoSuchBucket"},
	{"preamble", func(p *post) { p.body = func(s string) string { return "\r\n" + s } }, 400, "MalformedPOSTRequest"},
	{"LF only", func(p *post) { p.body = func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") } }, 400, "MalformedPOSTRequest"},
	{"LF in part header", func(p *post) { p.parts[0].header = "X-A: b\nX-C: d\r\n" }, 400, "MalformedPOSTRequest"},
	{"unquoted name", func(p *post) {
		p.body = func(s string) string { return strings.Replace(s, `name="key"`, `name=key`, 1) }
	}, 400, "MalformedPOSTRequest"},
	{"no disposition", func(p *post) {
		p.body = func(s string) string { return strings.Replace(s, "Content-Disposition", "Content-Position", 1) }
	}, 400, "MalformedPOSTRequest"},
	{"field twice", func(p *post) { p.add("KEY", "a.bin") }, 400, "MalformedPOSTRequest"},
	{"no file", func(p *post) { p.drop("file") }, 400, "MalformedPOSTRequest"},
	{"file not last", func(p *post) { p.parts[0], p.parts[4] = p.parts[4], p.parts[0] }, 400, "MalformedPOSTRequest"},
	{"field after file", func(p *post) { p.parts = append(p.parts, part{name: "extra", value: "1"}) }, 400, "MalformedPOSTRequest"},
	{"two files", func(p *post) { p.parts = append(p.parts, part{name: "file", filename: "b", value: "1"}) }, 400, "IncorrectNumberOfFilesInPostRequest"},
	{"no closing delimiter", func(p *post) { p.end = "" }, 400, "MalformedPOSTRequest"},
	{"half a closing delimiter", func(p *post) { p.end = "-" }, 400, "MalformedPOSTRequest"},
	{"wrong closing delimiter", func(p *post) { p.end = "++" }, 400, "MalformedPOSTRequest"},
	{"bytes after the end", func(p *post) { p.end = "--\r\nx" }, 400, "MalformedPOSTRequest"},
	{"two line ends after the end", func(p *post) { p.end = "--\r\n\r\n" }, 400, "MalformedPOSTRequest"},
	{"delimiter in the file", func(p *post) { p.set("file", "ab\r\n--"+p.boundary+"cd") }, 400, "MalformedPOSTRequest"},
	{"outside the window", func(p *post) { p.pad(8193) }, 400, "MalformedPOSTRequest"},
	{"body short in the file", func(p *post) {
		p.length, p.end, p.halfClose = "5000", "", true
		p.body = func(s string) string { return strings.TrimSuffix(s, "\r\n--"+p.boundary) }
	}, 400, "IncompleteBody"},
	{"body short in the head", func(p *post) {
		p.length, p.halfClose = "5000", true
		p.body = func(s string) string { return s[:100] }
	}, 400, "IncompleteBody"},
	{"length too large", func(p *post) { p.length, p.halfClose = "5000", true }, 400, "EntitySizeNotMatch"},
	{"no key", func(p *post) { p.drop("key") }, 400, "MalformedPOSTRequest"},
	{"other key", func(p *post) { p.set("key", "b.bin") }, 403, "AccessDenied"},
	{"encoded key", func(p *post) { p.set("key", "a%2Ebin") }, 403, "AccessDenied"},
	{"filename makes another key", func(p *post) { p.set("key", "${filename}"); p.parts[4].filename = "c" }, 403, "AccessDenied"},
	{"key too long", func(p *post) { p.set("key", strings.Repeat("k", 851)) }, 400, "KeyTooLong"},
	{"no signature", func(p *post) { p.drop("Signature") }, 403, "AccessDenied"},
	{"signature of another kind", func(p *post) { p.set("Signature", "q-sign-algorithm=sha1") }, 403, "AccessDenied"},
	{"wrong signature", func(p *post) { p.edit("Signature", -1, "z") }, 403, "SignatureDoesNotMatch"},
	{"stretched window", func(p *post) {
		for i := range p.parts {
			p.parts[i].value = strings.ReplaceAll(p.parts[i].value, ";1557308030", ";1657308030")
		}
	}, 403, "SignatureDoesNotMatch"},
	{"another path", func(p *post) { p.target = "/" + bucket + "/b.bin"; p.set("key", "b.bin") }, 403, "SignatureDoesNotMatch"},
	{"unknown access key", func(p *post) {
		p.set("Signature", strings.Replace(p.parts[1].value, "q-ak=AKID", "q-ak=DIKA", 1))
	}, 403, "InvalidAccessKeyId"},
	{"no security token", func(p *post) { p.drop("x-cos-security-token") }, 403, "InvalidAccessKeyId"},
	{"wrong security token", func(p *post) { p.edit("x-cos-security-token", -1, "!") }, 403, "InvalidAccessKeyId"},
	{"digest differs", func(p *post) { p.add("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==") }, 400, "BadDigest"},
	{"digest no base64", func(p *post) { p.add("Content-MD5", "ee8de918d05640145b18f70f4c3aa602") }, 400, "InvalidDigest"},
	{"meta name with underscore", func(p *post) { p.add("x-cos-meta-a_b", "1") }, 400, "InvalidArgument"},
	{"too much meta", func(p *post) { p.add("x-cos-meta-a", strings.Repeat("1", 2048)) }, 400, "InvalidArgument"},
}

// edit replaces the byte at a position, counted from the end if negative.
func (p *post) edit(name string, at int, with string) {
	for i := range p.parts {
		if p.parts[i].name == name {
			v := p.parts[i].value
			p.parts[i].value = v[:len(v)+at] + with + v[len(v)+at+1:]
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	for _, c := range refused {
		p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
		c.change(p)
		a := w.send(p)
		if a.status != c.status || a.code() != c.code {
			t.Errorf("%s: %d %s %v, want %d %s", c.name, a.status, a.body, a.err, c.status, c.code)
		}
		if a.header.Get("x-cos-request-id") == "" || a.header.Get("x-cos-trace-id") == "" ||
			a.header.Get("Content-Type") != "application/xml" || !strings.HasPrefix(a.body, "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>") {
			t.Errorf("%s: not the shape of a COS error: %v %s", c.name, a.header, a.body)
		}
		if n := w.cloud.Commits(); n != 0 {
			t.Fatalf("%s: something was stored", c.name)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
	w.clock.advance(899 * time.Second)
	if a := w.send(p); a.status != 204 {
		t.Errorf("one second before the end: %d %s", a.status, a.body)
	}
	w.clock.advance(time.Second)
	a := w.send(p)
	if a.status != 403 || a.code() != "AccessDenied" || !strings.Contains(a.body, "<Message>Request has expired</Message>") {
		t.Errorf("at the end: %d %s", a.status, a.body)
	}
}

// TestExpiryDuringUpload lets the clock jump between the head and the end.
func TestExpiryDuringUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	ticket := w.ticket("a.bin")
	calls := 0
	// The clock is read once when the ticket is checked, and at the end.
	w.cloud.Now = func() time.Time {
		calls++
		return w.clock.now().Add(time.Duration(calls-1) * time.Hour)
	}
	if a := w.send(newPost(ticket, "a.bin", objectContent)); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
