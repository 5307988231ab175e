package blackbox_test

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

func TestTagging(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		const key = "in/a+b.txt"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.S3URL+"/"+b.in+"/in/a%2Bb.txt", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-amz-tagging", "team=red&kind=text")
		resp, err := kit.Client(t).Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		e := b.start(t, w, "ON_DELIVERED", "tag").one(b.event(key))
		kit.Delivered(t, w.Cloud, devstack.Env, e, "content")
		o, _ := w.Staging.Stat(b.in, key)
		want := map[string]string{"team": "red", "kind": "text", "tcb-delivered-etag": o.ETag,
			"tcb-file-id": strings.ReplaceAll(e.FileID, "%", "=25")}
		if !maps.Equal(o.Tags, want) || e.Warning != "" {
			t.Errorf("the tags are %v, not %v; %s", o.Tags, want, e.Warning)
		}
	})
}

func TestDeleting(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		e := b.start(t, w, "ON_DELIVERED", "delete").one(b.event(good))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		if _, there := w.Staging.Stat(b.in, good); there || e.Warning != "" {
			t.Errorf("the source is there: %v; %s", there, e.Warning)
		}
	})
}

// A file that failed is neither tagged nor deleted.
func TestFailuresAreKept(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		for _, mode := range []string{"tag", "delete"} {
			kit.Put(t, w, good, "content")
			w.Cloud.Inject(tcb.COSError(403, "AccessDenied", "no"))
			matches(t, b.start(t, w, "ON_DELIVERED", mode).one(b.event(good)), ending{code: "AccessDenied"})
			if o, there := w.Staging.Stat(b.in, good); !there || len(o.Tags) > 0 {
				t.Errorf("the source is there: %v, with the tags %v", there, o.Tags)
			}
		}
	})
}

// What the store refuses after a delivery is a warning, and the file is delivered.
func TestSettlingRefused(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		refuse := intercept(t, w, func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut && r.Method != http.MethodDelete {
				return false
			}
			rw.WriteHeader(http.StatusForbidden)
			rw.Write([]byte(`<Error><Code>AccessDenied</Code><Message>no</Message></Error>`))
			return true
		})
		for _, mode := range []string{"tag", "delete"} {
			f := b.start(t, w, append(refuse, "ON_DELIVERED", mode)...)
			e := f.one(b.event(good))
			kit.Delivered(t, w.Cloud, devstack.Env, e, body)
			if !strings.Contains(f.program.Output(), `"SettleFailures":1`) {
				t.Errorf("%s: no metric counts it", mode)
			}
			if _, there := w.Staging.Stat(b.in, good); !there || !strings.Contains(e.Warning, "AccessDenied") {
				t.Errorf("%s: the source is there: %v, the warning is %q", mode, there, e.Warning)
			}
		}
	})
}

// A source that changes after its delivery is not deleted, at whatever moment it
// does. S3 is safe to the end; on COS there is none between the last look and
// the deletion.
func TestChangedSourceIsKept(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		moments := []struct {
			name, method string
			nth          int64
			again        bool // it is delivered again, and then deleted
		}{
			{"before it is confirmed", http.MethodHead, 1, true},
			{"before the last look", http.MethodHead, 2, false},
			{"before the deletion", http.MethodDelete, 1, false},
		}
		if b.name == "cos" {
			moments = moments[:2]
		}
		for _, m := range moments {
			kit.Put(t, w, good, "content")
			var seen atomic.Int64
			change := intercept(t, w, func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == m.method && seen.Add(1) == m.nth {
					kit.Put(t, w, good, "newer content")
				}
				return false
			})
			e := b.start(t, w, append(change, "ON_DELIVERED", "delete")...).one(b.event(good))
			_, there := w.Staging.Stat(b.in, good)
			if m.again {
				kit.Delivered(t, w.Cloud, devstack.Env, e, "newer content")
				if there || e.Attempts != 2 {
					t.Errorf("changed %s: the source is there: %v, after %d attempts", m.name, there, e.Attempts)
				}
				continue
			}
			kit.Delivered(t, w.Cloud, devstack.Env, e, "content") // the change has an event of its own
			if !there || !strings.Contains(e.Warning, "kept") {
				t.Errorf("changed %s: the source is there: %v, the warning is %q", m.name, there, e.Warning)
			}
		}
	})
}

// Without a checksum there is no proof, and without proof no deletion.
func TestUnprovedIsKept(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	if err := w.Staging.Synthesize(devstack.Bucket, good, 1000, 1); err != nil { // its ETag is no MD5
		t.Fatal(err)
	}
	w.Cloud.Inject(tcb.FaultNamed("upload no crc64"))
	e := lambda(t, w, "ON_DELIVERED", "delete").one(s3Event(good))
	if _, there := w.Staging.Stat(devstack.Bucket, good); !there || e.Status != "delivered" || len(e.Verified) != 1 || !strings.Contains(e.Warning, "kept") {
		t.Errorf("the source is there: %v, %+v", there, e)
	}
}
