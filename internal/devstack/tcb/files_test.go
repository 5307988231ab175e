package tcb_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

func (w *world) put(path, content string, change func(*post)) string {
	w.t.Helper()
	ticket := w.ticket(path)
	p := newPost(ticket, path, content)
	if change != nil {
		change(p)
	}
	if a := w.send(p); a.status != 204 {
		w.t.Fatalf("upload of %q: %d %s", path, a.status, a.body)
	}
	return ticket.FileID
}

func (w *world) links(ids ...string) reply {
	w.t.Helper()
	list := make([]map[string]any, len(ids))
	for i, id := range ids {
		list[i] = map[string]any{"fileid": id, "max_age": 60}
	}
	body, _ := json.Marshal(map[string]any{"env": env, "file_list": list})
	return w.do("POST", "/tcb/batchdownloadfile?access_token="+w.cloud.AccessToken(appID), string(body))
}

func (w *world) remove(ids ...string) reply {
	w.t.Helper()
	body, _ := json.Marshal(map[string]any{"env": env, "fileid_list": ids})
	return w.do("POST", "/tcb/batchdeletefile?access_token="+w.cloud.AccessToken(appID), string(body))
}

// CloudBase may know of a file only some time after COS.
func TestReadableAfter(t *testing.T) {
	t.Parallel()
	rules := tcb.DefaultRules()
	rules.ReadableAfter = 3 * time.Second
	w := newWorld(t, rules)
	id := w.put("a.txt", objectContent, nil)
	w.clock.advance(2999 * time.Millisecond)
	if links, gone := w.links(id), w.remove(id); links.FileList[0].ErrMsg != "STORAGE_FILE_NONEXIST" || gone.DeleteList[0].ErrMsg != "STORAGE_FILE_NONEXIST" {
		t.Errorf("too early: %+v, %+v", links, gone)
	}
	w.clock.advance(time.Millisecond)
	if links, gone := w.links(id), w.remove(id); links.FileList[0].Status != 0 || gone.DeleteList[0].Status != 0 {
		t.Errorf("later: %+v, %+v", links, gone)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	id := w.put("深/a b%2B.png", objectContent, func(p *post) { p.add("Cache-Control", "max-age=5") })
	hidden := w.put("hidden.png", objectContent, func(p *post) { p.drop("x-cos-meta-fileid") })
	if o, ok := w.cloud.ObjectByID(hidden); !ok || o.Readable {
		t.Errorf("a file without meta: %+v", o)
	}
	r := w.links(id, hidden, "cloud://"+env+"."+bucket+"/none", "cloud://other.x/none", "")
	if r.code() != 0 || len(r.FileList) != 5 || r.FileList[0].Status != 0 || r.FileList[0].FileID != id {
		t.Fatalf("links = %+v", r)
	}
	for _, it := range r.FileList[1:] {
		if it.Status == 0 || it.ErrMsg != "STORAGE_FILE_NONEXIST" || it.DownloadURL != "" {
			t.Errorf("item = %+v", it)
		}
	}
	link := r.FileList[0].DownloadURL
	if !strings.Contains(link, "深/a%20b%252B.png") {
		t.Errorf("link = %s", link)
	}
	for method, body := range map[string]string{"GET": objectContent, "HEAD": ""} {
		a := w.request(method, link, "")
		if a.status != 200 || a.header.Get("Content-Length") != "16" || a.header.Get("Content-Type") != "image/png" ||
			a.header.Get("ETag") != `"ee8de918d05640145b18f70f4c3aa602"` || a.header.Get("x-cos-hash-crc64ecma") != "16749565679157681890" ||
			a.header.Get("Cache-Control") != "max-age=5" || a.body != body {
			t.Errorf("%s: %d %v %q", method, a.status, a.header, a.body)
		}
	}
	if a := w.request("GET", strings.Replace(link, "a%20b", "a%20c", 1), ""); a.status != 403 {
		t.Errorf("a forged link gives %d", a.status)
	}
	if a := w.request("POST", link, ""); a.status != 405 {
		t.Errorf("POST gives %d", a.status)
	}
	w.clock.advance(61 * time.Second)
	if a := w.request("GET", link, ""); a.status != 403 || !strings.Contains(a.body, "Request has expired") {
		t.Errorf("an old link gives %d %s", a.status, a.body)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	id := w.put("a.png", objectContent, nil)
	link := w.links(id).FileList[0].DownloadURL
	r := w.remove(id, id)
	if r.code() != 0 || r.DeleteList[0].Status != 0 || r.DeleteList[1].Status == 0 {
		t.Errorf("delete = %+v", r)
	}
	if _, ok := w.cloud.Object(env, "a.png"); ok || w.request("GET", link, "").status != 404 || w.links(id).FileList[0].Status == 0 {
		t.Error("the file is still there")
	}
}

func TestBatchLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	var ids []string
	for i := range 51 {
		ids = append(ids, fmt.Sprintf("cloud://%s.%s/%d", env, bucket, i))
	}
	if w.links(ids[:50]...).code() != 0 || w.links(ids...).code() != -501007 || w.links().code() != 40101 {
		t.Error("links does not keep to 50 files")
	}
	if w.remove(ids[:50]...).code() != 0 || w.remove(ids...).code() != -501007 || w.remove().code() != 40101 {
		t.Error("delete does not keep to 50 files")
	}
}

func TestStaleDownloads(t *testing.T) {
	t.Parallel()
	for stale, want := range map[bool]string{false: "new", true: "old"} {
		rules := tcb.DefaultRules()
		rules.StaleDownloads = stale
		w := newWorld(t, rules)
		w.put("a.txt", "old", nil)
		id := w.put("a.txt", "new", nil)
		if a := w.request("GET", w.links(id).FileList[0].DownloadURL, ""); a.body != want {
			t.Errorf("StaleDownloads %v: %q", stale, a.body)
		}
		if o, _ := w.cloud.Object(env, "a.txt"); string(o.Content) != "new" || o.Seq != 2 {
			t.Errorf("object = %+v", o)
		}
	}
}

// TestKeepContent: larger files leave their digests only.
func TestKeepContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	w.cloud.KeepContent, w.cloud.CRC64Only = 4, true
	small, large := w.put("s", "1234", nil), w.put("l", "123456789", nil)
	if o, _ := w.cloud.ObjectByID(small); string(o.Content) != "1234" || !strings.HasSuffix(o.ETag, "-1") || o.MD5 != "" || o.SHA256 != "" {
		t.Errorf("small = %+v", o)
	}
	if o, _ := w.cloud.ObjectByID(large); o.Content != nil || o.Size != 9 || o.CRC64 != 11051210869376104954 {
		t.Errorf("large = %+v", o)
	}
	link := w.links(large).FileList[0].DownloadURL
	if get, head := w.request("GET", link, ""), w.request("HEAD", link, ""); get.status != 501 || head.status != 200 || head.header.Get("Content-Length") != "9" {
		t.Errorf("GET %d, HEAD %d", get.status, head.status)
	}
}

// Files that were put or made up are there as those that were uploaded.
func TestPutAndSynthesize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	uploaded := w.put("uploaded", "content", nil)
	w.cloud.Put(env, "put", []byte("content"))
	w.cloud.Synthesize(env, 7, "9a0364b9e99bb480dd25e1f0284c8555", func(path string) bool { return path == "made-up" })
	prefix := strings.TrimSuffix(uploaded, "uploaded")
	list := w.links(uploaded, prefix+"put", prefix+"made-up", prefix+"neither").FileList
	for i, item := range list[:3] {
		a := w.request("HEAD", item.DownloadURL, "")
		if a.status != 200 || a.header.Get("Content-Length") != "7" || a.header.Get("ETag") != `"9a0364b9e99bb480dd25e1f0284c8555"` {
			t.Errorf("%d: %d %v", i, a.status, a.header)
		}
	}
	if list[3].Status == 0 {
		t.Errorf("%+v", list[3])
	}
}
