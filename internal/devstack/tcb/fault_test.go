package tcb_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// TestRefusals injects every WeChat code and every COS code.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	w.cloud.Now = time.Now
	for _, f := range tcb.Faults() {
		_, tail, _ := strings.Cut(f.Name, " ")
		if code, err := strconv.Atoi(tail); err == nil && f.Code == code && f.Op == tcb.OpTicket {
			w.cloud.Inject(f)
			if r := w.uploadFile(w.cloud.AccessToken(appID), "a"); r.code() != code || !strings.Contains(r.ErrMsg, " rid: ") {
				t.Errorf("%s: %+v", f.Name, r)
			}
		}
		if f.COSCode != "" && strings.HasPrefix(tail, strconv.Itoa(f.Status)+" "+f.COSCode) {
			w.cloud.Inject(f)
			a := w.send(newPost(w.ticket("a.bin"), "a.bin", objectContent))
			if a.status != f.Status || a.code() != f.COSCode || !strings.Contains(a.body, "<Message>"+f.Message+"</Message>") {
				t.Errorf("%s: %d %s", f.Name, a.status, a.body)
			}
		}
	}
	if w.cloud.Commits() != 0 || w.cloud.PendingFaults() != 0 {
		t.Errorf("%d commits, %d faults left", w.cloud.Commits(), w.cloud.PendingFaults())
	}
}

// TestUploadFaults has one row per fault that is not a plain refusal.
func TestUploadFaults(t *testing.T) {
	t.Parallel()
	const etag, crc = `"ee8de918d05640145b18f70f4c3aa602"`, "16749565679157681890"
	cases := []struct {
		name   string
		status int // 0: no answer, the connection breaks
		stored string
		etag   string
		crc    string
		isCOS  bool
		size   int // of the answer, at least
	}{
		{"gateway 502", 502, "", "", "", false, 100},
		{"gateway 504", 504, "", "", "", false, 100},
		{"gateway 403", 403, "", "", "", false, 100},
		{"gateway 200", 200, "", "", "", false, 100},
		{"gateway 204", 204, "", "", "", false, 0},
		{"redirect 302", 302, "", "", "", false, 0},
		{"redirect 307", 307, "", "", "", false, 0},
		{"200", 200, objectContent, etag, crc, true, 0},
		{"201", 201, objectContent, etag, crc, true, 0},
		{"wrong crc64", 204, objectContent, etag, "16749565679157681891", true, 0},
		{"no crc64", 204, objectContent, etag, "", true, 0},
		{"wrong etag", 204, objectContent, `"00000000000000000000000000000000"`, crc, true, 0},
		{"stored short", 204, objectContent[:15], "*", "*", true, 0},
		{"stored corrupt", 204, "Z" + objectContent[1:], "*", "*", true, 0},
		{"reset before", 0, "", "", "", false, 0},
		{"reset middle", 0, "", "", "", false, 0},
		{"reset after", 0, "", "", "", false, 0},
		{"answer lost", 0, objectContent, "", "", false, 0},
		{"slow", 204, objectContent, etag, crc, true, 0},
		{"early refusal", 403, "", "", "", true, 100},
		{"early slow down", 503, "", "", "", true, 100},
		{"503 retry-after", 503, "", "", "", true, 100},
		{"sparse xml", 500, "", "", "", true, 10},
		{"huge xml", 500, "", "", "", true, 8 << 20},
		{"garbage xml", 500, "", "", "", true, 10},
		{"empty 500", 500, "", "", "", true, 0},
	}
	for _, c := range cases {
		w := newWorld(t, tcb.DefaultRules())
		f := tcb.FaultNamed("upload " + c.name)
		w.cloud.Inject(f)
		a := w.send(newPost(w.ticket("a.bin"), "a.bin", objectContent))
		if a.status != c.status || (a.header.Get("x-cos-request-id") != "") != c.isCOS || len(a.body) < c.size {
			t.Errorf("%s: %d %v, %d bytes, %v", c.name, a.status, a.header, len(a.body), a.err)
		}
		if c.status == 0 && !errors.Is(a.err, syscall.ECONNRESET) {
			t.Errorf("%s: no reset but %v", c.name, a.err)
		}
		if o, _ := w.cloud.Object(env, "a.bin"); string(o.Content) != c.stored {
			t.Errorf("%s: stored %q", c.name, o.Content)
		} else if c.crc == "*" && (a.header.Get("ETag") != `"`+o.MD5+`"` || a.header.Get("x-cos-hash-crc64ecma") != strconv.FormatUint(o.CRC64, 10)) {
			t.Errorf("%s: the digests are not those of what was stored", c.name)
		} else if c.crc != "*" && (a.header.Get("ETag") != c.etag || a.header.Get("x-cos-hash-crc64ecma") != c.crc) {
			t.Errorf("%s: ETag %s, crc64 %s", c.name, a.header.Get("ETag"), a.header.Get("x-cos-hash-crc64ecma"))
		}
		if got := a.header.Get("Retry-After"); got != f.RetryAfter {
			t.Errorf("%s: Retry-After %q", c.name, got)
		}
		if a := w.send(newPost(w.ticket("b.bin"), "b.bin", objectContent)); a.status != 204 {
			t.Errorf("%s: the request after it gets %d %s", c.name, a.status, a.body)
		}
	}
}

