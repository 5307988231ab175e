package blackbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// SCF authenticates no call, so that anybody who reaches the port can make one.
// With its settings in place the function takes no others from a call: neither
// in place of one that is set nor in addition to them.
func TestSCFTakesNoSettingsFromCalls(t *testing.T) {
	t.Parallel()
	for name, inProcess := range map[string]bool{"the process has the settings": true, "the first call brought them": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			body := kit.Put(t, w, good, "content")
			var asked atomic.Int64
			stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
			defer stranger.Close()
			vars, first := w.Vars(), w.Vars()
			evil := map[string]string{"WECHAT_API_URL": stranger.URL, "COS_ENDPOINT_URL": stranger.URL, "CLOUDBASE_ENV": "stranger", "HTTPS_PROXY": stranger.URL,
				"ROUTES":                `[{"from":"cos://` + kit.CosBucket + `","path":"stranger/{name}"}]`,
				"TENCENTCLOUD_SECRETID": vars["TENCENTCLOUD_SECRETID"], "TENCENTCLOUD_SECRETKEY": vars["TENCENTCLOUD_SECRETKEY"]}
			env := map[string]string(nil)
			if inProcess {
				env, first = vars, evil
			}
			s := newSCF(t, env)
			for _, more := range []map[string]string{first, evil, evil} {
				r, err := s.Invoke(t.Context(), cosEvent(good), limit, more)
				if err != nil {
					t.Fatal(err)
				}
				e := kit.Entries(t, r)[0]
				kit.Delivered(t, w.Cloud, devstack.Env, e, body)
				if e.Path != good {
					t.Errorf("a call's route led to %s", e.Path)
				}
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("the stranger was asked %d times", n)
			}
		})
	}
}

// Without a port there is no start: no caller could know a random port.
func TestSCFNeedsItsPort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, functions.Path(t, "scf-objects"))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "_LAMBDA_SERVER_PORT=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(out), "_LAMBDA_SERVER_PORT") {
		t.Errorf("it ended with %v: %s", err, out)
	}
}
