package docs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// The examples of docs/ticket-uploads.md upload a file, with a ticket of either kind. The
// browser suite runs the page.
func TestTicketExamples(t *testing.T) {
	t.Parallel()
	const to, kind = "in/film 红 a+b;%2B(1).mp4", "video/mp4"
	// Above the 8 KiB in which COS looks for the fields.
	content := strings.Repeat("one line of a film\r\n--", 1000)
	file := filepath.Join(t.TempDir(), "a, b; 红.mp4")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curl", "mini program", "node", "python", "go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := example(t, name)
			for method, vars := range map[string]func(*devstack.World) map[string]string{"POST": (*devstack.World).Vars, "PUT": (*devstack.World).KeyVars} {
				w := kit.NewWorld(t)
				server, log := serveHTTP(t, vars(w))
				said := execute(t, []string{"URL=" + server.URL, "KEY=" + ticketKey, "FILE=" + file, "TO=" + to, "TYPE=" + kind}, command...)
				server.Close() // the log is whole
				o := kit.Stored(t, w.Cloud, devstack.Env, to, content)
				if o.ContentType != kind || said != o.FileID+"\n" {
					t.Errorf("%s: stored as %q; the example says %q", method, o.ContentType, said)
				}
				kit.NoSecrets(t, log.String(), vars(w), append(w.Cloud.Secrets(), ticketKey))
			}
		})
	}
}

const ticketKey = "KEY-of-the-examples"

// serveHTTP serves the HTTP function in this process.
func serveHTTP(t *testing.T, vars map[string]string) (*httptest.Server, *bytes.Buffer) {
	t.Helper()
	sum := sha256.Sum256([]byte(ticketKey))
	vars = devstack.With(vars, "HTTP_KEYS", "me:"+hex.EncodeToString(sum[:])+":in/")
	log := new(bytes.Buffer)
	handler, err := app.HTTP(t.Context(), app.SCF, func(name string) string { return vars[name] }, log)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, log
}

// example returns the command that runs an example of the page; the test is skipped where
// a tool that it needs is not there.
func example(t *testing.T, name string) []string {
	t.Helper()
	code := kit.Example(t, "../../../docs/ticket-uploads.md", name)
	file, tools := "example.mjs", []string{"node"}
	switch name {
	case "curl":
		file, tools = "example.sh", []string{"sh", "jq", "curl"}
	case "python":
		file, tools = "example.py", []string{"python3"}
	case "go":
		file, tools = "example.go", []string{"go"}
	case "mini program":
		code = read(t, "testdata/miniprogram.mjs") + code
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there, so the example cannot be run", tool)
		}
	}
	file = filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if name == "go" {
		program := strings.TrimSuffix(file, ".go")
		execute(t, nil, "go", "build", "-o", program, file)
		return []string{program}
	}
	return []string{tools[0], file}
}

// execute runs a command and returns what it says. It may not complain.
func execute(t *testing.T, env []string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("%v: %v\n%s%s", command, err, said.String(), complaints.String())
	}
	return said.String()
}
