//go:build integration

// Package integration runs the built lambda-objects against servers that others
// wrote: moto_server for S3 with its notifications, SQS, SNS, EventBridge, SSM
// and Secrets Manager, and versitygw for S3 with versions and checksums. WeChat
// and COS are devstack's. A server that cannot be installed is reported as skipped,
// by name: `make integration` prints a table of what ran.
package integration

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

var functions kit.Functions

func TestMain(m *testing.M) {
	code := functions.Run(m)
	if err := report.print(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
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
