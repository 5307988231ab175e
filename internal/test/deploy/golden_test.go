package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// update: rewrite testdata/stack.golden.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// options are the ways to deploy. The first is the template with its defaults. Each
// condition of the template holds with one of them, and does not with another.
var options = []struct {
	name   string
	values map[string]string
}{
	{"defaults", nil},
	{"part of a bucket, tagged", map[string]string{"KeyPrefix": "in/", "OnDelivered": "tag"}},
	{"delete", map[string]string{"OnDelivered": "delete"}},
	{"existing bucket", map[string]string{"CreateStagingBucket": "false"}},
	{"direct", map[string]string{"Trigger": "direct"}},
	{"bucket with a key", map[string]string{"BucketKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/b"}},
	{"secret in SSM", map[string]string{"WeChatAppSecret": "ssm:/ferry/app"}},
	{"secret in a file", map[string]string{"WeChatAppSecret": "file:/opt/secret"}},
	{"token URL in Secrets Manager with a key", map[string]string{"WeChatTokenUrl": "secretsmanager:ferry/url#url", "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/s"}},
	{"secret in Secrets Manager", map[string]string{"WeChatAppSecret": "secretsmanager:ferry/app"}},
	{"token in Secrets Manager", map[string]string{"WeChatAccessToken": "secretsmanager:ferry/token#token"}},
	{"token URL in SSM", map[string]string{"WeChatTokenUrl": "ssm:/token-url"}},
	{"token in SSM, its server's URL in the open", map[string]string{"WeChatAccessToken": "ssm:/t", "WeChatTokenUrl": "https://tokens.example.com/wx"}},
	{"Tencent key in SSM", map[string]string{"MultipartThreshold": "8MiB", "TencentSecretId": "ssm:/id", "TencentSecretKey": "ssm:/key"}},
	{"Tencent key in Secrets Manager", map[string]string{"MultipartThreshold": "8MiB", "TencentSecretId": "secretsmanager:t#id", "TencentSecretKey": "secretsmanager:t#key"}},
	{"API key and receipts, secrets in SSM", map[string]string{"CloudBaseApiKey": "ssm:/api-key", "Receipts": "db:files,https://example.com/hook", "ReceiptSecret": "ssm:/receipt-secret"}},
	{"API key and receipts, secrets in Secrets Manager", map[string]string{"CloudBaseApiKey": "secretsmanager:c#key", "Receipts": "function:on-file", "ReceiptSecret": "secretsmanager:c#receipt"}},
	{"secrets of routes", map[string]string{"RouteSecretArns": "arn:aws:ssm:us-east-1:123456789012:parameter/a,arn:aws:ssm:us-east-1:123456789012:parameter/b"}},
	{"secrets of routes with a key", map[string]string{"RouteSecretArns": "arn:aws:ssm:us-east-1:123456789012:parameter/a", "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/s"}},
	{"HTTP by keys", map[string]string{"Http": "keys"}},
	{"HTTP by IAM from the bucket", map[string]string{"Http": "iam", "HttpReadsBucket": "true"}},
	{"VPC", map[string]string{"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}},
	{"traced", map[string]string{"Tracing": "Active"}},
	{"backfill", map[string]string{"Backfill": "true"}},
	{"daily check", map[string]string{"Check": "daily"}},
	{"daily check that repairs", map[string]string{"Check": "daily", "CheckRepair": "true", "BucketKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/b"}},
	{"60 s", map[string]string{"Timeout": "60"}},
	{"120 s", map[string]string{"Timeout": "120"}},
	{"600 s", map[string]string{"Timeout": "600"}},
	{"900 s", map[string]string{"Timeout": "900"}},
	{"reserved concurrency", map[string]string{"ReserveConcurrency": "true"}},
	{"at most 7 requests at once", map[string]string{"Http": "keys", "HttpReservedConcurrency": "7"}},
	{"HTTP shut", map[string]string{"Http": "keys", "HttpReservedConcurrency": "off"}},
	{"HTTP from the web", map[string]string{"Http": "keys", "HttpSources": "https://files.example.com/"}},
	{"HTTP from a bucket with a key", map[string]string{"Http": "keys", "HttpReadsBucket": "true", "BucketKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/b"}},
	{"S3 by another address", map[string]string{"S3EndpointUrl": "https://s3.example.com"}},
	{"alarms by mail", map[string]string{"AlarmEmail": "a@example.com"}},
	{"fixed address", map[string]string{"FixedEgress": "true"}},
	{"HTTP by keys and an API", map[string]string{"Http": "keys", "HttpFront": "api"}},
	{"HTTP by keys and an API with API keys", map[string]string{"Http": "keys", "HttpFront": "api", "HttpKeyRate": "5"}},
	{"China, HTTP by IAM and an API", map[string]string{"AWS::Partition": "aws-cn", "AWS::Region": "cn-north-1", "AWS::URLSuffix": "amazonaws.com.cn", "Http": "iam", "HttpFront": "api"}},
	{"GovCloud", map[string]string{"AWS::Partition": "aws-us-gov", "AWS::Region": "us-gov-west-1"}},
}

const golden = "testdata/stack.golden"

// checkStack compares what CloudFormation would create with testdata/stack.golden: all
// of it for the defaults, and for each option what it adds and takes away. Alarms and
// dashboard are checkTelemetry's.
func checkStack(d template) (problems []string) {
	want, err := os.ReadFile(golden)
	if err != nil {
		return []string{err.Error()}
	}
	w, g := headed(string(want)), headed(stackText(d))
	for _, line := range without(w, g) {
		problems = append(problems, "stack lacks "+line)
	}
	for _, line := range without(g, w) {
		problems = append(problems, "stack has "+line)
	}
	for name := range d.with(nil).section("Conditions") {
		held := map[bool]bool{}
		for _, o := range options {
			held[d.with(o.values).condition(name)] = true
		}
		if len(held) < 2 {
			problems = append(problems, fmt.Sprintf("the condition %s is the same with every option", name))
		}
	}
	return problems
}

// without are the lines of a that are not in b.
func without(a, b []string) (rest []string) {
	in := map[string]bool{}
	for _, line := range b {
		in[line] = true
	}
	for _, line := range a {
		if !in[line] {
			rest = append(rest, line)
		}
	}
	return rest
}

// headed puts its heading before each line.
func headed(text string) (lines []string) {
	heading := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "==") {
			heading = line
			continue
		}
		lines = append(lines, heading+": "+line)
	}
	return lines
}

