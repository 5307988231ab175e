package platform

import (
	"context"
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
func Build(ctx context.Context, dir, pkg string, tags ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	readSources(root)
	// Built aside and moved into place: a binary that runs cannot be written.
	tmp, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	name := strings.Join(append([]string{path.Base(pkg)}, tags...), "-")
	args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(tmp, name)}
	if len(tags) > 0 {
		args = append(args, "-tags", strings.Join(tags, ","))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	binary := filepath.Join(dir, name)
	return binary, os.Rename(filepath.Join(tmp, name), binary)
}

// readSources lists the directories of the module. `go test` notes what a test
// looks at, and runs it anew when that has changed; without this, a change to the
// program under test would be answered from its cache. What cannot be read is
// the compiler's to complain about.
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
