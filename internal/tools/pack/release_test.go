package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/go-yaml"
)

// A release without its binaries: the files that are made beside them, twice.
func TestTencentFilesTwice(t *testing.T) {
	t.Parallel()
	var zips [2][]byte
	for i := range zips {
		p, err := newPacker(t.TempDir(), "v1.2.3", io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"scf-objects/main": 0o755, "scf-http/scf-http": 0o755, "scf-http/scf_bootstrap": 0o755, "scf-http/LICENSES.txt": 0o644} {
			path := filepath.Join(p.dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(name), mode); err != nil {
				t.Fatal(err)
			}
		}
		if zips[i], err = p.tencentFiles(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("packing twice gave different bytes")
	}
	modes := map[string]os.FileMode{}
	for _, f := range open(t, zips[0]).File {
		modes[f.Name] = f.Mode()
	}
	for name, mode := range map[string]os.FileMode{
		"tcbferry/LICENSE": 0o644, "tcbferry/docs/cam-policy.json": 0o644, "tcbferry/docs/cam-trust.json": 0o644,
		"tcbferry/functions/check-env.js": 0o644, "tcbferry/functions/scf-objects/serverless.yml": 0o644, "tcbferry/functions/scf-http/serverless.yml": 0o644,
		"tcbferry/dist/scf-objects/main": 0o755, "tcbferry/dist/scf-http/scf_bootstrap": 0o755, "tcbferry/dist/scf-http/LICENSES.txt": 0o644,
	} {
		if modes[name] != mode {
			t.Errorf("%s has mode %v", name, modes[name])
		}
	}
	// What an instance takes its code from is there.
	for _, f := range open(t, zips[0]).File {
		if src := regexp.MustCompile(`\n    dist: (\S+)`).FindSubmatch(content(t, zips[0], f.Name)); src != nil {
			dir := filepath.ToSlash(filepath.Join(filepath.Dir(f.Name), string(src[1]))) + "/"
			if !slices.ContainsFunc(open(t, zips[0]).File, func(g *zip.File) bool { return strings.HasPrefix(g.Name, dir) }) {
				t.Errorf("%s takes its code from %s, where nothing is", f.Name, dir)
			}
		}
	}
}

// Each function of the packaged template takes a zip of the release, for both
// architectures, and cfn-lint finds nothing.
func TestPackagedTemplate(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := packagedTemplate(string(source), "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Type string `yaml:"Type"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var zips []string
	for _, m := range regexp.MustCompile(`tcbferry/v1\.2\.3/(lambda-\S+)\.zip`).FindAllStringSubmatch(text, -1) {
		zips = append(zips, m[1])
		if !slices.ContainsFunc(artifacts, func(a artifact) bool { return a.name == m[1] }) {
			t.Errorf("a function takes %s.zip, which no release has", m[1])
		}
	}
	if n := strings.Count(text, `TemplateURL: !Sub "https://${CodeBucket}.s3.${AWS::Region}.${AWS::URLSuffix}/tcbferry/v1.2.3/tcbferry-`); n < 3 || n != strings.Count(text, "TemplateURL") {
		t.Errorf("%d of %d stacks take their template from the bucket", n, strings.Count(text, "TemplateURL"))
	}
	functions := 0
	for _, r := range doc.Resources {
		if r.Type == "AWS::Serverless::Function" {
			functions++
		}
	}
	if functions < 2 || len(zips) != 2*functions {
		t.Errorf("%d functions take %v", functions, zips)
	}
	lint, err := exec.LookPath("cfn-lint")
	if err != nil || underRace {
		t.Skip("SKIPPED: cfn-lint is not installed, or make check runs it")
	}
	path := filepath.Join(t.TempDir(), "tcbferry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(lint, "-t", path).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

func TestPackagedTemplateRefuses(t *testing.T) {
	t.Parallel()
	const function = "\nParameters:\nMetadata:\n    ParameterGroups:\nConditions:\nResources:\n  LambdaObjects:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: .\n"
	if _, err := packagedTemplate(function, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"code elsewhere":   strings.Replace(function, "CodeUri: .", "CodeUri: dist", 1),
		"another resource": strings.Replace(function, "Serverless::Function", "Serverless::LayerVersion", 1),
		"stack elsewhere":  function + "  Egress:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: ../egress.yaml\n",
		"no conditions":    strings.Replace(function, "Conditions:\n", "", 1),
	} {
		if _, err := packagedTemplate(text, "v1.2.3"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The bill names each zip with its checksum and each module once, and every reference
// in it is to something that is there.
func TestBill(t *testing.T) {
	t.Parallel()
	std := module{"stdlib", "1.26.8", map[string]string{"LICENSE": "Redistributions in binary form ... Neither the name"}}
	text, err := spdx("v1.2.3", time.Unix(0, 0).UTC(), []packed{
		{"a.zip", limits{}, sha256.Sum256([]byte("a")), []module{std, {"github.com/BurntSushi/toml", "v1.4.1", nil}}},
		{"b.zip", limits{}, sha256.Sum256([]byte("b")), []module{std}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var names, ids []string
	for _, p := range d.Packages {
		names = append(names, p.Name)
		ids = append(ids, p.ID)
	}
	if got := strings.Join(names, " "); got != "a.zip stdlib github.com/BurntSushi/toml b.zip" {
		t.Errorf("packages: %s", got)
	}
	if d.Creation.Created != "1970-01-01T00:00:00Z" || d.Packages[0].Checksums[0].Value != "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" ||
		d.Packages[1].Declared != "BSD-3-Clause" || d.Packages[2].Refs[0].Locator != "pkg:golang/github.com/BurntSushi/toml@v1.4.1" {
		t.Errorf("%s", text)
	}
	contained := 0
	for _, r := range d.Relationships {
		if !slices.Contains(append(ids, d.ID), r.Element) || !slices.Contains(ids, r.Related) {
			t.Errorf("%+v is of nothing that is there", r)
		}
		if r.Type == "CONTAINS" {
			contained++
		}
	}
	if contained != 3 {
		t.Errorf("%d modules are contained", contained)
	}
}

// The guides name files that a release has.
func TestGuidesNameFiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../../docs/deploy-*.md")
	if err != nil {
		t.Fatal(err)
	}
	named, has := map[string]bool{}, map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b((?:lambda|scf|local|tcbferry)-)(\{[a-z,]+\}|[a-z]+)([a-z0-9-]*\.(?:zip|yaml))`).FindAllStringSubmatch(string(text), -1) {
			for part := range strings.SplitSeq(strings.Trim(m[2], "{}"), ",") {
				named[m[1]+part+m[3]] = true
			}
		}
	}
	for _, a := range artifacts {
		has[a.name+".zip"] = true
	}
	stacks, err := filepath.Glob("../../../stacks/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stacks {
		has["tcbferry-"+filepath.Base(path)] = true
	}
	if len(named) < 10 {
		t.Errorf("only %v are named", named)
	}
	for name := range named {
		if !has[name] {
			t.Errorf("a guide names %s, which no release has", name)
		}
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	const want = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.zip\n" +
		"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b.zip\n"
	if got := sums(map[string][32]byte{"b.zip": sha256.Sum256([]byte("b")), "a.zip": sha256.Sum256([]byte("a"))}); string(got) != want {
		t.Errorf("%s", got)
	}
}

func TestReleaseRefusesVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"v1.2.3": true, "v1.2.3-rc.1": true, "1.2.3": false, "v1.2": false, "e5443a4": false, "v1.2.3-dirty/x": false, "": false} {
		if versionForm.MatchString(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}
