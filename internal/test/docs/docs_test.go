// Package docs compares the documentation with the code: codes, settings, fields of the
// log, alarms, packages and numbers. It also checks links, lengths and translations.
package docs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// update: rewrite the lists of codes in docs/reference.
var update = os.Getenv("UPDATE_GOLDEN") != ""

const (
	root       = "../../../"
	operations = root + "docs/operations.md"
	logPage    = root + "docs/reference/log.md"
	errorPage  = root + "docs/reference/errors.md"
	numberPage = root + "docs/reference/wechat-errors.md"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block returns what stands around and in the part of a text that is marked by
// comments.
func block(t *testing.T, text, name string) (before, inside, after string) {
	t.Helper()
	begin := "<!-- " + name + " -->\n"
	before, rest, ok := strings.Cut(text, begin)
	inside, after, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatalf("there is no block %q", name)
	}
	return before + begin, inside, "<!-- end -->" + after
}

var quoted = regexp.MustCompile("`([^`]+)`")

// firstColumn is what stands between backquotes in the first column of a table.
func firstColumn(table string) []string {
	var names []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 1 {
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				names = append(names, m[1])
			}
		}
	}
	slices.Sort(names)
	return names
}

// The schema in docs/reference/log.md has exactly the fields that package telemetry
// writes.
func TestReferenceDescribesTheLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	ctx := telemetry.WithIDs(t.Context(), telemetry.IDs{Request: "r", Trace: "t"})
	plan := transfer.Plan{Item: transfer.Item{ID: "m", Ref: transfer.Ref{Scheme: "s3", Bucket: "b", Key: "k"}}, Dest: transfer.Dest{Env: "e", Path: "k"}}
	outs := []transfer.Outcome{
		{Plan: plan, FileID: "f", Size: 1, Verified: []string{"size"}, Warning: "w", Unsettled: true, Receipts: []string{"db:files"}, Untold: []string{"function:notify"}, Attempts: 1, Parts: 2, ResumedParts: 1, Took: time.Second},
		{Plan: plan, Reason: transfer.ReasonGone},
		{Plan: plan, Err: &transfer.Error{Stage: transfer.StageUpload, Kind: transfer.KindDenied, Code: "AccessDenied", What: "no"}},
	}
	fields, units, sets := map[string]bool{}, map[string]string{}, map[string]string{}
	telemetry.New(&b, slog.LevelInfo, "").File(ctx, &outs[0])
	telemetry.New(&b, slog.LevelInfo, "").File(ctx, &outs[1])
	telemetry.New(&b, slog.LevelInfo, "").File(ctx, &outs[2])
	for line := range strings.Lines(b.String()) {
		for name := range decoded[map[string]any](t, line) {
			fields[name] = true
		}
	}
	b.Reset()
	logger := telemetry.New(&b, slog.LevelInfo, "fn")
	logger.Invocation(ctx, outs, 1, time.Second)
	logger.Refusal(ctx, 401)
	logger.Check(ctx, 1, 1, 1)
	for line := range strings.Lines(b.String()) {
		emf := decoded[struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}](t, line)
		for _, group := range emf.AWS.CloudWatchMetrics {
			var names []string
			for _, set := range group.Dimensions {
				names = append(names, "`"+strings.Join(set, "`, `")+"`")
			}
			for _, m := range group.Metrics {
				units[m.Name], sets[m.Name] = m.Unit, strings.Join(names, "; ")
			}
			if group.Namespace != "tcbferry" {
				t.Errorf("namespace %q", group.Namespace)
			}
		}
	}
	text := read(t, logPage)
	_, table, _ := block(t, text, "file line")
	if got, want := firstColumn(table), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("documented fields %v\nwritten fields    %v", got, want)
	}
	_, table, _ = block(t, text, "metrics")
	if got, want := firstColumn(table), slices.Sorted(maps.Keys(units)); !slices.Equal(got, want) {
		t.Errorf("documented metrics %v\nwritten metrics    %v", got, want)
	}
	for line := range strings.Lines(table) {
		for _, name := range firstColumn(line) {
			if want := "| " + units[name] + " | " + sets[name] + " |"; !strings.Contains(line, want) {
				t.Errorf("%s is documented as %swant %s", name, line, want)
			}
		}
	}
}

func decoded[T any](t *testing.T, line string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return v
}

