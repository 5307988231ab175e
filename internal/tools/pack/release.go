package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// versionForm is what a release may be called.
var versionForm = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// release makes everything that a release has.
func (p packer) release() error {
	if !versionForm.MatchString(p.version) {
		return fmt.Errorf("%q is no version: make release VERSION=v1.2.3", p.version)
	}
	created, err := p.sourceTime()
	if err != nil {
		return err
	}
	done, err := p.all(artifacts)
	if err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(p.root, "template.yaml"))
	if err != nil {
		return err
	}
	text, err := packagedTemplate(string(template), p.version)
	if err != nil {
		return fmt.Errorf("template.yaml: %w", err)
	}
	tencent, err := p.tencentFiles()
	if err != nil {
		return err
	}
	bill, err := spdx(p.version, created, done)
	if err != nil {
		return err
	}
	made := map[string][sha256.Size]byte{}
	for _, d := range done {
		made[d.name] = d.sum
	}
	files := map[string][]byte{"tcbferry.yaml": []byte(text), "tencent.zip": tencent, "sbom.spdx.json": bill}
	for _, m := range nested.FindAllStringSubmatch(string(template), -1) {
		if files["tcbferry-"+m[1]], err = os.ReadFile(filepath.Join(p.root, "stacks", m[1])); err != nil {
			return err
		}
	}
	for name, data := range files {
		made[name] = sha256.Sum256(data)
		if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(p.dir, "SHA256SUMS"), sums(made), 0o644)
}

// sums is what sha256sum prints for the files.
func sums(made map[string][sha256.Size]byte) []byte {
	var lines []string
	for name, sum := range made {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sum, name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
	return []byte(strings.Join(lines, ""))
}

// sourceTime is when the source was committed, or SOURCE_DATE_EPOCH
// (reproducible-builds.org) where there is no git.
func (p packer) sourceTime() (time.Time, error) {
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		cmd := exec.Command("git", "log", "-1", "--format=%ct")
		cmd.Dir = p.root
		out, err := cmd.Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("git does not say when the source was committed; set SOURCE_DATE_EPOCH: %w", err)
		}
		seconds = strings.TrimSpace(string(out))
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the time of the source: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// tencentFiles is what Tencent's CLI needs, in the places that these files have in a
// clone, so that docs/deploy-tencent.md is the same for both. The packages of both
// functions are there already.
func (p packer) tencentFiles() ([]byte, error) {
	var all []entry
	add := func(name, path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		all = append(all, entry{"tcbferry/" + name, mode, data})
		return nil
	}
	sources := []string{"LICENSE"}
	for _, pattern := range []string{"docs/cam-*.json", "functions/check-env.js", "functions/scf-*/serverless.yml"} {
		found, err := filepath.Glob(filepath.Join(p.root, pattern))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("no file is called %s: %w", pattern, err)
		}
		for _, path := range found {
			name, err := filepath.Rel(p.root, path)
			if err != nil {
				return nil, err
			}
			sources = append(sources, filepath.ToSlash(name))
		}
	}
	for _, name := range sources {
		if err := add(name, filepath.Join(p.root, name)); err != nil {
			return nil, err
		}
	}
	for _, a := range artifacts {
		if !strings.HasPrefix(a.function, "scf-") {
			continue
		}
		files, err := os.ReadDir(filepath.Join(p.dir, a.name))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if err := add("dist/"+a.name+"/"+f.Name(), filepath.Join(p.dir, a.name, f.Name())); err != nil {
				return nil, err
			}
		}
	}
	return archive(all)
}
