//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const gatewayModule, gatewayVersion = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"

// A gateway is a running versitygw: S3 with versions and checksums, on files.
type gateway struct {
	url    string
	events chan []byte // what its webhook sent
}

func TestVersitygw(t *testing.T) {
	server := "versitygw " + gatewayVersion
	path, err := installGateway(t.Context())
	if err != nil {
		skip(t, server, err)
	}
	g := &gateway{events: make(chan []byte, 1000)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("an event breaks off: %v", err)
		}
		g.events <- event
	}))
	t.Cleanup(hook.Close)
	addr := "127.0.0.1:" + kit.FreePort(t)
	g.url = "http://" + addr
	if err := serve(t, g.url, path, "--port", addr, "--access", accessKey, "--secret", secretKey, "--region", region,
		"--quiet", "--keep-alive", "--event-webhook-url", hook.URL, "posix", "--versioning-dir", t.TempDir(), t.TempDir()); err != nil {
		skip(t, server, err)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *gateway)
	}{
		{"webhook events", testWebhook},
		{"verified by what the ETag is", testVerified},
		{"a late event delivers the newest version", testVersions},
		{"overwritten while it is delivered", testOverwritten},
		{"a broken download goes on with If-Match", testResumed},
		{"overwritten while it is read", testReplaced},
		{"ON_DELIVERED=delete", testGatewayDelete},
		{"ON_DELIVERED=delete, overwritten just before", testDeleteReplaced},
	} {
		step(t, server, test.name, func(t *testing.T) { test.run(t, g) })
	}
}

// installGateway builds versitygw into the project's cache, once.
func installGateway(ctx context.Context) (path string, err error) {
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", ".cache", "versitygw-"+gatewayVersion))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Printf("building versitygw %s, once; this takes a minute or more\n", gatewayVersion)
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", gatewayModule+"@"+gatewayVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", errors.New("it cannot be built within 8 minutes")
	case err != nil:
		text := strings.TrimSpace(string(out))
		return "", fmt.Errorf("it cannot be built: %s", strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]))
	}
	return path, nil
}

// event waits for the next event that holds mark, and throws away those before.
func (g *gateway) event(t *testing.T, mark string) []byte {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case event := <-g.events:
			if bytes.Contains(event, []byte(mark)) {
				return event
			}
		case <-limit:
			t.Fatalf("no event with %s comes", mark)
		}
	}
}
