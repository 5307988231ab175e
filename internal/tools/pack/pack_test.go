package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packTwice packs the same twice and returns the two packers.
func packTwice(t *testing.T, make func(packer) error) (p [2]packer) {
	t.Helper()
	if underRace {
		t.Skip("the race detector makes compression ten times slower; make check packs without it")
	}
	for i := range p {
		var err error
		if p[i], err = newPacker(t.TempDir(), "v0.0.0-test", io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := make(p[i]); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// The web function has everything that can differ: a binary, a script, two files.
func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	web := artifacts[slices.IndexFunc(artifacts, func(a artifact) bool { return a.name == "scf-http" })]
	var done []packed
	p := packTwice(t, func(p packer) error {
		d, err := p.pack(web)
		done = append(done, d)
		return err
	})
	var zips [2][]byte
	for i := range zips {
		var err error
		if zips[i], err = os.ReadFile(filepath.Join(p[i].dir, done[i].name)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("packing twice gave different bytes")
	}
	sizes, sum := done[0].sizes, sha256.Sum256(zips[0])
	if sizes.zip != int64(len(zips[0])) || sizes.exceeds(web.limits) || sum != done[0].sum {
		t.Errorf("sizes %+v, the zip has %d bytes", sizes, len(zips[0]))
	}
	for name, mode := range map[string]os.FileMode{"scf-http": 0o755, "scf_bootstrap": 0o755, "LICENSE": 0o644, "LICENSES.txt": 0o644} {
		if info, err := os.Stat(filepath.Join(p[0].dir, "scf-http", name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	binary := content(t, zips[0], "scf-http")
	if !bytes.Contains(binary, []byte("v0.0.0-test")) {
		t.Errorf("the binary does not hold its version: is there no %s?", versionVariable)
	}
	if bytes.Contains(binary, []byte(p[0].root)) {
		t.Error("the binary holds the path of its source")
	}
	linked(t, binary, done[0].modules)
	for _, m := range done[0].modules {
		for _, text := range m.texts {
			if !bytes.Contains(content(t, zips[0], "LICENSES.txt"), []byte(strings.TrimSpace(text))) {
				t.Errorf("LICENSES.txt lacks a text of %s", m.path)
			}
		}
	}
}

// linked compares modules with those that the linker wrote into the binary.
func linked(t *testing.T, binary []byte, modules []module) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stdlib " + strings.TrimPrefix(info.GoVersion, "go")}
	for _, d := range info.Deps {
		want = append(want, d.Path+" "+d.Version)
	}
	var got []string
	for _, m := range modules {
		got = append(got, m.path+" "+m.version)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("modules found  %v\nmodules linked %v", got, want)
	}
}

func open(t *testing.T, data []byte) *zip.Reader {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func content(t *testing.T, data []byte, name string) []byte {
	t.Helper()
	f, err := open(t, data).Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestArchive(t *testing.T) {
	data, err := archive([]entry{{"b", 0o755, []byte("two")}, bootstrap, {"a", 0o755, bytes.Repeat([]byte("one "), 100)}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range open(t, data).File {
		names = append(names, f.Name)
		if f.Mode() != 0o755 || !f.Modified.Equal(epoch) || f.Method != zip.Deflate {
			t.Errorf("%s: mode %v, time %v, method %d", f.Name, f.Mode(), f.Modified, f.Method)
		}
	}
	if got := strings.Join(names, " "); got != "a b scf_bootstrap" {
		t.Errorf("order: %s", got)
	}
	script := string(content(t, data, "scf_bootstrap"))
	if !strings.HasPrefix(script, "#!/bin/bash\n") || strings.Contains(script, "\r") {
		t.Errorf("SCF cannot start %q", script)
	}
}

func TestArtifacts(t *testing.T) {
	names := map[string]bool{}
	for _, a := range artifacts {
		if names[a.name] {
			t.Errorf("%s is there twice", a.name)
		}
		names[a.name] = true
		onLambda := strings.HasPrefix(a.function, "lambda-")
		if onLambda != (a.binary == "bootstrap") || onLambda != (a.tags == "lambda.norpc") || a.os != "linux" && a.function != "local" {
			t.Errorf("%s: both platforms are Linux; Lambda starts bootstrap and must be built without net/rpc: %+v", a.name, a)
		}
		if _, err := os.Stat(filepath.Join("..", "..", "..", "functions", a.function, "main.go")); err != nil {
			t.Error(err)
		}
	}
}

func TestLimits(t *testing.T) {
	max := limits{binary: 10, zip: 5}
	for _, tc := range []struct {
		size limits
		want bool
	}{{limits{10, 5}, false}, {limits{11, 5}, true}, {limits{10, 6}, true}} {
		if got := tc.size.exceeds(max); got != tc.want {
			t.Errorf("%+v exceeds %+v: %v", tc.size, max, got)
		}
	}
}
