package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The look-up of known vulnerabilities may be skipped for one reason only.
func TestVulncheck(t *testing.T) {
	t.Parallel()
	const fetching = `echo 'govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": `
	for _, tc := range []struct {
		name, program string
		passes, skips bool
	}{
		{"nothing found", `echo "No vulnerabilities found."`, true, false},
		{"a finding", `echo "Vulnerability #1: GO-2026-0001"; exit 3`, false, false},
		{"no such host", fetching + `dial tcp: lookup vuln.go.dev on 10.0.0.1:53: no such host' >&2; exit 1`, true, true},
		{"refused", fetching + `dial tcp 127.0.0.1:443: connect: connection refused' >&2; exit 1`, true, true},
		{"silent", fetching + `net/http: TLS handshake timeout' >&2; exit 1`, true, true},
		{"a stranger's certificate", fetching + `tls: failed to verify certificate: x509: certificate signed by unknown authority' >&2; exit 1`, false, false},
		{"no database there", `echo 'govulncheck: fetching vulnerabilities: HTTP GET returned unexpected status: 404 Not Found' >&2; exit 1`, false, false},
		{"does not compile", `echo 'govulncheck: loading packages: There are errors' >&2; exit 1`, false, false},
		{"a finding that speaks of a network", `echo 'GO-2026-0002: dial tcp leaks'; exit 3`, false, false},
		{"killed", `kill -9 $$`, false, false},
	} {
		program := filepath.Join(t.TempDir(), "govulncheck")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tc.program+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		checkVulnerabilities(t, tc.name, program, tc.passes, tc.skips)
	}
	checkVulnerabilities(t, "no program", filepath.Join(t.TempDir(), "missing"), false, false)
}

func checkVulnerabilities(t *testing.T, name, program string, passes, skips bool) {
	t.Helper()
	cmd := exec.Command("bash", filepath.Join("..", "..", "..", ".ci", "vulncheck"))
	cmd.Env = append(os.Environ(), "GOVULNCHECK="+program)
	out, err := cmd.CombinedOutput()
	if (err == nil) != passes || strings.Contains(string(out), "SKIPPED") != skips {
		t.Errorf("%s: %v, %s", name, err, out)
	}
}
