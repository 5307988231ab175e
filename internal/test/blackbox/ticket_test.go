package blackbox_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// A ticket is what POST /tickets answers.
type ticket struct {
	URL, Method, FileID, ExpiresAt string
	Fields                         map[string]string
}

// upload posts a file with the ticket as a caller does: the fields, the file last.
func (k ticket) upload(t *testing.T, data string) *http.Response {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, name := range []string{"key", "Signature", "x-cos-security-token", "x-cos-meta-fileid"} {
		form.WriteField(name, k.Fields[name])
	}
	part, err := form.CreateFormFile("file", "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	part.Write([]byte(data))
	form.Close()
	resp, err := kit.Client(t).Post(k.URL, form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

var signTime = regexp.MustCompile(`q-sign-time=(\d+);(\d+)`)

// A ticket works for the caller as it is, for its one path, and until when it
// says.
func TestTickets(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		var clock atomic.Pointer[time.Time] // COS's, once it is set
		w.Cloud.Now = func() time.Time {
			if at := clock.Load(); at != nil {
				return *at
			}
			return time.Now()
		}
		s := f.start(t, w)
		const path = "team/a/红 %2F+.bin"
		asked := time.Now()
		a := s.do(post("/tickets", jsonType, `{"path":"`+path+`"}`).as(teamKey))
		var k ticket
		if err := json.Unmarshal(a.body, &k); err != nil || a.status != 201 || len(k.Fields) != 4 || k.Method != "POST" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if w.Cloud.Commits() != 0 {
			t.Error("something was stored before the upload")
		}
		if resp := k.upload(t, binary); resp.StatusCode != http.StatusNoContent {
			t.Fatalf("the upload is answered with %s", resp.Status)
		}
		o, ok := w.Cloud.Object(devstack.Env, path)
		if !ok || string(o.Content) != binary || !o.Readable || o.FileID != k.FileID {
			t.Errorf("stored is %+v, the ticket says %s", o, k.FileID)
		}
		// The end is on the function's clock, and rather a little early than late.
		expires, err := time.Parse("2006-01-02T15:04:05Z", k.ExpiresAt)
		if err != nil {
			t.Fatal(err)
		}
		m := signTime.FindStringSubmatch(k.Fields["Signature"])
		if m == nil {
			t.Fatal("the signature names no time")
		}
		seconds, _ := strconv.ParseInt(m[2], 10, 64) // digits
		end := time.Unix(seconds, 0)
		if expires.After(end) || expires.Sub(asked) < 14*time.Minute {
			t.Errorf("expires at %s, signed until %v", k.ExpiresAt, end)
		}
		clock.Store(&end)
		if resp := k.upload(t, "x"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("after its end the ticket is answered with %s", resp.Status)
		}
		justBefore := expires.Add(-time.Second)
		clock.Store(&justBefore)
		if resp := k.upload(t, "the last"); resp.StatusCode != http.StatusNoContent {
			t.Errorf("before its end the ticket is answered with %s", resp.Status)
		}
		k.Fields["key"] = "team/b"
		if resp := k.upload(t, "x"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("for another path the ticket is answered with %s", resp.Status)
		}
	})
}
