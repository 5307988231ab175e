// Command pack builds the functions and packs them into the zips that Lambda and SCF
// take. The same source, version and toolchain give the same bytes on every machine. It
// prints all sizes and fails if one is over its limit.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An artifact is one function for one platform: DIR/NAME.zip, and what is in it
// also as files in DIR/NAME, which is what Tencent's CLI uploads.
type artifact struct {
	name     string // of the zip and the directory
	function string // the package under functions/
	arch     string // GOARCH; GOOS is linux
	tags     string
	binary   string // the name that the platform starts
	scripts  []entry
	limits   limits
}

// limits bound the sizes of the binary and the zip in bytes.
type limits struct{ binary, zip int64 }

// Lambda reads the whole binary at a cold start; 14 MB is the project's promise.
// SCF's Go1 runtime speaks net/rpc, which keeps the linker from dropping methods.
var (
	lambda     = limits{14_000_000, 6_000_000}
	scfObjects = limits{23_000_000, 8_000_000}
	scfHTTP    = limits{15_000_000, 6_000_000}
)

// bootstrap is how SCF starts a web function: bash, LF line ends, mode 0755.
var bootstrap = entry{"scf_bootstrap", []byte("#!/bin/bash\nexec ./scf-http\n")}

var artifacts = []artifact{
	{"lambda-objects-arm64", "lambda-objects", "arm64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-objects-amd64", "lambda-objects", "amd64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-http-arm64", "lambda-http", "arm64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-http-amd64", "lambda-http", "amd64", "lambda.norpc", "bootstrap", nil, lambda},
	{"scf-objects", "scf-objects", "amd64", "", "main", nil, scfObjects},
	{"scf-http", "scf-http", "amd64", "", "scf-http", []entry{bootstrap}, scfHTTP},
}

func main() {
	out := flag.String("out", "dist", "directory for the zips")
	version := flag.String("version", "", "version to stamp into the binaries (default: what git describe says)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/tools/pack [-out dist] [-version v1.2.3]")
		os.Exit(2)
	}
	if *version == "" {
		*version = describe()
	}
	if err := run(*out, *version, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// versionVariable is what the linker sets to the version.
const versionVariable = "github.com/tcbferry/tcbferry/internal/app.Version"

// describe names the commit that is checked out, "unknown" outside a git checkout.
func describe() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// run packs all artifacts into dir and prints a line for each. It packs and prints
// everything before it fails because of an exceeded limit.
func run(dir, version string, out io.Writer) error {
	const row = "%-24s  %10s  %10s  %10s  %10s%s\n"
	fmt.Fprintf(out, "version %s\n", version)
	fmt.Fprintf(out, row, "in "+dir, "binary", "limit", "zip", "limit", "")
	exceeded := 0
	for _, a := range artifacts {
		s, err := a.pack(dir, version)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		note := ""
		if s.exceeds(a.limits) {
			exceeded++
			note = "  too large"
		}
		fmt.Fprintf(out, row, a.name+".zip", mb(s.binary), mb(a.limits.binary), mb(s.zip), mb(a.limits.zip), note)
	}
	if exceeded > 0 {
		return fmt.Errorf("%d of %d are over their limit; find out what came in with `go version -m` and `go tool nm -size`, or raise the limit with a reason", exceeded, len(artifacts))
	}
	return nil
}

func (l limits) exceeds(max limits) bool { return l.binary > max.binary || l.zip > max.zip }

func mb(n int64) string { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }

// pack builds the function and writes its directory and its zip.
func (a artifact) pack(dir, version string) (limits, error) {
	files := filepath.Join(dir, a.name)
	if err := os.RemoveAll(files); err != nil {
		return limits{}, err
	}
	if err := os.MkdirAll(files, 0o755); err != nil {
		return limits{}, err
	}
	binary, err := a.build(filepath.Join(files, a.binary), version)
	if err != nil {
		return limits{}, err
	}
	all := append([]entry{{a.binary, binary}}, a.scripts...)
	for _, s := range a.scripts {
		if err := os.WriteFile(filepath.Join(files, s.name), s.data, 0o755); err != nil {
			return limits{}, err
		}
	}
	zip, err := archive(all)
	if err != nil {
		return limits{}, err
	}
	return limits{int64(len(binary)), int64(len(zip))}, os.WriteFile(filepath.Join(dir, a.name+".zip"), zip, 0o644)
}

// build compiles the function into path and returns what it wrote. Nothing of the
// machine goes in: no path, no build ID, no CPU level, and of version control only the
// version.
func (a artifact) build(path, version string) ([]byte, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags="+a.tags, "-ldflags=-s -w -buildid= -X "+versionVariable+"="+version,
		"-o", abs, "github.com/tcbferry/tcbferry/functions/"+a.function)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+a.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.ReadFile(abs)
}
