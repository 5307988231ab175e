//go:build integration

package integration

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guideStack is what stands for a stack while the guide's commands run: out, as the guide
// defines it, buckets, objects and a usage plan.
const guideStack = `
set -euo pipefail
PLAN=$(aws apigateway create-usage-plan --name guide --query id --output text)
out() { case $1 in
	StagingBucket) echo guide-staging;; BackfillBucket) echo guide-jobs;; HttpUsagePlan) echo "$PLAN";;
	ObjectsFunctionArn) echo arn:aws:lambda:us-east-1:123456789012:function:tcbferry-objects;;
	*) echo "no output $1" >&2; exit 1;;
esac; }
aws s3 mb s3://guide-staging; aws s3 mb s3://guide-jobs
for key in 'in/a b+c (1).txt' 'in/红花,x%.txt'; do aws s3api put-object --bucket guide-staging --key "$key" > /dev/null; done
`

// testGuide runs commands of docs/deploy-aws.md as they stand there, with the real AWS CLI,
// jq and openssl.
func testGuide(t *testing.T, m *moto) {
	for _, program := range []string{"bash", "aws", "jq", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "deploy-aws.md"))
	if err != nil {
		t.Fatal(err)
	}
	// block is the guide's code from one text to before another, without its indent.
	block := func(from, to string) string {
		_, rest, found := strings.Cut(string(text), "\n    "+from)
		code, _, ended := strings.Cut(rest, to)
		if !found || !ended {
			t.Fatalf("the guide has no code from %q to %q", from, to)
		}
		return strings.ReplaceAll("    "+from+code, "\n    ", "\n") + "\n"
	}
	dir := t.TempDir()
	run := exec.CommandContext(t.Context(), "bash", "-c", guideStack+
		strings.ReplaceAll(block("aws s3api get-bucket-notification-configuration", "\n\nprints nothing"), "NAME", "guide-staging")+
		"cp new.json bridge.json\n"+
		block("jq --arg arn", "\n    aws s3api put")+
		block("BUCKET=$(out", "\n    aws s3control")+
		`printf %s "$ETAG" > etag; echo "$PARTITION" > partition`+"\n"+
		block("KEY=$(openssl", "\n\nprints the entry")+
		`printf %s "$KEY" > key`+"\n"+
		block("ID=$(aws apigateway", "\n\ngives the API key")+
		`echo "$API_KEY"`)
	run.Dir = dir
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "LANG=C.UTF-8",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + m.url, "PYENV_ROOT=" + os.Getenv("PYENV_ROOT")}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	for name, want := range map[string]string{
		"manifest.csv": "guide-staging,in/a%20b%2Bc%20%281%29.txt\nguide-staging,in/%E7%BA%A2%E8%8A%B1%2Cx%25.txt\n",
		"partition":    "aws\n",
	} {
		if got := made(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"etag":        `^"[0-9a-f]{32}"$`,
		"bridge.json": `"EventBridgeConfiguration": \{\}`,
		"new.json":    `(?s)"LambdaFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:tcbferry-objects",\s*"Events": \[\s*"s3:ObjectCreated:\*"`,
	} {
		if got := made(name); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if want := fmt.Sprintf("app:%x\n", sha256.Sum256([]byte(made("key")))); !strings.Contains(string(out), want) {
		t.Errorf("the entry for HttpKeys is not %q in\n%s", want, out)
	}
	if !regexp.MustCompile(`\n\w{20,}\n$`).Match(out) {
		t.Errorf("no API key at the end of\n%s", out)
	}
}
