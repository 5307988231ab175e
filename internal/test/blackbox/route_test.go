package blackbox_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// serveCloud puts a cloud with these apps in the place of the world's own.
func serveCloud(t *testing.T, w *devstack.World, apps ...tcb.App) {
	w.Cloud = tcb.New(tcb.DefaultRules(), apps...)
	s := httptest.NewServer(w.Cloud.Handler())
	t.Cleanup(s.Close)
	w.APIURL = s.URL
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	serveCloud(t, w,
		tcb.App{ID: "wxa", Secret: "secret-of-a", Envs: []string{"env-a"}},
		tcb.App{ID: "wxb", Secret: "secret-of-b", Envs: []string{"env-b", "env-c"}})
	secret := writeFile(t, "secret-of-b\n")
	f := lambda(t, w, "CLOUDBASE_ENV", "env-a", "WECHAT_APP_ID", "wxa", "WECHAT_APP_SECRET", "secret-of-a",
		"INCLUDE", "**/*.txt, *.txt,**.bin", "EXCLUDE", "**/tmp/**,a/no?.txt", "CLOUDBASE_PATH", "all/{key}",
		"ROUTES", `[
			{"from":"s3://staging/a/special/","path":"{stem}/{name}"},
			{"from":"s3://staging/a/"},
			{"from":"s3://staging/b/","env":"env-b","appId":"wxb","appSecret":"file:`+secret+`"},
			{"from":"s3://staging/c/","env":"env-c","appId":"wxb","appSecret":"file:`+secret+`","path":"{yyyy}/{mm}/{dd}/{bucket}/{dir}/{stem}-x{ext}"},
			{"from":"s3://staging/root","path":"{dir}/{name}"},
			{"from":"s3://staging/slash/","path":"{key}"},
			{"from":"s3://staging/empty/","path":"{ext}"},
			{"from":"s3://staging/foreign/","env":"env-b"},
			{"from":"cos://`+kit.CosBucket+`/b/","env":"env-b","appId":"wxb","appSecret":"file:`+secret+`","path":"cos/{name}"}]`)
	var sources []string
	cases := []struct{ source, env, path, reason, code string }{
		{source: "s3://staging/a/1.txt", env: "env-a", path: "all/a/1.txt"},
		{source: "s3://staging/a/special/2.txt", env: "env-a", path: "2/2.txt"},
		{source: "s3://staging/b/x/3.txt", env: "env-b", path: "all/b/x/3.txt"},
		{source: "s3://staging/c/sub/红.x.txt", env: "env-c"},
		{source: "s3://staging/root.txt", env: "env-a", path: "root.txt"},
		{source: "s3://staging/slash//4.txt", code: "InvalidPath"},
		{source: "s3://staging/empty/txt.bin", env: "env-a", path: ".bin"},
		{source: "s3://staging/empty/.bin", code: "InvalidPath"},
		{source: "s3://staging/foreign/5.txt", code: "-501005"},
		{source: "s3://staging/elsewhere/6.txt", reason: "no-route"},
		{source: "s3://staging/a/7.png", reason: "excluded"},
		{source: "s3://staging/a/tmp/8.txt", reason: "excluded"},
		{source: "s3://staging/a/no9.txt", reason: "excluded"},
		{source: "s3://staging/a/no10.txt", env: "env-a", path: "all/a/no10.txt"},
		{source: "cos://" + kit.CosBucket + "/b/11.txt?region=ap-shanghai", env: "env-b", path: "cos/11.txt"},
	}
	for _, tc := range cases {
		sources = append(sources, tc.source)
		key, _, _ := strings.Cut(strings.SplitN(tc.source, "/", 4)[3], "?")
		kit.Put(t, w, key, tc.source)
	}
	files := f.deliver(plain(sources...))
	for i, tc := range cases {
		e := files[i]
		switch {
		case tc.env == "":
			matches(t, e, ending{reason: tc.reason, code: tc.code})
		case tc.path != "" && e.Path != tc.path:
			t.Errorf("%s went to %s, not %s: %s", e.Source, e.Path, tc.path, e.Error.Message)
		default:
			kit.Delivered(t, w.Cloud, tc.env, e, tc.source)
		}
	}
	// The date is the event's.
	tokens := w.Cloud.Requests()[tcb.OpStableToken]
	e := f.one(s3Event("c/sub/红.x.txt"))
	kit.Delivered(t, w.Cloud, "env-c", e, "s3://staging/c/sub/红.x.txt")
	if e.Path != "2026/11/22/staging/c/sub/红.x-x.txt" {
		t.Errorf("the path is %s", e.Path)
	}
	if n := w.Cloud.Requests()[tcb.OpStableToken]; n != tokens {
		t.Errorf("%d further access tokens were fetched", n-tokens)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// noApp takes the app's credentials away and gives another token source.
func noApp(name, value string) []string {
	return []string{"WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "", name, value}
}

func TestFixedToken(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	f := lambda(t, w, noApp("WECHAT_ACCESS_TOKEN", w.Cloud.AccessToken(devstack.AppID))...)
	kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), "content")
	w.Cloud.Inject(tcb.FaultNamed("ticket token revoked 40001"))
	e := f.one(s3Event(good))
	matches(t, e, ending{code: "40001"}) // a person has to replace it
	if !strings.Contains(e.Error.Message, "WECHAT_ACCESS_TOKEN") {
		t.Errorf("the message is %q", e.Error.Message)
	}
	if n := w.Cloud.Requests()[tcb.OpStableToken]; n > 0 {
		t.Errorf("%d tokens were fetched", n)
	}
}

// Token files are read anew for each use.
func TestTokenFiles(t *testing.T) {
	t.Parallel()
	for name, issue := range map[string]func(*tcb.Cloud) string{
		"WECHAT_ACCESS_TOKEN":         func(c *tcb.Cloud) string { return c.AccessToken(devstack.AppID) },
		"WECHAT_CLOUDBASE_TOKEN_FILE": func(c *tcb.Cloud) string { return c.CloudBaseToken(devstack.AppID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			kit.Put(t, w, good, "content")
			path := writeFile(t, "token-that-is-unknown")
			value := path
			if name == "WECHAT_ACCESS_TOKEN" {
				value = "file:" + path
			}
			f := lambda(t, w, noApp(name, value)...)
			f.secrets = append(f.secrets, "token-that-is-unknown")
			if e := f.one(s3Event(good)); e.Status != "failed" || e.Error.Retryable || !strings.Contains(e.Error.Message, name) {
				t.Errorf("with a wrong token: %+v", e)
			}
			if err := os.WriteFile(path, []byte("\n "+issue(w.Cloud)+" \n"), 0o600); err != nil {
				t.Fatal(err)
			}
			kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), "content")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if e := f.one(s3Event(good)); e.Status != "failed" || !strings.Contains(e.Error.Message, name) {
				t.Errorf("without the file: %+v", e)
			}
		})
	}
}

