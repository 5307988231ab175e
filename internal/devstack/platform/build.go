package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Build compiles a main package as it is shipped (static, stripped, without
// paths) for this machine and returns the binary's path, under dir. pkg is an
// import path or is relative to the module's root, such as
// "./functions/lambda-objects"; the module is the one that holds the working
// directory. GOFLAGS and the rest of the environment count as usual. Builds of
// the same package may run at the same time.
//
// The program that go run would run is linked once: go run keeps it in Go's build
// cache, unlike go build. All test binaries of one `go test ./...` share it.
func Build(ctx context.Context, dir, pkg string, tags ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	readSources(root)
	// Copied aside and moved into place, because a binary that runs cannot be written.
	tmp, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	name := strings.Join(append([]string{path.Base(pkg)}, tags...), "-")
	args := []string{"run", "-trimpath", "-ldflags", "-s -w", "-tags", strings.Join(tags, ","), "-exec", "cp", pkg, filepath.Join(tmp, name)}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, errors.Join(err, ctx.Err()), out)
	}
	binary := filepath.Join(dir, name)
	return binary, os.Rename(filepath.Join(tmp, name), binary)
}

// readSources lists the directories of the module, because `go test` notes what
// a test looks at and runs it anew when that has changed. Otherwise a change to the
// program under test would be answered from the cache of test results. The
// compiler reports what cannot be read.
func readSources(root string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return nil
	})
}

// moduleRoot finds the directory of the go.mod that the working directory is under.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above: run this inside the module", start)
		}
	}
}
