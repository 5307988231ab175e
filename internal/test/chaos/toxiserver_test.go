package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const toxiproxyVersion = "v2.12.0"

// A toxiproxy is a toxiproxy server with its proxies. Adding a toxic to a stuck
// connection, or removing one, may lock it up or end it: then another process
// takes its place, and the connections break once more.
type toxiproxy struct {
	bin, port string
	server    *exec.Cmd
	client    http.Client
	proxies   []map[string]any
	restarts  int
}

// startToxiproxy builds toxiproxy into the cache, once, and runs it. It skips the
// test where that cannot be done.
func startToxiproxy(t *testing.T) *toxiproxy {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", ".cache", "toxiproxy-"+toxiproxyVersion))
	if err != nil {
		t.Fatal(err)
	}
	p := &toxiproxy{bin: filepath.Join(dir, "server"), port: kit.FreePort(t),
		client: http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	if _, err := os.Stat(p.bin); err != nil {
		install := exec.CommandContext(t.Context(), "go", "install", "github.com/Shopify/toxiproxy/v2/cmd/server@"+toxiproxyVersion)
		install.Dir, install.Env = os.TempDir(), append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: toxiproxy %s cannot be built: %v\n%s", toxiproxyVersion, err, out)
		}
	}
	if err := p.start(); err != nil {
		t.Skipf("SKIPPED: toxiproxy %s does not start: %v", toxiproxyVersion, err)
	}
	t.Cleanup(p.stop)
	return p
}

// start runs the server and gives it its proxies.
func (p *toxiproxy) start() error {
	p.server = exec.Command(p.bin, "-host", "127.0.0.1", "-port", p.port)
	if err := p.server.Start(); err != nil {
		return err
	}
	var err error
	for range 100 {
		if err = p.call("GET", "/version", nil); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, proxy := range p.proxies {
		if err == nil {
			err = p.call("POST", "/proxies", proxy)
		}
	}
	return err
}

func (p *toxiproxy) stop() {
	p.server.Process.Kill()
	p.server.Wait()
}

// call sends a request to toxiproxy's API.
func (p *toxiproxy) call(method, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:"+p.port+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode >= 300 {
		return fmt.Errorf("toxiproxy: %s %s: %d %s %v", method, path, resp.StatusCode, text, err)
	}
	return nil
}

// before puts a proxy in front of a server and returns the proxy's URL.
func (p *toxiproxy) before(t *testing.T, name, upstream string) string {
	t.Helper()
	listen := "127.0.0.1:" + kit.FreePort(t)
	proxy := map[string]any{"name": name, "listen": listen, "upstream": strings.TrimPrefix(upstream, "http://"), "enabled": true}
	if err := p.call("POST", "/proxies", proxy); err != nil {
		t.Fatal(err)
	}
	p.proxies = append(p.proxies, proxy)
	return "http://" + listen
}
