package chaos_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	bucket = devstack.Bucket
	cosRef = "staging-1250000000" // its counterpart on COS
	env    = "demo-1a2b3c"
	region = "ap-shanghai"
	maxApp = 1000
)

// cosKey is in the environment of all tests, because functions read it at each request.
var cosKey = tcb.COSKey{ID: "AKIDemulated", Secret: "emulated-tencent-key"}

// A world is an S3 and a COS bucket, the WeChat API and COS's form endpoint, all
// on loopback, with a fault hook in front of each.
type world struct {
	s3, cos *staging.Server
	cloud   *tcb.Cloud
	vars    map[string]string

	onHead func(key string, w http.ResponseWriter) (answered bool) // before every HEAD of an object; nil: none
	later  atomic.Bool                                             // it is a minute later for the cloud
}

func newWorld(t *testing.T) *world {
	t.Helper()
	apps := make([]tcb.App, maxApp)
	for i := range apps {
		apps[i] = tcb.App{ID: appID(i), Secret: "emulated-app-secret", Envs: []string{env}}
	}
	w := &world{s3: staging.New(bucket), cos: staging.New(cosRef), cloud: tcb.New(tcb.DefaultRules(), apps...)}
	w.cos.COS = true
	w.cloud.KeepContent = 0
	w.cloud.ForgetSecrets = true
	w.cloud.AddKey(cosKey)
	w.cloud.Now = func() time.Time {
		if w.later.Load() {
			return time.Now().Add(time.Minute)
		}
		return time.Now()
	}
	s3, cos, api := serve(t, w.headed(w.s3)), serve(t, w.headed(w.cos)), serve(t, w.cloud.Handler())
	w.vars = map[string]string{
		"CLOUDBASE_ENV": env, "WECHAT_APP_SECRET": "emulated-app-secret", "WECHAT_API_URL": api, "COS_UPLOAD_URL": api,
		"AWS_ENDPOINT_URL_S3": s3, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEMULATED", "AWS_SECRET_ACCESS_KEY": "emulated-aws-key",
		"COS_ENDPOINT_URL": cos, "TENCENTCLOUD_SECRETID": cosKey.ID, "TENCENTCLOUD_SECRETKEY": cosKey.Secret,
	}
	t.Cleanup(func() { // before the servers, so that nothing hangs in them
		w.cloud.Close()
		w.s3.Close()
		w.cos.Close()
	})
	return w
}

func serve(t *testing.T, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// headed puts onHead in front of a bucket: a staging.Fault applies to GETs only.
func (w *world) headed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method == http.MethodHead && w.onHead != nil && w.onHead(key, rw) {
			return
		}
		h.ServeHTTP(rw, r)
	})
}

// store is the bucket that a reference names.
func (w *world) store(ref transfer.Ref) *staging.Server {
	if ref.Scheme == transfer.SchemeCOS {
		return w.cos
	}
	return w.s3
}

func appID(n int) string { return fmt.Sprintf("wxchaos%09d", n) }

// function is a new instance of lambda-objects for the nth app, wired as its main
// does it: with its own connections and tokens. more are variables and values.
func (w *world) function(t *testing.T, n int, out io.Writer, more ...string) app.Handler {
	t.Helper()
	return newFunction(t, app.Lambda, devstack.With(w.vars, append([]string{"WECHAT_APP_ID", appID(n)}, more...)...), out)
}

// environment is locked while a function is made: the SDK reads the process's own variables.
var environment sync.Mutex

func newFunction(t *testing.T, host event.Host, vars map[string]string, out io.Writer) app.Handler {
	t.Helper()
	environment.Lock()
	defer environment.Unlock()
	for name, value := range vars {
		if strings.HasPrefix(name, "AWS_") {
			os.Setenv(name, value)
		}
	}
	h, err := app.Events(context.Background(), host, func(name string) string { return vars[name] }, out)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A fileLog collects the log lines of files.
type fileLog struct {
	mu    sync.Mutex
	lines []kit.Line
}

// Write takes one log line, because slog writes each in one piece.
func (l *fileLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, kit.Lines(string(p))...)
	return len(p), nil
}

// take returns the lines so far and forgets them.
func (l *fileLog) take() []kit.Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}
