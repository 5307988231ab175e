package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// An artifact is one program for one platform: DIR/NAME.zip, and what is in it also as
// files in DIR/NAME, which is what Tencent's CLI uploads.
type artifact struct {
	name     string // of the zip and the directory
	function string // the package under functions/
	os, arch string // GOOS and GOARCH
	tags     string
	binary   string // the name that the platform starts
	scripts  []entry
	limits   limits
}

// limits bound the sizes of the binary and the zip in bytes.
type limits struct{ binary, zip int64 }

func (l limits) exceeds(max limits) bool { return l.binary > max.binary || l.zip > max.zip }

// Lambda reads the whole binary at a cold start; 14 MB is the project's promise.
// SCF's Go1 runtime speaks net/rpc, which keeps the linker from dropping methods.
// The limits of local are a guess: what it has today, and a fifth more.
var (
	lambda     = limits{14_000_000, 6_000_000}
	scfObjects = limits{23_000_000, 8_000_000}
	scfHTTP    = limits{15_000_000, 6_000_000}
	local      = limits{20_000_000, 8_000_000}
)

// bootstrap is how SCF starts a web function: bash, LF line ends, mode 0755.
var bootstrap = entry{"scf_bootstrap", 0o755, []byte("#!/bin/bash\nexec ./scf-http\n")}

// artifacts are all of them. packagedTemplate finds those for Lambda by their names.
var artifacts = []artifact{
	{"lambda-objects-arm64", "lambda-objects", "linux", "arm64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-objects-amd64", "lambda-objects", "linux", "amd64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-http-arm64", "lambda-http", "linux", "arm64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-http-amd64", "lambda-http", "linux", "amd64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-check-arm64", "lambda-check", "linux", "arm64", "lambda.norpc", "bootstrap", nil, lambda},
	{"lambda-check-amd64", "lambda-check", "linux", "amd64", "lambda.norpc", "bootstrap", nil, lambda},
	{"scf-objects", "scf-objects", "linux", "amd64", "", "main", nil, scfObjects},
	{"scf-http", "scf-http", "linux", "amd64", "", "scf-http", []entry{bootstrap}, scfHTTP},
	{"local-linux-amd64", "local", "linux", "amd64", "", "local", nil, local},
	{"local-linux-arm64", "local", "linux", "arm64", "", "local", nil, local},
	{"local-darwin-amd64", "local", "darwin", "amd64", "", "local", nil, local},
	{"local-darwin-arm64", "local", "darwin", "arm64", "", "local", nil, local},
	{"local-windows-amd64", "local", "windows", "amd64", "", "local.exe", nil, local},
	{"local-windows-arm64", "local", "windows", "arm64", "", "local.exe", nil, local},
}

// packed is what became of an artifact.
type packed struct {
	name    string // of the zip
	sizes   limits
	sum     [sha256.Size]byte // of the zip
	modules []module          // that are linked into the binary
}

// pack builds the program and writes its directory and its zip. Both have the licences
// of what is linked.
func (p packer) pack(a artifact) (packed, error) {
	files := filepath.Join(p.dir, a.name)
	if err := os.RemoveAll(files); err != nil {
		return packed{}, err
	}
	if err := os.MkdirAll(files, 0o755); err != nil {
		return packed{}, err
	}
	binary, err := p.build(a, filepath.Join(files, a.binary))
	if err != nil {
		return packed{}, err
	}
	modules, err := p.linked(a)
	if err != nil {
		return packed{}, err
	}
	licence, err := os.ReadFile(filepath.Join(p.root, "LICENSE"))
	if err != nil {
		return packed{}, err
	}
	all := append([]entry{{"LICENSE", 0o644, licence}, {"LICENSES.txt", 0o644, licenceText(modules)}}, a.scripts...)
	for _, e := range all {
		if err := os.WriteFile(filepath.Join(files, e.name), e.data, e.mode); err != nil {
			return packed{}, err
		}
	}
	zip, err := archive(append(all, entry{a.binary, 0o755, binary}))
	if err != nil {
		return packed{}, err
	}
	name := a.name + ".zip"
	return packed{name, limits{int64(len(binary)), int64(len(zip))}, sha256.Sum256(zip), modules},
		os.WriteFile(filepath.Join(p.dir, name), zip, 0o644)
}

// versionVariable is what the linker sets to the version.
const versionVariable = "github.com/tcbferry/tcbferry/internal/app.Version"

// build compiles the program into path and returns what it wrote. Nothing of the
// machine goes in: no path, no build ID, no CPU level, and of version control only the
// version.
func (p packer) build(a artifact, path string) ([]byte, error) {
	out, err := p.run(a, "build", "-trimpath", "-buildvcs=false", "-tags="+a.tags, "-ldflags=-s -w -buildid= -X "+versionVariable+"="+p.version,
		"-o", path, "./functions/"+a.function)
	if err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.ReadFile(path)
}

// run runs the go command in the module's root, for the artifact's platform and no
// special one of its kind.
func (p packer) run(a artifact, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = p.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+a.os, "GOARCH="+a.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	return cmd.CombinedOutput()
}
