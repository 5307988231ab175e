package local

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// asMain makes the test binary the command itself.
const asMain = "TCBFERRY_TEST_AS_LOCAL"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
	}
	code := m.Run()
	os.RemoveAll(builds.dir)
	os.Exit(code)
}

// process is the command in a process of its own, with these variables and no others.
func process(t *testing.T, vars map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{asMain + "=1"}
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// run runs the command with these variables and no others. What reads a bucket is a
// process of its own, because its credentials are the variables of the process.
func run(t *testing.T, vars map[string]string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs strings.Builder
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "://") }) {
		status = Main(args, &out, &errs, func(name string) string { return vars[name] })
		return out.String(), errs.String(), status
	}
	cmd := process(t, vars, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// -doctor: its environment, its exit status, what goes where.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	cloud := tcb.New(tcb.DefaultRules(), tcb.App{ID: "wx1", Secret: "emulated-app-secret-1", Envs: []string{"prod-1"}})
	t.Cleanup(cloud.Close)
	server := httptest.NewServer(cloud.Handler())
	t.Cleanup(server.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("emulated-app-secret-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"CLOUDBASE_ENV": "prod-1", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "file:" + secret, "WECHAT_API_URL": server.URL}
	stdout, stderr, status := run(t, vars, "-doctor")
	if status != 0 || stderr != "" || strings.Count(stdout, "✓ ") != 7 || strings.Contains(stdout, "✗") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit status %d, stderr %q\n%s", status, stderr, stdout)
	}
	vars["CLOUDBASE_ENV"] = "elsewhere"
	stdout, stderr, status = run(t, vars, "-doctor")
	if status != 1 || stderr != "local: 1 of 4 steps failed\n" || !strings.Contains(stdout, "-501005") {
		t.Errorf("exit status %d, stderr %q\n%s", status, stderr, stdout)
	}
}

// Flags that mean nothing by themselves are refused, and so are words that no flag takes.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-probe"}, {"-doctor", "-slow"}, {"s3://bucket/key"}, {"-doctor", "s3://bucket/a", "s3://bucket/b"}, {"-doctor", "-demo"}, {"-demo", "-env", os.DevNull}} {
		if stdout, stderr, status := run(t, nil, args...); status == 0 || stdout != "" || !strings.HasPrefix(stderr, "local: usage: local ") {
			t.Errorf("%v: exit status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
}

// A file of settings is for the emulated functions. Where it would be read for nothing it is
// refused, and the message says what to do instead.
func TestSettingsForNothing(t *testing.T) {
	t.Parallel()
	for status, args := range map[int][]string{1: {"-doctor"}, 2: {"-check", "s3://staging/in/"}} {
		stdout, stderr, got := run(t, nil, append(args, "-env", "prod.env")...)
		if got != status || stdout != "" || !strings.Contains(stderr, "set -a") || !strings.Contains(stderr, "prod.env") {
			t.Errorf("%v: exit status %d, stdout %q, stderr %q", args, got, stdout, stderr)
		}
	}
}

// What is wrong with an address is said, and how to write one.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for addr, says := range map[string]string{
		"127.0.0.1":    "-addr 127.0.0.1 cannot be used: address 127.0.0.1: missing port in address",
		"0.0.0.0:9444": "-addr 0.0.0.0:9444 cannot be used: 0.0.0.0 is not a loopback address",
	} {
		if _, stderr, status := run(t, nil, "-http", "127.0.0.1:0", "-addr", addr); status != 1 || !strings.Contains(stderr, says) || strings.Count(stderr, "127.0.0.1:PORT") != 1 {
			t.Errorf("%s: exit status %d, stderr %q", addr, status, stderr)
		}
	}
}

// A function that was built beside the command is not compiled again, and the command
// runs anywhere then.
func TestBuiltBeside(t *testing.T) {
	t.Parallel()
	sample, err := filepath.Abs("../../events/lambda-plain-request.json")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self(t, "lambda-objects"), "-event", sample, "-quiet")
	cmd.Env, cmd.Dir = []string{asMain + "=1", "PATH="}, t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "compiling") || strings.Count(string(out), `"delivered"`) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
