package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// update: rewrite testdata/policies.golden.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// options are the ways to deploy in which permissions differ. The first is the
// template with its defaults.
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
	{"token in SSM, its server's URL in the open", map[string]string{"WeChatAccessToken": "ssm:/t", "WeChatTokenUrl": "https://tokens.example.com/wx"}},
	{"secrets of routes", map[string]string{"RouteSecretArns": "arn:aws:ssm:us-east-1:123456789012:parameter/a,arn:aws:ssm:us-east-1:123456789012:parameter/b"}},
	{"secrets of routes with a key", map[string]string{"RouteSecretArns": "arn:aws:ssm:us-east-1:123456789012:parameter/a", "SecretKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/s"}},
	{"HTTP by keys", map[string]string{"Http": "keys"}},
	{"HTTP by IAM from the bucket", map[string]string{"Http": "iam", "HttpReadsBucket": "true"}},
	{"VPC", map[string]string{"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}},
	{"traced", map[string]string{"Tracing": "Active"}},
	{"backfill", map[string]string{"Backfill": "true"}},
}

// checkPolicies compares every statement with testdata/policies.golden: all for
// the defaults, and for each option what it adds and takes away.
func checkPolicies(d template) []string {
	got, problems := policies(d)
	want, err := os.ReadFile(golden)
	if err != nil {
		return append(problems, err.Error())
	}
	return append(problems, difference(string(want), got)...)
}

const golden = "testdata/policies.golden"

func policies(d template) (text string, problems []string) {
	var got bytes.Buffer
	defaults, problems := statements(d.with(nil))
	for i, o := range options {
		fmt.Fprintf(&got, "== %s\n", o.name)
		if i == 0 {
			for _, line := range defaults {
				fmt.Fprintf(&got, "  %s\n", line)
			}
			continue
		}
		lines, more := statements(d.with(o.values))
		problems = append(problems, more...)
		for _, line := range defaults {
			if !slices.Contains(lines, line) {
				fmt.Fprintf(&got, "- %s\n", line)
			}
		}
		for _, line := range lines {
			if !slices.Contains(defaults, line) {
				fmt.Fprintf(&got, "+ %s\n", line)
			}
		}
	}
	return got.String(), problems
}

// difference names the lines that are in one text only, each with its heading.
func difference(want, got string) (problems []string) {
	w, g := headed(want), headed(got)
	for _, line := range w {
		if !slices.Contains(g, line) {
			problems = append(problems, "policy missing: "+line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			problems = append(problems, "policy unexpected: "+line)
		}
	}
	return problems
}

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

// statements are all permissions of a stack, one a line.
func statements(s stack) (lines, problems []string) {
	add := func(id, what string, v any) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.Encode(v)
		lines = append(lines, fmt.Sprintf("%s %s %s", id, what, bytes.TrimSpace(b.Bytes())))
	}
	document := func(id, what string, doc any) {
		m, _ := doc.(map[string]any)
		if m["Version"] != "2012-10-17" {
			problems = append(problems, fmt.Sprintf("%s: policy of version %v", id, m["Version"]))
		}
		list, _ := m["Statement"].([]any)
		if len(list) == 0 {
			problems = append(problems, id+": policy without a statement")
		}
		for _, st := range list {
			add(id, what, st)
			if r, ok := st.(map[string]any)["Resource"].([]any); ok && len(r) == 0 {
				problems = append(problems, id+": statement without a resource")
			}
		}
	}
	for id, r := range s.resources() {
		m := r.(map[string]any)
		p, _ := s.resolve(m["Properties"]).(map[string]any)
		switch kind := m["Type"].(string); {
		case kind == "AWS::IAM::Role":
			document(id, "trusts", p["AssumeRolePolicyDocument"])
			for _, policy := range p["Policies"].([]any) {
				document(id, "may", policy.(map[string]any)["PolicyDocument"])
			}
			if attached, ok := p["ManagedPolicyArns"].([]any); ok && len(attached) > 0 {
				add(id, "has", attached)
			}
		case kind == "AWS::IAM::ManagedPolicy":
			document(id, "may", p["PolicyDocument"])
		case strings.HasSuffix(kind, "Policy") || strings.HasSuffix(kind, "Permission"):
			if p["PolicyDocument"] != nil {
				document(id, "lets", p["PolicyDocument"])
			} else {
				add(id, "lets", p)
			}
		case strings.HasPrefix(kind, "AWS::IAM::"):
			problems = append(problems, fmt.Sprintf("%s is a %s, which no test checks", id, kind))
		}
	}
	slices.Sort(lines)
	return lines, problems
}