// TestEarlyRefusal: the answer comes although most of the body is missing.
func TestEarlyRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	w.cloud.Inject(tcb.FaultNamed("upload early refusal"))
	p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
	p.length = "100000000"
	if a := w.send(p); a.status != 403 {
		t.Errorf("answer = %d %v %v", a.status, a.header, a.err)
	}
}

// TestStall: nothing is read any more, and Close ends it.
func TestStall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	w.cloud.Inject(tcb.FaultNamed("upload stall"))
	p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
	over := make(chan answer)
	go func() { over <- w.send(p) }()
	for w.cloud.PendingFaults() > 0 {
		select {
		case a := <-over:
			t.Fatalf("answered: %d", a.status)
		case <-time.After(time.Millisecond):
		}
	}
	w.cloud.Close()
	if a := <-over; a.err == nil {
		t.Errorf("answered: %d", a.status)
	}
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	cases := []struct {
		name   string
		status int
		prefix string
		size   int
		isJSON bool
	}{
		{"500", 500, "<html>", 100, false},
		{"502", 502, "<html>", 100, false},
		{"503", 503, "<html>", 100, false},
		{"html", 200, "<html>", 100, false},
		{"truncated", 200, `{"`, 500, false},
		{"huge", 200, `{"errcode":0`, 8 << 20, true},
		{"empty", 200, "", 0, false},
		{"reset", 0, "", 0, false},
	}
	for _, c := range cases {
		w.cloud.Inject(tcb.FaultNamed("ticket " + c.name))
		a := w.request("POST", w.url+"/tcb/uploadfile?access_token="+w.cloud.AccessToken(appID), `{"env":"`+env+`","path":"a.bin"}`)
		if a.status != c.status || !strings.HasPrefix(a.body, c.prefix) || len(a.body) < c.size || json.Valid([]byte(a.body)) != c.isJSON || (a.err != nil) != (c.status == 0) {
			t.Errorf("%s: %d, %d bytes, %v", c.name, a.status, len(a.body), a.err)
		}
	}
}

// TestHang: the request has no answer until the cloud is closed.
func TestHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := tcb.New(tcb.DefaultRules(), tcb.App{ID: appID, Secret: secret, Envs: []string{env}})
		cloud.Inject(tcb.FaultNamed("ticket hang"))
		ended := make(chan any, 1)
		go func() {
			defer func() { ended <- recover() }()
			cloud.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/tcb/uploadfile", strings.NewReader("{}")))
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the request did not hang")
		default:
		}
		cloud.Close()
		if end := <-ended; end != http.ErrAbortHandler {
			t.Errorf("ended with %v, want an aborted connection", end)
		}
	})
}

// TestSlowAnswers: pieces and 1xx answers come before the end, which is as it should be.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	slow := func(name string) {
		f := tcb.FaultNamed(name)
		f.Delay = time.Millisecond
		w.cloud.Inject(f)
	}
	slow("ticket trickles")
	ticket := w.ticket("a.bin")
	slow("upload processing")
	processing := 0
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { processing++; return nil }})
	p := newPost(ticket, "a.bin", "x")
	_, body, _ := strings.Cut(string(p.raw("")), "\r\n\r\n")
	req, _ := http.NewRequestWithContext(trace, "POST", ticket.URL, strings.NewReader(body))
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+p.boundary)
	resp, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 204 || processing == 0 {
		t.Errorf("%d after %d answers of 102", resp.StatusCode, processing)
	}
	w.cloud.Inject(tcb.FaultNamed("upload kms"))
	a := w.send(newPost(w.ticket("a.bin"), "a.bin", "x"))
	o, _ := w.cloud.Object(env, "a.bin")
	if a.status != 204 || a.header.Get("x-cos-server-side-encryption") != "cos/kms" || a.header.Get("ETag") == `"`+o.ETag+`"` ||
		a.header.Get("x-cos-hash-crc64ecma") != strconv.FormatUint(o.CRC64, 10) {
		t.Errorf("kms: %d %v", a.status, a.header)
	}
}

func TestTicketFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	fields := func(r reply) map[string]string {
		return map[string]string{"url": r.URL, "token": r.Token, "authorization": r.Authorization, "file_id": r.FileID, "cos_file_id": r.COSFileID}
	}
	for missing := range fields(reply{}) {
		w.cloud.Inject(tcb.FaultNamed("ticket without " + missing))
		for name, value := range fields(w.ticket("a")) {
			if (value == "") != (name == missing) {
				t.Errorf("without %s: %s = %q", missing, name, value)
			}
		}
	}
	for name, want := range map[string]string{"ticket expired": "AccessDenied", "ticket wrong signature": "SignatureDoesNotMatch"} {
		w.cloud.Inject(tcb.FaultNamed(name))
		if a := w.send(newPost(w.ticket("a"), "a", "x")); a.code() != want || want == "AccessDenied" && !strings.Contains(a.body, "Request has expired") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	w.cloud.Inject(tcb.FaultNamed("ticket other file_id"))
	if r := w.ticket("a"); strings.HasSuffix(r.FileID, "/a") {
		t.Errorf("file_id = %s", r.FileID)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	for _, code := range []int{40001, 40014, 42001} {
		old := w.stable(false).AccessToken
		w.cloud.Inject(tcb.FaultNamed("ticket token revoked " + strconv.Itoa(code)))
		if first, second := w.works(old), w.works(old); first != code || second != code {
			t.Errorf("revoked: %d, then %d, want %d", first, second, code)
		}
		next := w.stable(false).AccessToken
		if next == old || w.works(next) != 0 {
			t.Error("no new token after a revocation")
		}
		w.cloud.Inject(tcb.FaultNamed("ticket token dead " + strconv.Itoa(code)))
		if w.works(next) != code || w.stable(false).AccessToken != next || w.works(next) != code {
			t.Error("stable_token does not answer with the dead token again")
		}
		if forced := w.stable(true).AccessToken; forced == next || w.works(forced) != 0 {
			t.Error("force_refresh does not help")
		}
		w.clock.advance(time.Minute)
	}
	w.cloud.Inject(tcb.FaultNamed("token tiny"))
	tiny := w.stable(false)
	if tiny.ExpiresIn != 40 {
		t.Errorf("tiny: %+v", tiny)
	}
	w.clock.advance(40 * time.Second)
	if code := w.works(tiny.AccessToken); code != 42001 {
		t.Errorf("after 40 s: %d", code)
	}
}

// TestSchedules: queue order, Times, Match, and OnRequest behind the queue.
func TestSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	upload := func(path string) int { return w.send(newPost(w.ticket(path), path, "x")).status }
	slow := tcb.COSError(503, "SlowDown", "")
	slow.Times = 2
	w.cloud.Inject(slow)
	w.cloud.Inject(tcb.COSError(500, "InternalError", ""))
	only := tcb.COSError(409, "PathConflict", "")
	only.Match, only.Times = func(key string) bool { return key == "picky" }, -1
	w.cloud.Inject(only)
	got := []int{upload("a"), upload("a"), upload("a"), upload("a"), upload("picky"), upload("picky")}
	want := []int{503, 503, 500, 204, 409, 409}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("statuses %v, want %v", got, want)
		}
	}
	w.cloud.OnRequest(func(op tcb.Op, key string) *tcb.Fault {
		if op == tcb.OpUpload && key == "b" {
			f := tcb.COSError(501, "NotImplemented", "")
			return &f
		}
		return nil
	})
	if a, b := upload("a"), upload("b"); a != 204 || b != 501 {
		t.Errorf("OnRequest: %d %d", a, b)
	}
	w.cloud.OnRequest(nil)
	if upload("b") != 204 {
		t.Error("OnRequest was not removed")
	}
	counts := w.cloud.Requests()
	if counts[tcb.OpUpload] != 9 || counts[tcb.OpTicket] != 9 || counts[tcb.OpStray] != 0 {
		t.Errorf("counts = %v", counts)
	}
	w.request("GET", w.url+"/elsewhere/1", "")
	if w.cloud.Requests()[tcb.OpStray] != 1 {
		t.Error("a stray request was not counted")
	}
}
