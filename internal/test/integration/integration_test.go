//go:build integration

// Package integration runs the built lambda-objects against servers that others
// wrote: moto_server for S3 with its notifications, SQS, SNS, EventBridge, SSM
// and Secrets Manager, and versitygw for S3 with versions and checksums. WeChat
// and COS are devstack's. A server that is not to be had is reported as skipped,
// by name: `make integration` prints a table of what ran.
package integration

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// function is the built binary.
var function string

func TestMain(m *testing.M) {
	// What the machine has for itself is not for servers on loopback.
	for _, name := range []string{"AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		os.Unsetenv(name)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "tcbferry-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if function, err = devstack.Build(context.Background(), dir, "lambda-objects"); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, report.print()
}

// A row of the report is a test, or a server that is not there.
type row struct {
	server, test, result, why string
	took                      time.Duration
}

type rows []row

var report rows

func (rs rows) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.result, r.server, r.test, cmp.Or(r.why, r.took.Round(10*time.Millisecond).String()))
	}
	return w.Flush()
}

// step runs one test against a server and puts it into the report.
func step(t *testing.T, server, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		start := time.Now()
		t.Cleanup(func() { // also after a Fatal
			result := "ran"
			if t.Failed() {
				result = "FAILED"
			}
			report = append(report, row{server: server, test: name, result: result, took: time.Since(start)})
		})
		f(t)
	})
}

// skip ends a test whose server is not to be had.
func skip(t *testing.T, server string, err error) {
	t.Helper()
	why, _, _ := strings.Cut(err.Error(), "\n")
	report = append(report, row{server: server, test: "-", result: "skipped", why: why})
	t.Skipf("%s: %v", server, err)
}
