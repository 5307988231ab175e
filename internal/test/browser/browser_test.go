package browser_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const (
	key  = "KEY-of-the-page"
	size = 12 << 20 // twice what a request may hold
)

var functions kit.Functions

func TestMain(m *testing.M) { os.Exit(functions.Run(m)) }

// The page of docs/ticket-uploads.md, at a listed origin, uploads a file that is too
// large for a request, with a ticket of either kind; the same page elsewhere gets no
// ticket.
func TestPageUploadsByTicket(t *testing.T) {
	t.Parallel()
	tools := need(t)
	for method, vars := range map[string]func(*devstack.World) map[string]string{"POST": (*devstack.World).Vars, "PUT": (*devstack.World).KeyVars} {
		t.Run(method, func(t *testing.T) { uploadsByTicket(t, tools, vars) })
	}
}

func uploadsByTicket(t *testing.T, tools tools, vars func(*devstack.World) map[string]string) {
	w := kit.NewWorld(t)
	page, elsewhere := servePage(t), servePage(t)
	storage := httptest.NewServer(allow(page, w.Cloud.Handler()))
	t.Cleanup(storage.Close)
	w.Cloud.COSOrigin = storage.URL
	function := startFunction(t, vars(w), page)

	file, sum := makeFile(t)
	fragment := "#" + url.Values{"endpoint": {function.URL}, "key": {key}}.Encode()
	refused, said, _ := strings.Cut(tools.upload(t, file, elsewhere+"/"+fragment, page+"/"+fragment), "\n")
	if !strings.HasPrefix(refused, "failed: TypeError") || len(w.Cloud.Objects()) > 1 {
		t.Errorf("a page of another origin says %q", refused)
	}
	o, ok := w.Cloud.Object(devstack.Env, "in/long film 红.mp4")
	switch {
	case !ok || said != "stored: "+o.FileID:
		t.Errorf("the page says %q", said)
	case o.Size != size || o.SHA256 != sum:
		t.Errorf("%d bytes arrived, not the file's %d, or others", o.Size, size)
	case !o.Readable:
		t.Error("the file is stored, but the mini program cannot read it")
	}
	kit.NoSecrets(t, function.Output(), vars(w), append(w.Cloud.Secrets(), key))
	if t.Failed() {
		t.Logf("output of the function:\n%s", function.Output())
	}
}

// servePage serves the page at the root of an origin.
func servePage(t *testing.T) string {
	page := kit.Example(t, "../../../docs/ticket-uploads.md", "page")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// allow lets pages of an origin read the storage's answers. The bucket of a real
// environment has CORS rules of its own, which its owner sets in the console; the
// emulator has none. A form needs no preflight, a PUT does.
func allow(origin string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Methods", "PUT")
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		}
		if r.Method == http.MethodOptions {
			return
		}
		h.ServeHTTP(w, r)
	})
}

// startFunction runs the built scf-http for pages of an origin.
func startFunction(t *testing.T, vars map[string]string, origin string) *platform.Web {
	t.Helper()
	hash := sha256.Sum256([]byte(key))
	vars = devstack.With(vars, "HTTP_KEYS", "page:"+hex.EncodeToString(hash[:])+":in/", "HTTP_CORS_ORIGINS", origin)
	function, err := platform.StartWeb(t.Context(), functions.Path(t, "scf-http"), vars)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(function.Close)
	return function
}

// makeFile writes a file and returns its path and SHA-256.
func makeFile(t *testing.T) (path, sum string) {
	t.Helper()
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(data)
	path = filepath.Join(t.TempDir(), "long film 红.mp4")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(data)
	return path, hex.EncodeToString(hash[:])
}

// upload chooses the file in each page and returns what the pages say, a line each.
func (k tools) upload(t *testing.T, file string, pages ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.node, append([]string{filepath.Join("testdata", "upload.mjs"), k.modules, k.chromium, t.TempDir(), file}, pages...)...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		if failed, ok := err.(*exec.ExitError); ok {
			t.Fatalf("the browser failed: %v\n%s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
