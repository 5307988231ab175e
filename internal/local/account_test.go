package local

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// A user's own credentials, environments and receivers are known to the emulators, so
// that the settings of a real installation work here.
func TestOwnSettings(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token-of-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		vars      map[string]string
		env, path string // "" are the emulators' own
	}{
		"app":         {map[string]string{"CLOUDBASE_ENV": "mine-1", "WECHAT_APP_ID": "wx9", "WECHAT_APP_SECRET": "ssm:/wx9", "CLOUDBASE_PATH": "a/{name}"}, "mine-1", "a/a.txt"},
		"API key":     {map[string]string{"CLOUDBASE_ENV": "mine-1", "CLOUDBASE_API_KEY": "key-of-mine", "RECEIPTS": "db:mine,function:tell"}, "mine-1", ""},
		"token":       {map[string]string{"WECHAT_ACCESS_TOKEN": "token-of-mine"}, "", ""},
		"token file":  {map[string]string{"WECHAT_ACCESS_TOKEN": "file:" + token}, "", ""},
		"cloud token": {map[string]string{"WECHAT_CLOUDBASE_TOKEN_FILE": token}, "", ""},
		"routes": {map[string]string{"ROUTES": `[{"from":"s3://staging/in/","env":"other-1","path":"r/{name}","appId":"wx8","appSecret":"secretsmanager:x#y"}]`,
			"RECEIPTS": "https://example.com/hook", "RECEIPT_SECRET": "ssm:/receipts"}, "other-1", "r/a.txt"},
		"keys of COS": {map[string]string{"TENCENTCLOUD_SECRETID": "AKIDmine", "TENCENTCLOUD_SECRETKEY": "k", "TENCENTCLOUD_SESSIONTOKEN": "t", "MULTIPART_THRESHOLD": "1MiB"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := ReadSettings(func(name string) string { return c.vars[name] }, "")
			if err != nil {
				t.Fatal(err)
			}
			set.built = built(t, "lambda-objects").built
			w, err := newStack(newScreen(new(bytes.Buffer)), set, "127.0.0.1:0", devstack.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			if err := w.Staging.Put(devstack.Bucket, "in/a.txt", "text/plain", make([]byte, 2<<20)); err != nil {
				t.Fatal(err)
			}
			event, err := w.Staging.Notification(devstack.Bucket, "in/a.txt")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.build(t.Context(), "lambda-objects"); err != nil {
				t.Fatal(err)
			}
			w.objects = w.objectsLambda()
			result, err := w.objects.Invoke(t.Context(), event, limit)
			if err != nil || !strings.Contains(string(result.Payload), `"status":"delivered"`) {
				t.Fatalf("%v %s %s", err, result.Payload, result.ErrorMessage)
			}
			env, path := c.env, c.path
			if env == "" {
				env = devstack.Env
			}
			if path == "" {
				path = "in/a.txt"
			}
			if _, ok := w.Cloud.Object(env, path); !ok {
				t.Errorf("%s is not in %s: %s", path, env, result.Payload)
			}
			if n, refused := w.Webhook.Requests(); len(refused) > 0 || (n > 0) != strings.Contains(c.vars["RECEIPTS"], "https:") {
				t.Errorf("the webhook got %d requests, refused %v", n, refused)
			}
		})
	}
}
