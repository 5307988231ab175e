// Package arch holds the rules of the house as tests: who may import whom,
// which modules there are, and that every package says what it is.
package arch

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tcbferry/tcbferry"

// update: rewrite testdata/modules.txt.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// a pkg is what `go list` tells about a package.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out := goRun(t, "list", "-tags", "lambda.norpc", "-json=ImportPath,Dir,Imports,Deps,GoFiles", module+"/...")
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
}

func goRun(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// mayImport says what of ours each package may import. A package that is not
// here must be added: that is the point.
var mayImport = map[string][]string{
	"internal/transfer":          {},
	"internal/meter/crc64":       {},
	"internal/transport":         {},
	"internal/transport/public":  {},
	"internal/event":             {"internal/transfer"},
	"internal/route":             {"internal/transfer"},
	"internal/source/resume":     {"internal/transfer"},
	"internal/source/s3source":   {"internal/transfer", "internal/source/resume"},
	"internal/source/websource":  {"internal/transfer", "internal/source/resume", "internal/transport/public"},
	"internal/ticket/rules":      {"internal/transfer"},
	"internal/ticket/wechat":     {"internal/transfer", "internal/ticket/rules"},
	"internal/ticket/cloudbase":  {"internal/transfer", "internal/ticket/rules"},
	"internal/notify":            {"internal/transfer", "internal/transport/public"},
	"internal/upload/cospost":    {"internal/transfer"},
	"internal/upload/multipart":  {"internal/transfer", "internal/meter/crc64", "internal/upload/cospost"},
	"internal/meter":             {"internal/transfer", "internal/meter/crc64"},
	"internal/delivery":          {"internal/transfer", "internal/meter"},
	"internal/httpapi":           {"internal/transfer"},
	"internal/config/secret":     {"internal/transfer"},
	"internal/telemetry":         {"internal/transfer"},
	"internal/check":             {"internal/transfer", "internal/event"},
	"internal/check/scheduled":   {"internal/transfer", "internal/event", "internal/check", "internal/app", "internal/telemetry"},
	"internal/source/sourcetest": {"internal/transfer"},
	"internal/config":            {"internal/transfer", "internal/route"},
	"internal/app": {"internal/transfer", "internal/check", "internal/config", "internal/config/secret", "internal/transport", "internal/event", "internal/route",
		"internal/source/s3source", "internal/source/websource", "internal/ticket/wechat", "internal/ticket/cloudbase", "internal/notify", "internal/transport/public", "internal/upload/cospost", "internal/upload/multipart", "internal/delivery", "internal/httpapi", "internal/telemetry"},
	"internal/host/lambdahost": {"internal/telemetry", "internal/transfer"},
	"internal/host/scfhost":    {"internal/telemetry"},
	"internal/host/webhost":    {"internal/telemetry"},

	// The outside world imports nothing that it stands in for.
	"internal/devstack/tcb":      {},
	"internal/devstack/staging":  {},
	"internal/devstack/platform": {},
	"internal/devstack/webhook":  {},
	"internal/devstack/sqs":      {},
	"internal/devstack/line":     {},
	"internal/devstack":          {"internal/devstack/webhook", "internal/devstack/tcb", "internal/devstack/staging", "internal/devstack/platform"},

	"internal/tools/pack": {},

	// These hold tests, which may import anything.
	"internal/test/kit":      {"internal/devstack", "internal/devstack/platform", "internal/devstack/tcb"},
	"internal/test/blackbox": {},
	"internal/test/browser":  {},

	"functions/lambda-objects": {"internal/app", "internal/host/lambdahost"},
	"functions/lambda-http":    {"internal/app", "internal/host/lambdahost"},
	"functions/lambda-check":   {"internal/app", "internal/check/scheduled", "internal/host/lambdahost"},
	"functions/scf-objects":    {"internal/app", "internal/host/scfhost"},
	"functions/scf-http":       {"internal/app", "internal/host/webhost"},
	"functions/local":          {"internal/local"},
}

// mayDoAnything are the packages whose job is to put everything together: the
// command for your own machine, and the tools that measure the whole.
var mayDoAnything = []string{"internal/local", "internal/tools/bench", "internal/test/chaos"}

func TestImports(t *testing.T) {
	for _, p := range list(t) {
		if slices.ContainsFunc(mayDoAnything, func(root string) bool { return p.ImportPath == root || strings.HasPrefix(p.ImportPath, root+"/") }) ||
			strings.Contains(p.ImportPath, "/testdata/") {
			continue
		}
		allowed, known := mayImport[p.ImportPath]
		if !known && len(p.GoFiles) > 0 {
			t.Errorf("%s is new: say in mayImport what it may import", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s may not import %s", p.ImportPath, ours)
			}
		}
	}
}

// What must stay out of a binary, by the whole graph of its imports.
func TestBinaries(t *testing.T) {
	// aws-lambda-go and scf-go-lib both claim _LAMBDA_SERVER_PORT. net/rpc and the
	// templates it brings add megabytes, for they call methods by name.
	const aws, scf = "github.com/aws/aws-lambda-go", "github.com/tencentyun/scf-go-lib"
	const sqs = "github.com/aws/aws-sdk-go-v2/service/sqs" // only a check sends messages
	forbidden := map[string][]string{
		"functions/lambda-objects": {scf, sqs, "net/rpc", "text/template", "testing"},
		"functions/lambda-http":    {scf, sqs, "net/rpc", "text/template", "testing"},
		"functions/scf-objects":    {aws, "testing"},
		"functions/scf-http":       {aws, scf, "net/rpc", "text/template", "testing"},
	}
	for _, p := range list(t) {
		for _, dep := range p.Deps {
			for _, bad := range forbidden[p.ImportPath] {
				if dep == bad || strings.HasPrefix(dep, bad+"/") {
					t.Errorf("%s reaches %s", p.ImportPath, dep)
				}
			}
			if strings.HasPrefix(p.ImportPath, "functions/") && p.ImportPath != "functions/local" && strings.Contains(dep, "/devstack") {
				t.Errorf("%s reaches %s", p.ImportPath, dep)
			}
		}
	}
}

// Every package says what it is, and nothing hides in init functions.
func TestSource(t *testing.T) {
	for _, p := range list(t) {
		documented := len(p.GoFiles) == 0
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || f.Doc.Text() != ""
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" {
					t.Errorf("%s/%s has an init function", p.ImportPath, name)
				}
			}
		}
		if !documented {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// What all tests of a process share breaks: each httptest.Server.Close ends the idle
// connections of http.DefaultTransport, also one that another test is about to use.
func TestNobodySharesAClient(t *testing.T) {
	shared := regexp.MustCompile(`\bhttp\.(DefaultClient|DefaultTransport|Get\(|Head\(|Post\(|PostForm\(|Client\{[^T]*\})|new\(http\.Client\)`)
	err := filepath.WalkDir(filepath.Join("..", "..", ".."), func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || filepath.Base(path) == "arch_test.go" || strings.Contains(path, "/testdata/") {
			return err
		}
		text, err := os.ReadFile(path)
		if found := shared.Find(text); found != nil {
			t.Errorf("%s uses %s; take kit.Client, a server's Client() or a transport of its own", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The golden list makes a new module a visible line in review.
func TestModules(t *testing.T) {
	const golden = "testdata/modules.txt"
	got := goRun(t, "list", "-m", "all")
	if update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the modules changed; if that is meant, run UPDATE_GOLDEN=1 go test ./internal/test/arch\ngot:\n%s\nwant:\n%s", got, want)
	}
}
