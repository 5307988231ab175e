package tcb_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const mib = 1 << 20

// key is the account's.
var key = tcb.COSKey{ID: "AKIDaccount", Secret: "account-secret", Token: "account-token"}

// cosCall is one signed call, in parts that a test can change.
type cosCall struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         []byte
	secret       string
	unsigned     string // a header or parameter that the lists leave out
	id           string
	age          time.Duration // of the signature
}

func (w *world) call(method, path string, query url.Values, body []byte) answer {
	return w.cos(cosCall{method: method, path: path, query: query, body: body})
}

func (w *world) cos(in cosCall) answer {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	u.Path, u.RawQuery = "/"+bucket+in.path, in.query.Encode()
	req, err := http.NewRequest(in.method, u.String(), bytes.NewReader(in.body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("x-cos-security-token", key.Token)
	headers := map[string]string{"host": u.Host}
	for name, value := range in.header {
		req.Header.Set(name, value)
		if strings.HasPrefix(name, "x-cos-") {
			headers[name] = value
		}
	}
	params := map[string]string{}
	for name, values := range in.query {
		params[strings.ToLower(name)] = values[0]
	}
	delete(headers, in.unsigned)
	delete(params, in.unsigned)
	secret, id := in.secret, in.id
	if secret == "" {
		secret = key.Secret
	}
	if id == "" {
		id = key.ID
	}
	now := w.clock.now().Add(-in.age).Unix()
	times := fmt.Sprintf("%d;%d", now-60, now+600)
	headerList, headerText := pairs(headers)
	paramList, paramText := pairs(params)
	sign := tcb.Signature(secret, times, tcb.StringToSign(times, tcb.FormatString(in.method, u.Path, paramText, headerText)))
	req.Header.Set("Authorization", "q-sign-algorithm=sha1&q-ak="+id+"&q-sign-time="+times+"&q-key-time="+times+
		"&q-header-list="+headerList+"&q-url-param-list="+paramList+"&q-signature="+sign)
	return w.exchange(req)
}

func pairs(values map[string]string) (list, text string) {
	var names, all []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		all = append(all, name+"="+strings.ReplaceAll(url.QueryEscape(values[name]), "+", "%20"))
	}
	return strings.Join(names, ";"), strings.Join(all, "&")
}

func element(text, name string) string {
	_, rest, _ := strings.Cut(text, "<"+name+">")
	value, _, _ := strings.Cut(rest, "</"+name+">")
	return value
}

func q(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (w *world) begin(path string) (id string) {
	w.t.Helper()
	meta := w.ticket(path).COSFileID
	a := w.cos(cosCall{method: "POST", path: "/" + path, query: q("uploads", ""), header: map[string]string{
		"x-cos-meta-fileid": meta, "Content-Type": "video/mp4", "Cache-Control": "no-cache"}})
	if id = element(a.body, "UploadId"); a.status != 200 || id == "" {
		w.t.Fatalf("initiate: %d %s", a.status, a.body)
	}
	return id
}

func (w *world) part(path, id string, number int, content []byte) (etag string) {
	w.t.Helper()
	a := w.call("PUT", "/"+path, q("partNumber", strconv.Itoa(number), "uploadId", id), content)
	sum := md5.Sum(content)
	if etag = `"` + hex.EncodeToString(sum[:]) + `"`; a.status != 200 || a.header.Get("ETag") != etag {
		w.t.Fatalf("part %d: %d %s, ETag %s", number, a.status, a.body, a.header.Get("ETag"))
	}
	if want := strconv.FormatUint(crc64.Checksum(content, crc64.MakeTable(crc64.ECMA)), 10); a.header.Get("x-cos-hash-crc64ecma") != want {
		w.t.Fatalf("part %d has CRC64 %s, want %s", number, a.header.Get("x-cos-hash-crc64ecma"), want)
	}
	return etag
}

// list is the body of Complete.
func list(parts ...string) []byte {
	text := "<CompleteMultipartUpload>"
	for i := 0; i < len(parts); i += 2 {
		text += "<Part><PartNumber>" + parts[i] + "</PartNumber><ETag>" + parts[i+1] + "</ETag></Part>"
	}
	return []byte(text + "</CompleteMultipartUpload>")
}

func newMultipartWorld(t *testing.T) *world {
	rules := tcb.DefaultRules()
	rules.PageSize = 2
	w := newWorld(t, rules)
	w.cloud.AddKey(key)
	return w
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	w := newMultipartWorld(t)
	const path = "in/大 file.mp4"
	id := w.begin(path)
	one, two, three := bytes.Repeat([]byte("1"), mib), bytes.Repeat([]byte("2"), mib+7), []byte("end")
	old := w.part(path, id, 2, []byte("replaced"))
	e3 := w.part(path, id, 3, three)
	e1, e2 := w.part(path, id, 1, one), w.part(path, id, 2, two)
	if old == e2 {
		t.Fatal("the replaced part has the same ETag")
	}

	first := w.call("GET", "/"+path, q("uploadId", id), nil)
	rest := w.call("GET", "/"+path, q("uploadId", id, "part-number-marker", element(first.body, "NextPartNumberMarker")), nil)
	if strings.Count(first.body, "<PartNumber>") != 2 || element(first.body, "IsTruncated") != "true" ||
		element(rest.body, "PartNumber") != "3" || element(rest.body, "IsTruncated") != "false" {
		t.Errorf("the list of parts:\n%s\n%s", first.body, rest.body)
	}
	sum := md5.Sum(list("1", e1, "2", e2, "3", e3))
	a := w.cos(cosCall{method: "POST", path: "/" + path, query: q("uploadId", id), body: list("1", e1, "2", e2, "3", e3),
		header: map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])}})
	whole := slices.Concat(one, two, three)
	crc := strconv.FormatUint(crc64.Checksum(whole, crc64.MakeTable(crc64.ECMA)), 10)
	if a.status != 200 || !strings.HasSuffix(element(a.body, "ETag"), `-3&#34;`) || a.header.Get("x-cos-hash-crc64ecma") != crc {
		t.Fatalf("complete: %d %s %v", a.status, a.body, a.header)
	}
	o, ok := w.cloud.Object(env, path)
	if !ok || !o.Readable || !bytes.Equal(o.Content, whole) || o.ContentType != "video/mp4" || o.Headers["Cache-Control"] != "no-cache" {
		t.Errorf("stored %v: %+v", ok, o.Headers)
	}
	if again := w.call("POST", "/"+path, q("uploadId", id), list("1", e1)); again.code() != "NoSuchUpload" {
		t.Errorf("completing twice: %d %s", again.status, again.body)
	}
	head := w.cos(cosCall{method: "HEAD", path: "/" + path})
	if head.status != 200 || head.header.Get("x-cos-hash-crc64ecma") != crc || head.header.Get("Content-Length") != strconv.Itoa(len(whole)) || head.header.Get("x-cos-meta-fileid") == "" {
		t.Errorf("head: %d %v", head.status, head.header)
	}
	if gone := w.cos(cosCall{method: "HEAD", path: "/none"}); gone.status != 404 {
		t.Errorf("head of nothing: %d", gone.status)
	}
}

