// Command pack builds the functions and packs them into the zips that Lambda and SCF
// take. With -release it makes everything that a release has: the zips, the program
// local for three systems, the template for CloudFormation, the files for Tencent's CLI,
// a bill of materials and checksums. The same source, version and toolchain give the
// same bytes on every machine. It prints all sizes and fails if one is over its limit.
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

func main() {
	out := flag.String("out", "dist", "directory for the zips")
	version := flag.String("version", "", "version to stamp into the binaries (default: what git describe says)")
	whole := flag.Bool("release", false, "make everything that a release has")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/tools/pack [-out dist] [-version v1.2.3] [-release]")
		os.Exit(2)
	}
	if *version == "" {
		*version = describe()
	}
	p, err := newPacker(*out, *version, os.Stdout)
	if err == nil && *whole {
		err = p.release()
	} else if err == nil {
		err = p.functions()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// describe names the commit that is checked out, "unknown" outside a git checkout.
func describe() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// A packer writes what it makes of the module in root into dir, and lines about it to out.
type packer struct {
	root, dir, version string
	out                io.Writer
}

func newPacker(dir, version string, out io.Writer) (packer, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return packer{}, fmt.Errorf("go env: %w", err)
	}
	dir, err = filepath.Abs(dir)
	return packer{filepath.Dir(string(mod)), dir, version, out}, err
}

// functions packs the functions.
func (p packer) functions() error {
	var some []artifact
	for _, a := range artifacts {
		if a.function != "local" {
			some = append(some, a)
		}
	}
	_, err := p.all(some)
	return err
}

// all packs artifacts and prints a line for each. It packs and prints everything before
// it fails because of an exceeded limit.
func (p packer) all(artifacts []artifact) ([]packed, error) {
	const row = "%-24s  %10s  %10s  %10s  %10s%s\n"
	fmt.Fprintf(p.out, "version %s\n", p.version)
	fmt.Fprintf(p.out, row, "in "+filepath.Base(p.dir), "binary", "limit", "zip", "limit", "")
	var done []packed
	exceeded := 0
	for _, a := range artifacts {
		d, err := p.pack(a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		done = append(done, d)
		note := ""
		if d.sizes.exceeds(a.limits) {
			exceeded++
			note = "  too large"
		}
		fmt.Fprintf(p.out, row, d.name, mb(d.sizes.binary), mb(a.limits.binary), mb(d.sizes.zip), mb(a.limits.zip), note)
	}
	if exceeded > 0 {
		return nil, fmt.Errorf("%d of %d are over their limit; find out what came in with `go version -m` and `go tool nm -size`, or raise the limit with a reason", exceeded, len(artifacts))
	}
	return done, nil
}

func mb(n int64) string { return fmt.Sprintf("%.2f MB", float64(n)/1e6) }
