package blackbox_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// Whatever COS says of an upload, a file that is answered as delivered is there,
// byte for byte. A lie told once costs an attempt; one told always is a failure.
func TestVerifiedDelivery(t *testing.T) {
	t.Parallel()
	for name, truth := range map[string][]string{ // what is verified although the fault is always there
		"wrong crc64": nil, "wrong etag": nil, "stored short": nil, "stored corrupt": nil,
		"answer lost": nil, "reset before": nil, "reset middle": nil, "reset after": nil,
		"gateway 200": nil, "gateway 204": nil, "redirect 302": nil, "redirect 307": nil,
		"garbage xml": nil, "empty 500": nil,
		"200": {"size", "md5", "crc64"}, "201": {"size", "md5", "crc64"}, "no crc64": {"size", "md5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			once, always := fault("upload "+name, "once"), later(fault("upload "+name, "always"))
			once.Times = 1
			w.Cloud.Inject(once)
			w.Cloud.Inject(always)
			body := strings.Repeat("The bytes of a file. ", 5000)
			put(t, w, "once", body)
			put(t, w, "always", body)
			f := lambda(t, w)
			files := entries(t, f.invoke(s3Event("once", "always"), 2*short))
			for i, e := range files {
				switch {
				case e.Status == "delivered":
					delivered(t, w.Cloud, devstack.Env, e, body)
					if i == 1 && !slices.Equal(e.Verified, truth) {
						t.Errorf("verified by %v", e.Verified)
					}
				case i == 0 || truth != nil:
					t.Errorf("%s failed: %s", e.Source, e.Error.Message)
				}
			}
			if want := 2 - min(1, len(truth)); files[0].Status == "delivered" && files[0].Attempts != want {
				t.Errorf("%d attempts, not %d", files[0].Attempts, want)
			}
			if n := w.Cloud.Requests()[tcb.OpStray]; n > 0 {
				t.Errorf("%d redirects were followed", n)
			}
		})
	}
}

// A front is the staging bucket with something before it.
func front(t *testing.T, w *devstack.World, meddle func(w http.ResponseWriter, r *http.Request) (done bool)) []string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !meddle(rw, r) {
			w.Staging.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	return []string{"AWS_ENDPOINT_URL_S3", s.URL, "COS_ENDPOINT_URL", s.URL}
}

// A byte that changes between the source and us is found out by the MD5 of S3 and
// by the CRC64 of COS.
func TestCorruptDownload(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		if form.name != "s3" && form.name != "cos" {
			continue
		}
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Staging.COS = form.name == "cos"
			body := put(t, w, good, "content")
			gets := 0
			meddle := front(t, w, func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet {
					return false
				}
				if gets++; gets > 1 {
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
			e := form.start(t, w, meddle...).one(form.event(good))
			delivered(t, w.Cloud, devstack.Env, e, body)
			if e.Attempts != 2 {
				t.Errorf("%d attempts, not 2", e.Attempts)
			}
		})
	}
}