func TestUnfinishedUploads(t *testing.T) {
	t.Parallel()
	w := newMultipartWorld(t)
	a1 := w.begin("a")
	w.clock.advance(time.Hour)
	a2, ab, b := w.begin("a"), w.begin("ab"), w.begin("b")
	var found []string
	marker, idMarker := "", ""
	for {
		query := q("uploads", "", "prefix", "a")
		if marker != "" {
			query.Set("key-marker", marker)
			query.Set("upload-id-marker", idMarker)
		}
		page := w.call("GET", "/", query, nil)
		if page.status != 200 {
			t.Fatalf("%d %s", page.status, page.body)
		}
		for _, rest := range strings.Split(page.body, "<Upload>")[1:] {
			found = append(found, element(rest, "UploadId"))
		}
		if element(page.body, "IsTruncated") != "true" {
			break
		}
		marker, idMarker = element(page.body, "NextKeyMarker"), element(page.body, "NextUploadIdMarker")
	}
	if !slices.Equal(found, []string{a1, a2, ab}) {
		t.Errorf("listed %v, want %v", found, []string{a1, a2, ab})
	}
	if got := w.call("DELETE", "/b", q("uploadId", a1), nil); got.code() != "NoSuchUpload" {
		t.Errorf("the ID of another key: %d %s", got.status, got.body)
	}
	if got := w.call("DELETE", "/b", q("uploadId", b), nil); got.status != 204 || len(w.cloud.Unfinished()) != 3 {
		t.Errorf("abort: %d, %d left", got.status, len(w.cloud.Unfinished()))
	}
}

