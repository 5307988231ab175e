package blackbox_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// Whatever COS says of an upload, a file that is answered as delivered is there,
// byte for byte. A fault that comes once costs an attempt. One that stays is a
// failure, unless the answer still proves the file.
func TestVerifiedDelivery(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	f := lambda(t, w, manyAtOnce...)
	sideBySide(t, map[string][]string{ // what is verified although the fault is always there
		"wrong crc64": nil, "stored short": nil, "stored corrupt": nil,
		"answer lost": nil, "reset before": nil, "reset middle": nil, "reset after": nil,
		"gateway 200": nil, "gateway 204": nil, "redirect 302": nil, "redirect 307": nil,
		"garbage xml": nil, "empty 500": nil,
		"200": {"size", "md5", "crc64"}, "201": {"size", "md5", "crc64"}, "no crc64": {"size", "md5"},
		"wrong etag": {"size", "crc64"},
	}, func(t *testing.T, name string, proof []string) {
		once := fault("upload "+name, "once/"+name)
		once.Times = 1
		w.Cloud.Inject(once)
		w.Cloud.Inject(kit.Final(fault("upload "+name, "always/"+name)))
		body := strings.Repeat("The bytes of a file. ", 5000)
		kit.Put(t, w, "once/"+name, body)
		kit.Put(t, w, "always/"+name, body)
		f := f.at(t)
		e := f.one(s3Event("once/" + name))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		want := 2
		if proof != nil && name != "wrong etag" { // which takes a second look
			want = 1
		}
		if e.Attempts != want {
			t.Errorf("%d attempts, not %d", e.Attempts, want)
		}
		if proof == nil {
			if e := kit.Entries(t, f.invoke(s3Event("always/"+name), short))[0]; e.Status != "failed" {
				t.Errorf("the file without proof is %+v", e)
			}
			return
		}
		e = f.one(s3Event("always/" + name))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		if !slices.Equal(e.Verified, proof) {
			t.Errorf("verified by %v", e.Verified)
		}
	})
	if n := w.Cloud.Requests()[tcb.OpStray]; n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// intercept puts a handler before the staging bucket. It returns the variables that
// lead there; answer reports whether it answered itself.
func intercept(t *testing.T, w *devstack.World, answer func(w http.ResponseWriter, r *http.Request) (done bool)) []string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !answer(rw, r) {
			w.Staging.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	return []string{"AWS_ENDPOINT_URL_S3", s.URL, "COS_ENDPOINT_URL", s.URL}
}

// A byte that changes between the source and us is found out by the MD5 of S3 and
// by the CRC64 of COS.
func TestCorruptDownload(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		var gets atomic.Int64
		vars := intercept(t, w, func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || gets.Add(1) > 1 {
				return false
			}
			rec := httptest.NewRecorder()
			w.Staging.ServeHTTP(rec, r)
			for name, values := range rec.Header() {
				rw.Header()[name] = values
			}
			rw.Write([]byte("Content"))
			return true
		})
		e := b.start(t, w, vars...).one(b.event(good))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		if e.Attempts != 2 {
			t.Errorf("%d attempts, not 2", e.Attempts)
		}
	})
}
