package app

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A process says once what it is, and invocations say no more than before.
func TestStartLine(t *testing.T) {
	Version = "v1.2.3"
	defer func() { Version = "" }()
	t.Setenv("AWS_CA_BUNDLE", "")
	vars := map[string]string{"CLOUDBASE_ENV": "e", "WECHAT_ACCESS_TOKEN": "TOPSECRET", "HTTP_AUTH": "iam", "ON_DELIVERED": "tag"}
	getenv := func(name string) string { return vars[name] }
	var log bytes.Buffer
	handler, err := Events(t.Context(), SCF, getenv, &log)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Msg, Version, Host, OnDelivered string
		Routes                          int
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Msg != "start" || line.Version != "v1.2.3" || line.Host != "scf" || line.OnDelivered != "tag" || line.Routes != 1 {
		t.Errorf("the log is %s", log.String())
	}
	for range 2 {
		handler(t.Context(), []byte(`{"files":["cos://b-1/in/?region=ap-shanghai"]}`))
	}
	if n := strings.Count(log.String(), `"msg":"start"`); n != 1 || strings.Count(log.String(), "\n") != 5 {
		t.Errorf("%d lines of a start, and not one of a file and one of metrics for each invocation:\n%s", n, log.String())
	}
	log.Reset()
	if _, err := HTTP(t.Context(), SCF, getenv, &log); err != nil || strings.Count(log.String(), `"msg":"start"`) != 1 || strings.Contains(log.String(), "TOPSECRET") {
		t.Errorf("HTTP: %v, the log is %s", err, log.String())
	}
	Version = ""
	if BuiltVersion() == "" {
		t.Error("without a stamp there is no version")
	}
}

// A setting that sends secrets over plain http is named once, at the start.
func TestPlainHTTPIsWarnedOf(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	vars := map[string]string{"CLOUDBASE_ENV": "e", "WECHAT_ACCESS_TOKEN": "x", "WECHAT_API_URL": "http://api.example/PATHKEY"}
	var log bytes.Buffer
	if _, err := Events(t.Context(), SCF, func(name string) string { return vars[name] }, &log); err != nil {
		t.Fatal(err)
	}
	if strings.Count(log.String(), "WECHAT_API_URL holds an http address") != 1 || !strings.Contains(log.String(), `"WARN"`) || strings.Contains(log.String(), "PATHKEY") {
		t.Errorf("the log is %s", log.String())
	}
}

// A key that no request can carry stops the start, wherever it comes from.
func TestBrokenAPIKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("TOP\nSECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, vars := range map[string]map[string]string{
		"CLOUDBASE_API_KEY": {"CLOUDBASE_ENV": "e", "CLOUDBASE_API_KEY": "TOP\nSECRET"},
		"ROUTES":            {"ROUTES": `[{"from":"s3://b","env":"e","apiKey":"file:` + file + `"}]`},
	} {
		_, err := Events(t.Context(), SCF, func(name string) string { return vars[name] }, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), name+" holds an API key with a line break") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
