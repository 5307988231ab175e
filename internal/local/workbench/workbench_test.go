package workbench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/local/workbench"
)

const (
	key    = "the-key-of-this-run"
	secret = "a secret of the user"
)

// A bench is a page over a world of its own, whose HTTP function answers with its name.
type bench struct {
	*workbench.Bench
	world  *devstack.World
	url    string
	client *http.Client
}

func start(t *testing.T) bench {
	t.Helper()
	b := workbench.New()
	t.Cleanup(b.Close)
	world, err := devstack.StartWith("127.0.0.1:0", devstack.Options{AroundS3: b.AroundS3, AroundAPI: b.AroundAPI, Line: b.Line})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	function := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the function: "+r.URL.Path) })
	b.Attach(workbench.Stack{World: world, Bucket: devstack.Bucket, Front: function, Key: key, Own: []string{"ROUTES"},
		Vars: devstack.With(world.Vars(), "ROUTES", `[{"appSecret":"`+secret+`"}]`, "RECEIPT_SECRET", secret, "RECEIPTS", "https://h/x?key="+secret,
			"HTTP_KEYS", secret, "WECHAT_ACCESS_TOKEN", secret, "TENCENTCLOUD_SESSIONTOKEN", secret, "CLOUDBASE_API_KEY", secret)})
	server := httptest.NewServer(b.Handler())
	t.Cleanup(server.Close)
	return bench{b, world, server.URL, server.Client()}
}

// do sends a request as some page, or as no page.
func (b bench) do(t *testing.T, method, path, host, origin string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// Another site can neither read the page under a name of its own nor change anything.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := start(t)
	host := strings.TrimPrefix(b.url, "http://")
	for _, c := range []struct {
		method, path, host, origin string
		want                       int
	}{
		{"GET", "/", "", "", 200},
		{"GET", "/", "localhost:80", "", 200},
		{"GET", "/", "[::1]:80", "", 200},
		{"GET", "/", "evil.example", "", 421},
		{"GET", "/", "127.0.0.1.evil.example", "", 421},
		{"PUT", "/files/x", "evil.example", "", 421},
		{"POST", "/workbench/sample", "", "", 403},
		{"POST", "/workbench/sample", "", "null", 403},
		{"POST", "/workbench/sample", "", "http://evil.example", 403},
		{"POST", "/workbench/sample", "", "http://127.0.0.1:1", 403},
		{"POST", "/workbench/sample", "", "https://" + host, 403},
		{"POST", "/workbench/sample", "", b.url, 200},
		{"GET", "/workbench/sample", "", "", 404},
		{"POST", "/workbench/fault?id=none&on=true", "", b.url, 404},
		{"POST", "/workbench/line?rate=fast", "", b.url, 400},
		{"POST", "/workbench/put?key=", "", b.url, 400},
		{"GET", "/workbench/files/99", "", "", 404},
		{"GET", "/workbench/none", "", "", 404},
	} {
		if status, _, body := b.do(t, c.method, c.path, c.host, c.origin); status != c.want {
			t.Errorf("%s %s, Host %q, Origin %q: %d %s", c.method, c.path, c.host, c.origin, status, body)
		}
	}
	for _, path := range []string{"/files/a%2Fb//c", "/healthz", "/elsewhere"} {
		if status, _, body := b.do(t, "GET", path, "", ""); status != 200 || !strings.HasPrefix(body, "the function: ") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// The page is one document that asks for nothing elsewhere, and its policy lets it not.
func TestPage(t *testing.T) {
	t.Parallel()
	status, header, page := start(t).do(t, "GET", "/", "", "")
	if status != 200 || strings.Contains(page, "/*style*/") || strings.Contains(page, "/*script*/") {
		t.Fatalf("%d, %d bytes", status, len(page))
	}
	policy := header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	for _, bad := range []string{` src=`, `url(`, `@import`, ` style=`, ` onclick=`, `javascript:`, `https://`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	if outside := regexp.MustCompile(`http://[a-z.]+`).FindAllString(page, -1); len(outside) != 3 { // names of namespaces
		t.Errorf("the page names %v", outside)
	}
}

// stateOf is the first document of the stream.
func stateOf(t *testing.T, b bench) string {
	t.Helper()
	resp, err := b.client.Get(b.url + "/workbench/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(line, "data: ")
}

// The settings are shown without their secrets.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := start(t)
	state := stateOf(t, b)
	for _, s := range append(b.world.Cloud.Secrets(), secret, devstack.ReceiptSecret) {
		if strings.Contains(state, s) {
			t.Errorf("the page is told %q", s)
		}
	}
	if !strings.Contains(state, `{"name":"ROUTES","value":"••••••••","own":true}`) || !strings.Contains(state, `"value":"https://h/x"`) {
		t.Errorf("the settings are %s", state)
	}
}

// Each fault leads to a place in the docs that is there. With an API key, as here, no call
// goes to WeChat, so that its two cannot hit a file.
func TestFaultsAreExplained(t *testing.T) {
	t.Parallel()
	var state struct {
		State struct {
			Faults []struct {
				ID, Help string
				Idle     bool
			}
		}
	}
	if err := json.Unmarshal([]byte(stateOf(t, start(t))), &state); err != nil {
		t.Fatal(err)
	}
	if len(state.State.Faults) != 6 {
		t.Errorf("the faults are %v", state.State.Faults)
	}
	for _, f := range state.State.Faults {
		if want := f.ID == "40164" || f.ID == "45009"; f.Idle != want {
			t.Errorf("%s: idle is %v", f.ID, f.Idle)
		}
		_, name, _ := strings.Cut(f.Help, "/blob/main/")
		file, anchor, _ := strings.Cut(name, "#")
		page, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil || anchor != "" && !regexp.MustCompile(`(?im)(id|name)="`+anchor+`"|^#+ .*`+anchor).Match(page) {
			t.Errorf("%s: %s is not there (%v)", f.ID, f.Help, err)
		}
	}
}

// A slow line holds up what a connection brings. A busy machine makes it slower, never
// faster.
func TestLine(t *testing.T) {
	t.Parallel()
	b := start(t)
	if status, _, body := b.do(t, "POST", "/workbench/line?rate=1048576", "", b.url); status != 204 || b.Line.Rate() != 1<<20 {
		t.Fatalf("%d %s", status, body)
	}
	began := time.Now()
	resp, err := b.client.Post(b.world.APIURL+"/tcb/uploadfile", "application/json", strings.NewReader(strings.Repeat(" ", 1<<19)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if took := time.Since(began); took < 250*time.Millisecond { // half a second, less what it may catch up with
		t.Errorf("half a MiB took %v", took)
	}
}
