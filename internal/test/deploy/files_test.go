package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
)

// file returns a file of the repository.
func file(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var parameterLine = regexp.MustCompile(`^(#?)([A-Z]\w+): (".*")$`)

// params.example.yaml has every parameter once, in quotes. Those in comments have their
// defaults. With the others as they stand a stack would be created, but for the bucket's
// name, so that nobody deploys the example as it is.
func TestParameterFile(t *testing.T) {
	t.Parallel()
	d := asIs(t)
	missing := map[string]bool{}
	for name := range d.with(nil).section("Parameters") {
		missing[name] = true
	}
	values := map[string]string{}
	for line := range strings.Lines(file(t, "params.example.yaml")) {
		line = strings.TrimSpace(line)
		m := parameterLine.FindStringSubmatch(line)
		if m == nil {
			if line != "" && !strings.HasPrefix(line, "# ") && line != "#" {
				t.Errorf("%q is neither a parameter with a value in quotes nor a comment", line)
			}
			continue
		}
		var value string
		if err := yaml.Unmarshal([]byte(m[3]), &value); err != nil {
			t.Error(err)
		}
		if !missing[m[2]] {
			t.Errorf("%s is no parameter, or here twice", m[2])
		}
		delete(missing, m[2])
		if standard := at(d.doc, "Parameters", m[2], "Default"); m[1] == "#" && fmt.Sprint(standard) != value {
			t.Errorf("%s has the default %v, not %q", m[2], standard, value)
		}
		if m[1] == "" {
			values[m[2]] = value
		}
	}
	if len(missing) > 0 {
		t.Errorf("not there: %v", missing)
	}
	if len(values) != 6 {
		t.Errorf("%d parameters are not in comments", len(values))
	}
	if refused := d.with(values).refusals(); len(refused) > 0 {
		t.Errorf("CloudFormation would refuse the example: %q", refused)
	}
	if ok, _ := regexp.MatchString(d.pattern("StagingBucket"), values["StagingBucket"]); ok {
		t.Error("the example could be deployed as it is")
	}
}

// samconfig.toml names the file that git does not take, and no region.
func TestSamConfig(t *testing.T) {
	t.Parallel()
	config := file(t, "samconfig.toml")
	if !strings.Contains(config, `parameter_overrides = "file://params.yaml"`) || !strings.Contains(file(t, ".gitignore"), "\n/params.yaml\n") {
		t.Error("parameters do not come from params.yaml")
	}
	if strings.Contains(config, "\nregion") {
		t.Error("a region here would differ from the one that the AWS CLI uses")
	}
}

// A template of more than 51,200 bytes is not sent with the request but by a bucket
// (docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html).
// sam deploy does so by itself; the limit there is 1 MB.
func TestTemplateSize(t *testing.T) {
	t.Parallel()
	size := len(source(t))
	if says := strings.Contains(file(t, "docs", "deploy-aws.md"), "51,200 bytes"); (size > 51200) != says {
		t.Errorf("the template has %d bytes, and that the guide speaks of the limit is %v", size, says)
	}
	if size > 1<<20 {
		t.Errorf("the template has %d bytes, more than CloudFormation takes", size)
	}
}

// make builds for the architecture that the stack is deployed with.
func TestArchitectureOfBuild(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("skipped: make is not installed")
	}
	makefile, err := filepath.Abs(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ params, want string }{
		"no file":           {"", "arm64"},
		"default":           {"#Architecture: \"arm64\"\n", "arm64"},
		"in a comment":      {"#Architecture: \"x86_64\"\n", "arm64"},
		"x86_64":            {"StagingBucket: \"b\"\nArchitecture: \"x86_64\"\n", "amd64"},
		"arm64":             {"Architecture: \"arm64\"\n", "arm64"},
		"without quotes":    {"Architecture: x86_64\n", "amd64"},
		"another's setting": {"CloudBasePath: \"Architecture: x86_64\"\n", "arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.params != "" {
				if err := os.WriteFile(filepath.Join(dir, "params.yaml"), []byte(c.params), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			build := exec.Command("make", "--dry-run", "--file", makefile, "build-LambdaObjects", "ARTIFACTS_DIR=out", "VERSION=v0")
			build.Dir = dir
			for _, v := range os.Environ() {
				if !strings.HasPrefix(v, "GOARCH=") {
					build.Env = append(build.Env, v)
				}
			}
			out, err := build.CombinedOutput()
			if err != nil || !strings.Contains(string(out), " GOARCH="+c.want+" ") {
				t.Errorf("want GOARCH=%s: %v\n%s", c.want, err, out)
			}
		})
	}
}