// Every alarm of the template is explained, and none that is not there.
func TestOperationsExplainsEveryAlarm(t *testing.T) {
	t.Parallel()
	var alarms []string
	for _, m := range regexp.MustCompile(`AlarmName: !Sub "\$\{AWS::StackName\}-([a-z-]+)"`).FindAllStringSubmatch(read(t, root+"template.yaml"), -1) {
		alarms = append(alarms, "tcbferry-"+m[1])
	}
	slices.Sort(alarms)
	_, section, _ := strings.Cut(read(t, operations), "\n## Alarms\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if explained := firstColumn(section); len(alarms) < 20 || !slices.Equal(explained, alarms) {
		t.Errorf("explained %v\nthere are %v", explained, alarms)
	}
	for _, m := range regexp.MustCompile(`\bout ([A-Z][A-Za-z]+)`).FindAllStringSubmatch(read(t, operations)+read(t, root+"docs/replay.md"), -1) {
		if !strings.Contains(read(t, root+"template.yaml"), "\n  "+m[1]+":\n") {
			t.Errorf("the stack has no output %s", m[1])
		}
	}
}

// README.md and docs/architecture.md have a row for each folder of internal/, and name no
// package that is not there.
func TestPackageTables(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, "internal/"+e.Name())
		}
	}
	rows := func(page string) [][]string {
		found := regexp.MustCompile("(?m)^\\| `(internal/[a-z0-9]+)` \\| (.*) \\|$").FindAllStringSubmatch(read(t, root+page), -1)
		var got []string
		for _, m := range found {
			got = append(got, m[1])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s has rows for %v\nfolders are %v", page, got, want)
		}
		return found
	}
	rows("README.md")
	// Folders below it are named in backquotes.
	for _, m := range rows("docs/architecture.md") {
		below, err := os.ReadDir(filepath.Join("../../..", m[1]))
		if err != nil {
			t.Error(err)
		}
		for _, b := range below {
			if b.IsDir() && b.Name() != "testdata" && m[1] != "internal/devstack" && !strings.Contains(m[2], "`"+b.Name()+"`") {
				t.Errorf("the row of %s does not name %s", m[1], b.Name())
			}
		}
	}
}

// The texts that state the largest body of a request agree with the code, and name the
// smaller limits of Lambda, whose payload holds it as base64, and of an ALB.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("key"))
	keys, err := httpapi.ParseKeys("me:" + hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPut, "/files/x", nil)
	request.ContentLength = httpapi.MaxBody + 1
	request.Header.Set("Authorization", "Bearer key")
	answer := httptest.NewRecorder()
	httpapi.New(httpapi.Options{Keys: keys, Log: slog.New(slog.DiscardHandler), CheckPath: route.CheckPath}).ServeHTTP(answer, request)
	texts := map[string]string{"the 413": answer.Body.String()}
	for _, name := range []string{"docs/reference/http.md", "docs/security.md", "docs/openapi.yaml"} {
		texts[name] = read(t, root+name)
	}
	for name, text := range texts {
		for _, limit := range []string{
			fmt.Sprintf("%d MiB", httpapi.MaxBody>>20),
			fmt.Sprintf("%.1f MB", float64(platform.MaxPayload*3/4)/(1<<20)),
			"1 MB behind an ALB", // https://docs.aws.amazon.com/lambda/latest/dg/services-alb.html
		} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), limit) {
				t.Errorf("%s does not name the limit of %s", name, limit)
			}
		}
	}
	if !strings.Contains(texts["docs/openapi.yaml"], fmt.Sprintf("(%d bytes)", httpapi.MaxBody)) {
		t.Error("docs/openapi.yaml states another number of bytes")
	}
}

// Tencent's CLI reads .env with dotenv 8, which takes a comment behind a value for a part
// of the value.
func TestDotenvSample(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(read(t, root+"docs/deploy-tencent.md"), "\n## 4. Settings\n")
	text, _, _ = strings.Cut(text, "\n## ")
	sample := regexp.MustCompile(`(?m)^    ([A-Z_]+)=(.*)$`).FindAllStringSubmatch(text, -1)
	if len(sample) < 8 {
		t.Fatalf("the sample has %d lines", len(sample))
	}
	for _, m := range sample {
		if strings.Contains(m[2], "#") {
			t.Errorf("%s has a comment behind its value", m[1])
		}
	}
}