func stackText(d template) string {
	var text strings.Builder
	defaults := d.with(nil).lines()
	for i, o := range options {
		fmt.Fprintf(&text, "== %s\n", o.name)
		if i == 0 {
			fmt.Fprintf(&text, "  %s\n", strings.Join(defaults, "\n  "))
			continue
		}
		lines := d.with(o.values).lines()
		for _, line := range without(defaults, lines) {
			fmt.Fprintf(&text, "- %s\n", line)
		}
		for _, line := range without(lines, defaults) {
			fmt.Fprintf(&text, "+ %s\n", line)
		}
	}
	return text.String()
}

// lines are the properties of the resources, and the values of the outputs, sorted.
func (s stack) lines() (lines []string) {
	all := s.resources()
	for name, o := range s.existing("Outputs") {
		all["Outputs."+name] = o
	}
	for id, r := range all {
		if kind := at(r, "Type"); kind == "AWS::CloudWatch::Alarm" || kind == "AWS::CloudWatch::Dashboard" {
			continue
		}
		flatten(id, s.resolve(r), func(path string, v any) {
			if strings.HasSuffix(path, ".Description") {
				return
			}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			_ = enc.Encode(v) // what was read as YAML always marshals
			lines = append(lines, path+" "+strings.TrimSpace(b.String()))
		})
	}
	for id, n := range s.nested() {
		for _, line := range n.lines() {
			lines = append(lines, id+"/"+line)
		}
	}
	slices.Sort(lines)
	return lines
}

// flatten gives every value in v a path. The entries of a list have the list's path. A
// policy in a list is taken apart as well, so that each statement has a line.
func flatten(path string, v any, line func(path string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			flatten(path+"."+key, e, line)
		}
	case []any:
		for _, e := range v {
			if at(e, "PolicyDocument") != nil {
				flatten(path, e, line)
			} else {
				line(path, e)
			}
		}
	default:
		line(path, v)
	}
}