// A token server is asked once, and past its cache when WeChat refuses the token.
func TestTokenServer(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	var ordinary, fresh atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token := "token-from-a-stale-cache"
		if r.Header.Get("Cache-Control") == "no-cache" {
			fresh.Add(1)
			token = w.Cloud.AccessToken(devstack.AppID)
		} else {
			ordinary.Add(1)
		}
		if r.URL.Query().Get("key") != "key-of-the-token-server" {
			http.Error(rw, "who are you?", http.StatusForbidden)
			return
		}
		rw.Write(document(object{"access_token": token, "expires_in": 7200}))
	}))
	defer server.Close()
	f := lambda(t, w, noApp("WECHAT_TOKEN_URL", server.URL+"/token?key=key-of-the-token-server")...)
	f.secrets = append(f.secrets, "key-of-the-token-server", "token-from-a-stale-cache")
	for i := range 2 {
		before := ordinary.Load() + fresh.Load()
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), "content")
		if asked := ordinary.Load() + fresh.Load() - before; fresh.Load() == 0 || i > 0 && asked > 0 {
			t.Errorf("asked %d times, and %d times without cache", ordinary.Load(), fresh.Load())
		}
	}
	wrong := lambda(t, w, noApp("WECHAT_TOKEN_URL", server.URL+"/token?key=another-secret-key")...)
	wrong.secrets = append(wrong.secrets, "another-secret-key")
	wrong.hurry(func(limit time.Duration) bool {
		e := kit.Entries(t, wrong.invoke(s3Event(good), limit))[0]
		return e.Status == "failed" && strings.Contains(e.Error.Message, "WECHAT_TOKEN_URL")
	})
}

// The next host of the API is tried when one cannot be reached.
func TestAPIFailover(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	closed := httptest.NewServer(nil)
	closed.Close()
	noHost := strings.Repeat("x", 64) + ".invalid" // no resolver is asked about a name with such a long label
	f := lambda(t, w, "WECHAT_API_URL", closed.URL+", http://"+noHost+","+w.APIURL)
	kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), "content")
}

// A bucket alone in a route is the whole bucket.
func TestRouteOfAWholeBucket(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		e := b.start(t, w, "ROUTES", `[{"from":"`+b.name+`://`+b.in+`","path":"whole/{name}"}]`).one(b.event(good))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		if !strings.HasPrefix(e.Path, "whole/") {
			t.Errorf("it went to %s", e.Path)
		}
	})
}

// The emulator's tickets lead to a loopback address, which TICKET_HOSTS may leave out.
func TestTicketHosts(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	e := lambda(t, w, "TICKET_HOSTS", "files.example.com").one(s3Event(good))
	matches(t, e, ending{code: "Denied"})
	if n := w.Cloud.Requests()[tcb.OpUpload]; n != 0 || !strings.Contains(e.Error.Message, "TICKET_HOSTS") {
		t.Errorf("%d uploads; the message is %q", n, e.Error.Message)
	}
	kit.Delivered(t, w.Cloud, devstack.Env, lambda(t, w, "TICKET_HOSTS", "files.example.com,127.0.0.1").one(s3Event(good)), "content")
}