// What COS refuses.
func TestMultipartRefusals(t *testing.T) {
	t.Parallel()
	w := newMultipartWorld(t)
	id := w.begin("a")
	small, big := w.part("a", id, 1, []byte("small")), w.part("a", id, 2, bytes.Repeat([]byte("x"), mib))
	part := q("partNumber", "1", "uploadId", id)
	complete := func(body []byte) cosCall {
		return cosCall{method: "POST", path: "/a", query: q("uploadId", id), body: body}
	}
	for name, row := range map[string]struct {
		in   cosCall
		code string
	}{
		"an unsigned parameter": {cosCall{method: "PUT", path: "/a", query: part, unsigned: "uploadid"}, "AccessDenied"},
		"an unsigned host":      {cosCall{method: "PUT", path: "/a", query: part, unsigned: "host"}, "AccessDenied"},
		"an unsigned meta": {cosCall{method: "POST", path: "/a", query: q("uploads", ""), unsigned: "x-cos-meta-fileid",
			header: map[string]string{"x-cos-meta-fileid": "m"}}, "AccessDenied"},
		"another secret":     {cosCall{method: "PUT", path: "/a", query: part, secret: "other"}, "SignatureDoesNotMatch"},
		"an unknown key":     {cosCall{method: "PUT", path: "/a", query: part, id: "AKIDother"}, "InvalidAccessKeyId"},
		"an old signature":   {cosCall{method: "PUT", path: "/a", query: part, age: time.Hour}, "AccessDenied"},
		"an early signature": {cosCall{method: "PUT", path: "/a", query: part, age: -time.Hour}, "RequestTimeTooSkewed"},
		"no such upload":     {cosCall{method: "PUT", path: "/a", query: q("partNumber", "1", "uploadId", "x"), body: []byte("x")}, "NoSuchUpload"},
		"part 0":             {cosCall{method: "PUT", path: "/a", query: q("partNumber", "0", "uploadId", id)}, "InvalidArgument"},
		"part 10001":         {cosCall{method: "PUT", path: "/a", query: q("partNumber", "10001", "uploadId", id)}, "InvalidArgument"},
		"a wrong MD5":        {cosCall{method: "PUT", path: "/a", query: part, header: map[string]string{"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, body: []byte("x")}, "BadDigest"},
		"no parts":           {complete(list()), "MalformedXML"},
		"no XML":             {complete([]byte("<Complete")), "MalformedXML"},
		"a small first part": {complete(list("1", small, "2", big)), "EntityTooSmall"},
		"the wrong order":    {complete(list("2", big, "1", small)), "InvalidPartOrder"},
		"a part twice":       {complete(list("2", big, "2", big)), "InvalidPartOrder"},
		"a missing part":     {complete(list("2", big, "3", small)), "InvalidPart"},
		"another ETag":       {complete(list("2", small)), "InvalidPart"},
		"a page of nothing":  {cosCall{method: "GET", path: "/a", query: q("uploadId", id, "max-parts", "0")}, "InvalidArgument"},
	} {
		if got := w.cos(row.in); got.code() != row.code {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.code(), row.code)
		}
	}
	denied := key
	denied.ID, denied.Deny = "AKIDdenied", tcb.OpComplete
	w.cloud.AddKey(denied)
	if got := w.cos(cosCall{method: "POST", path: "/a", query: q("uploadId", id), body: list("2", big), id: denied.ID}); got.code() != "AccessDenied" {
		t.Errorf("a denied call: %d %s", got.status, got.code())
	}
}

// A fileid of another path makes a file that no mini program can read.
func TestMultipartUnreadable(t *testing.T) {
	t.Parallel()
	w := newMultipartWorld(t)
	meta := w.ticket("other").COSFileID
	a := w.cos(cosCall{method: "POST", path: "/a", query: q("uploads", ""), header: map[string]string{"x-cos-meta-fileid": meta}})
	id := element(a.body, "UploadId")
	etag := w.part("a", id, 1, []byte("x"))
	w.call("POST", "/a", q("uploadId", id), list("1", etag))
	if o, ok := w.cloud.Object(env, "a"); !ok || o.Readable {
		t.Errorf("stored %v, readable %v", ok, o.Readable)
	}
}

// Every fault ends as it says, and none is stored that says it is not.
func TestMultipartFaults(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range tcb.MultipartFaults() {
		if seen[f.Name] || f.Op&^tcb.OpMultipart != 0 {
			t.Errorf("%q is there twice, or at %s", f.Name, f.Op)
		}
		seen[f.Name] = true
	}
	w := newMultipartWorld(t)
	id := w.begin("a")
	for name, want := range map[string]string{
		"part wrong crc64": "200", "part no crc64": "200", "part InternalError": "500", "part gateway 502": "502",
		"part answer lost": "error", "part reset before": "error", "part reset middle": "error", "part redirect 307": "307",
	} {
		w.cloud.Inject(tcb.FaultNamed(name))
		a := w.call("PUT", "/a", q("partNumber", "1", "uploadId", id), bytes.Repeat([]byte("z"), 64<<10))
		got := strconv.Itoa(a.status)
		if a.err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	w.cloud.Inject(tcb.FaultNamed("complete 200 InternalError"))
	etag := w.part("a", id, 1, []byte("x"))
	if a := w.call("POST", "/a", q("uploadId", id), list("1", etag)); a.status != 200 || a.code() != "InternalError" {
		t.Errorf("a late error: %d %s", a.status, a.body)
	}
	if len(w.cloud.Objects()) != 0 || w.cloud.PendingFaults() != 0 {
		t.Error("a late error stored something, or a fault is left")
	}
}

// The example of Tencent's own SDK: headers take part in the signature, sorted.
func TestSignedHeadersVector(t *testing.T) {
	t.Parallel()
	const times = "1480932292;1481012292"
	_, headers := pairs(map[string]string{"x-cos-stroage-class": "nearline", "host": "testbucket-125000000.cos.ap-guangzhou.myqcloud.com",
		"x-cos-content-sha1": "db8ac1c259eb89d4a131b253bacfca5f319d54f2"})
	got := tcb.Signature("AKIDZfbOA78asKUYBcXFrJD0a1ICvR98JM", times, tcb.StringToSign(times, tcb.FormatString("PUT", "/testfile2", "", headers)))
	if want := "ce4ac0ecbcdb30538b3fee0a97cc6389694ce53a"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}
