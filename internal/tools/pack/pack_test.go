package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The web function has everything that can differ: a binary, a script, two files.
func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("the race detector makes compression ten times slower; make check packs without it")
	}
	a := artifacts[len(artifacts)-1]
	var zips [2][]byte
	for i := range zips {
		dir := t.TempDir()
		size, err := a.pack(dir, "v0.0.0-test")
		if err != nil {
			t.Fatal(err)
		}
		if zips[i], err = os.ReadFile(filepath.Join(dir, a.name+".zip")); err != nil {
			t.Fatal(err)
		}
		if size.zip != int64(len(zips[i])) || size.exceeds(a.limits) {
			t.Errorf("sizes %+v, the zip has %d bytes", size, len(zips[i]))
		}
		for _, name := range []string{"scf-http", "scf_bootstrap"} {
			if info, err := os.Stat(filepath.Join(dir, a.name, name)); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		if !bytes.Contains(content(t, zips[i], "scf-http"), []byte("v0.0.0-test")) {
			t.Errorf("the binary does not hold its version: is there no %s?", versionVariable)
		}
		// The binary names no directory of this machine.
		if wd, _ := os.Getwd(); bytes.Contains(content(t, zips[i], "scf-http"), []byte(filepath.Dir(filepath.Dir(wd)))) {
			t.Error("the binary holds the path of its source")
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("packing twice gave different bytes")
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
	data, err := archive([]entry{{"b", []byte("two")}, bootstrap, {"a", bytes.Repeat([]byte("one "), 100)}})
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
		if onLambda != (a.binary == "bootstrap") || onLambda != (a.tags == "lambda.norpc") {
			t.Errorf("%s: Lambda starts bootstrap and must be built without net/rpc: %+v", a.name, a)
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
