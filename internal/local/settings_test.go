package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/config"
)

// notHanded are variables of the configuration that stay on this side.
var notHanded = []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "COS_ENDPOINT_URL", // where the emulators are
	"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}

// Every variable that the functions read is handed to them, or is known not to be.
func TestVariables(t *testing.T) {
	read := map[string]bool{}
	for _, load := range []func(func(string) string) (config.Config, error){config.Load, config.LoadHTTP} {
		for _, routes := range []string{"", `[{"from":"s3://b/"}]`} {
			load(func(name string) string {
				read[name] = true
				if name == "ROUTES" {
					return routes
				}
				return ""
			})
		}
	}
	for name := range read {
		if !slices.Contains(variables, name) && !slices.Contains(notHanded, name) {
			t.Errorf("%s is not handed to the functions", name)
		}
	}
	for _, name := range variables {
		if !read[name] && !strings.HasPrefix(name, "TENCENTCLOUD_") && name != "AWS_REGION" {
			t.Errorf("%s is no variable of the configuration", name)
		}
	}
}

func TestReadSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.env")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a comment\nexport CLOUDBASE_PATH='x/{key}'\n\nROUTES=\"[]\"\nLOG_LEVEL=debug\nINCLUDE=\nTENCENT_SECRET_ID=abc\n" +
		"WECHAT_APP_SECRET=secretsmanager:wx#secret\nWECHAT_API_URL=https://api.weixin.qq.com\nCLOUDBASE_API_URL=http://127.0.0.1:9/{env}\n")
	environment := map[string]string{"LOG_LEVEL": "warn", "EXCLUDE": "*.tmp", "INCLUDE": "*.png", "AWS_PROFILE": "mine", "COS_UPLOAD_URL": "https://{bucket}.cos.{region}.myqcloud.com"}
	s, err := ReadSettings(func(name string) string { return environment[name] }, file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"CLOUDBASE_PATH": "x/{key}", "ROUTES": "[]", "LOG_LEVEL": "debug", "EXCLUDE": "*.tmp",
		"WECHAT_APP_SECRET": "emulated-app-secret", "CLOUDBASE_API_URL": "http://127.0.0.1:9/{env}"}
	if len(s.Vars) != len(want) {
		t.Errorf("the variables are %v", s.Vars)
	}
	for name, value := range want {
		if s.Vars[name] != value {
			t.Errorf("%s is %q, not %q", name, s.Vars[name], value)
		}
	}
	notes := strings.Join(s.Notes, "\n")
	for _, name := range []string{"TENCENT_SECRET_ID", "WECHAT_APP_SECRET", "WECHAT_API_URL", "COS_UPLOAD_URL"} {
		if !strings.Contains(notes, name+" ") {
			t.Errorf("nothing is said of %s: %s", name, notes)
		}
	}
	write("CLOUDBASE_PATH\n")
	if _, err := ReadSettings(os.Getenv, file); err == nil || !strings.Contains(err.Error(), "line 1: write NAME=VALUE") {
		t.Errorf("a line without =: %v", err)
	}
	if _, err := ReadSettings(os.Getenv, file+"x"); err == nil || !strings.Contains(err.Error(), "-env") {
		t.Errorf("no such file: %v", err)
	}
}

// Receivers on other machines are replaced, the rest stays.
func TestWebhooks(t *testing.T) {
	const hook = "http://127.0.0.1:1/hook"
	got, any := webhooks("db:files, https://example.com/a?key=1,http://127.0.0.1:7/x,https://example.com/b", hook)
	if want := "db:files," + hook + "?receiver=2,http://127.0.0.1:7/x," + hook + "?receiver=4"; strings.ReplaceAll(got, " ", "") != want || !any {
		t.Errorf("%s %v", got, any)
	}
}
