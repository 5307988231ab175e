package blackbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"net"
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

const (
	origin = "https://app.example"

	anyKey  = "KEY-that-may-write-anywhere"
	teamKey = "KEY-that-may-write-under-team"
	// signature stands for what makes a pre-signed URL work.
	signature = "SIGNATURE-of-a-signed-url"
)

// largeOnTheWeb is a file of the https server: with a strong ETag and ranges at one path,
// without an ETag at another.
var largeOnTheWeb = body(1, 9)

// An httpWorld is the outside world of an HTTP function. Besides the staging buckets
// and the cloud it has an https server that sources may name.
type httpWorld struct {
	*devstack.World
	site string       // host and port of the https server
	hits atomic.Int64 // requests to it
	ca   string       // file with its certificate
}

// newWorld starts a world that ends with the test. Its files are in/a b%2B+红.txt
// in both buckets and on the https server.
func newHTTPWorld(t testing.TB) *httpWorld {
	t.Helper()
	w := &httpWorld{World: kit.NewWorld(t)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of TLS clients that refuse it
	server.StartTLS()
	t.Cleanup(server.Close)
	w.site = server.Listener.Addr().String()
	w.ca = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(w.ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{devstack.Bucket, kit.CosBucket} {
		for key, body := range map[string]string{stagedKey: "from " + bucket, "other/secret.txt": "outside of HTTP_SOURCES"} {
			if err := w.Staging.Put(bucket, key, "text/plain", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

const stagedKey = "in/a b%2B+红.txt"

// serve is the https server: files under /in/, and redirects.
func (w *httpWorld) serve(rw http.ResponseWriter, r *http.Request) {
	w.hits.Add(1)
	switch path := r.URL.Path; {
	case path == "/in/none":
		http.NotFound(rw, r)
	case path == "/in/chunked":
		rw.(http.Flusher).Flush()
		io.WriteString(rw, "of unknown length")
	case path == "/in/loop":
		http.Redirect(rw, r, "/in/loop", http.StatusTemporaryRedirect)
	case path == "/in/to":
		rw.Header().Set("Location", r.URL.Query().Get("url"))
		rw.WriteHeader(http.StatusFound)
	case path == "/in/large", path == "/in/large-without-ranges":
		if path == "/in/large" {
			rw.Header().Set("ETag", `"large"`)
		}
		http.ServeContent(rw, r, "large.mp4", time.Time{}, strings.NewReader(largeOnTheWeb))
	case strings.HasPrefix(path, "/in/"):
		rw.Header().Set("Content-Type", "text/css")
		io.WriteString(rw, "from the web")
	default:
		io.WriteString(rw, "outside of HTTP_SOURCES")
	}
}

// port is the https server's.
func (w *httpWorld) port() string {
	_, port, _ := net.SplitHostPort(w.site)
	return port
}

// vars is the environment of an HTTP function with two keys.
func (w *httpWorld) vars(more ...string) map[string]string {
	return devstack.With(devstack.With(w.Vars(),
		"LOG_LEVEL", "debug",
		"SSL_CERT_FILE", w.ca,
		"HTTP_KEYS", "any:"+hash(anyKey)+", team:"+strings.ToUpper(hash(teamKey))+":team/a/",
		"HTTP_CORS_ORIGINS", origin,
		"HTTP_SOURCES", "s3://"+devstack.Bucket+"/in/, cos://"+kit.CosBucket+"/in/, https://"+w.site+"/in/, https://localhost:"+w.port()+"/in/",
	), more...)
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// touched is how many requests the function sent to any other party.
func (w *httpWorld) touched() int64 {
	n := w.hits.Load() + int64(w.Staging.Count(http.MethodGet)+w.Staging.Count(http.MethodHead))
	for _, requests := range w.Cloud.Requests() {
		n += requests
	}
	return n
}

// stored fails the test unless the destination holds exactly this.
func (w *httpWorld) stored(t testing.TB, path, data, contentType string) tcb.Object {
	t.Helper()
	o := kit.Stored(t, w.Cloud, devstack.Env, path, data)
	if o.ContentType != contentType {
		t.Errorf("%q is stored as %q, not %q", path, o.ContentType, contentType)
	}
	return o
}
