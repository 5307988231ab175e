package deploy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// complaints collects what does not hold.
type complaints []string

func (c *complaints) want(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Sprintf(format, args...))
	}
}

// at follows a path of keys into a value; a list is followed into its first entry.
func at(v any, path ...string) any {
	for _, key := range path {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// Every parameter is described, and shown in one group.
func checkParameters(d template) (problems []string) {
	c := (*complaints)(&problems)
	shown := map[string]int{}
	groups, _ := at(d.doc, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups").([]any)
	for _, g := range groups {
		for _, name := range at(g, "Parameters").([]any) {
			shown[name.(string)]++
		}
	}
	for name, p := range d.with(nil).section("Parameters") {
		c.want(shown[name] == 1, "parameter %s is in %d groups", name, shown[name])
		text, _ := at(p, "Description").(string)
		c.want(len(text) > 10, "parameter %s has no description", name)
		delete(shown, name)
	}
	c.want(len(shown) == 0, "groups show parameters that are not there: %v", shown)
	return problems
}

// patterns say what parameters take and refuse. What CloudFormation refuses never gets
// into an environment.
var patterns = map[string]struct{ takes, refuses []string }{
	"CloudBasePath": {
		[]string{"{key}", "{yyyy}/{mm}/{name}", "in/{dir}/{stem}{ext}"},
		[]string{"", "{keyy}", "in/{key", "in/key}", "{Key}"}},
	"WeChatAppSecret": {
		[]string{"", "ssm:/ferry/app", "secretsmanager:ferry/app", "secretsmanager:ferry/app#secret", "file:/opt/secret"},
		[]string{"0123456789abcdef0123456789abcdef", "ssm:name", "secretsmanager:", "file:secret"}},
	"WeChatAccessToken": {
		[]string{"", "ssm:/token", "file:/mnt/token"},
		[]string{"68_abcdefghijklmnop"}},
	"WeChatTokenUrl": {
		[]string{"", "https://tokens.example.com/wx", "ssm:/token-url"},
		[]string{"https://tokens.example.com/wx?key=secret", "https://user:secret@tokens.example.com/"}},
	"Routes": {
		[]string{"", `[{"from":"s3://b/in","env":"e"}]`, "[\n {\"appSecret\": \"ssm:/a\"},\n {\"appSecret\":\"secretsmanager:b\", \"apiKey\":\"file:/k\"}]"},
		[]string{"{}", `[{"appSecret":"0123456789abcdef"}]`, `[{"appsecret":"0123456789abcdef"}]`, `[{"APPSECRET" : "0123456789abcdef"}]`,
			`[{"app\u0053ecret":"0123456789abcdef"}]`, `[{"apiKey":"0123456789abcdef"}]`, "[{\"appSecret\":\"ssm:/a\"},\n {\"appSecret\" : \"0123456789abcdef\"}]"}},
	"RouteSecretArns": {
		[]string{"", "arn:aws:ssm:eu-west-1:123456789012:parameter/ferry/app", "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:ferry/app-??????"},
		[]string{"*", "arn:aws:ssm:eu-west-1:123456789012:parameter/*", "arn:aws:s3:::bucket", "ferry/app"}},
	"SecretKmsKeyArn": {
		[]string{"", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd"},
		[]string{"*", "arn:aws:kms:eu-west-1:123456789012:key/*", "arn:aws:kms:eu-west-1:123456789012:alias/a"}},
	"BucketKmsKeyArn": {[]string{""}, []string{"arn:aws:kms:*:123456789012:key/*"}},
	"WeChatApiUrl": {
		[]string{"", "https://api.weixin.qq.com,https://api2.weixin.qq.com", "http://proxy.example.com:8080"},
		[]string{"http://user:PASSWORD@proxy.example.com", "https://proxy.example.com/?key=secret", "api.weixin.qq.com"}},
	"TicketHosts":             {[]string{"", "cos.example.com, *.example.org"}, []string{"*", "https://cos.example.com", "a.*.com"}},
	"HttpReservedConcurrency": {[]string{"0", "5", "off"}, []string{"", "none", "-1"}},
	"FixedEgressCidr":         {[]string{"10.73.0.0/24"}, []string{"", "10.73.0.0/16", "10.73.0.0"}},
	"HttpKeys": {
		[]string{"", "app:" + strings.Repeat("0a", 32), "app:" + strings.Repeat("0a", 32) + ":in/, b:" + strings.Repeat("1b", 32),
			"app:" + strings.Repeat("0a", 32) + ":in/a:b/:no-tickets;rate=60, b:" + strings.Repeat("1b", 32) + "::no-source;until=2027-01-01",
			"app:" + strings.Repeat("0a", 32) + "::source=s3://b/in/;source=https://h/"},
		[]string{"my-key", "app:my-key", "app:" + strings.Repeat("0a", 32) + ":in", "app:" + strings.Repeat("0a", 32) + "::", "app:" + strings.Repeat("0a", 32) + ":in/:Admin"}},
	"HttpSources": {
		[]string{"", "https://files.example.com/a/, https://b.example.com/"},
		[]string{"s3://staging/", "http://files.example.com/"}},
	"HttpCorsOrigins": {[]string{"", "https://app.example.com"}, []string{"*"}},
	"KeyPrefix":       {[]string{"", "in/2026/"}, []string{"in/*", "${aws:username}/"}},
	"OnDelivered":     {[]string{"keep", "tag", "delete"}, []string{"move"}},
	"Trigger":         {[]string{"queue", "direct"}, []string{"topic"}},
	"Timeout":         {[]string{"60", "900"}, []string{"59", "901"}},
	"Architecture":    {[]string{"arm64", "x86_64"}, []string{"amd64"}},
}

// checkPatterns tries the values on the patterns. Python's regular expressions are those
// of CloudFormation as far as they are used here; Go's know no look-ahead.
func checkPatterns(d template) (problems []string) {
	type try struct {
		Pattern string   `json:"pattern"`
		Values  []string `json:"values"`
	}
	tries := map[string]try{}
	for name, p := range patterns {
		tries[name] = try{d.pattern(name), append(slices.Clone(p.takes), p.refuses...)}
	}
	in, _ := json.Marshal(tries) // strings always marshal
	cmd := exec.Command("python3", "-c", "import json, re, sys\n"+
		"json.dump({n: [bool(re.fullmatch(t['pattern'], v)) for v in t['values']] for n, t in json.load(sys.stdin).items()}, sys.stdout)")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil // no python3
	}
	var took map[string][]bool
	if err := cmp.Or(err, json.Unmarshal(out, &took)); err != nil {
		return []string{fmt.Sprintf("python3: %v", err)}
	}
	c := (*complaints)(&problems)
	for name, p := range patterns {
		for i, value := range tries[name].Values {
			if takes := i < len(p.takes); takes {
				c.want(took[name][i], "parameter %s refuses %q", name, value)
			} else {
				c.want(!took[name][i], "parameter %s takes %q", name, value)
			}
		}
	}
	return problems
}

// pattern is what a parameter takes, its AllowedValues included.
func (d template) pattern(name string) string {
	p := at(d.doc, "Parameters", name)
	if list, ok := at(p, "AllowedValues").([]any); ok {
		var all []string
		for _, v := range list {
			all = append(all, regexp.QuoteMeta(fmt.Sprint(v)))
		}
		return strings.Join(all, "|")
	}
	pattern, _ := at(p, "AllowedPattern").(string)
	return cmp.Or(pattern, "(?s).*")
}
