package deploy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
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

func number(v any) float64 {
	n, _ := v.(float64)
	return n
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

// Both functions run as provided.al2023 on arm64, are built by make, and have a role of
// their own and a log that does not grow for ever. The URL can be shut.
func checkFunctions(d template) (problems []string) {
	c := (*complaints)(&problems)
	s := d.with(map[string]string{"Http": "keys"})
	functions, logs := s.properties("AWS::Serverless::Function"), s.properties("AWS::Logs::LogGroup")
	c.want(len(functions) == 2, "%d functions", len(functions))
	roles := map[any]bool{}
	for id, f := range functions {
		c.want(f["Runtime"] == "provided.al2023" && f["Handler"] == "bootstrap", "%s runs %v on %v", id, f["Handler"], f["Runtime"])
		c.want(reflect.DeepEqual(f["Architectures"], []any{"arm64"}), "%s runs on %v", id, f["Architectures"])
		built := at(d.doc, "Resources", id, "Metadata", "BuildMethod")
		c.want(built == "makefile", "%s is built by %q", id, built)
		c.want(!roles[f["Role"]], "%s shares its role", id)
		roles[f["Role"]] = true
		group, _ := at(f, "LoggingConfig", "LogGroup").(string)
		log := logs[strings.Trim(group, "<>")]
		c.want(at(log, "LogGroupName") == fmt.Sprint("/aws/lambda/", f["FunctionName"]), "%s logs to %v", id, group)
		c.want(at(log, "RetentionInDays") != nil, "%s keeps its log for ever", id)
	}
	for auth, want := range map[string]string{"keys": "NONE", "iam": "AWS_IAM"} {
		urls := d.with(map[string]string{"Http": auth}).properties("AWS::Lambda::Url")
		c.want(at(urls["HttpUrl"], "AuthType") == want, "with %s the URL has the type %v", auth, at(urls["HttpUrl"], "AuthType"))
	}
	for limit, want := range map[string]any{"0": nil, "7": "7", "off": 0.0} {
		f := d.with(map[string]string{"Http": "keys", "HttpReservedConcurrency": limit}).properties("AWS::Serverless::Function")["LambdaHttp"]
		c.want(f["ReservedConcurrentExecutions"] == want, "with the limit %s lambda-http has %v", limit, f["ReservedConcurrentExecutions"])
	}
	for partition, host := range map[string]string{"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn"} {
		s := d.with(map[string]string{"AWS::Partition": partition})
		url, _ := s.resolve(at(d.doc, "Outputs", "DashboardUrl", "Value")).(string)
		c.want(strings.Contains(url, "."+host+"/"), "in %s the dashboard is at %s", partition, url)
	}
	none := d.with(nil)
	c.want(len(none.properties("AWS::Lambda::Url"))+len(none.properties("AWS::Lambda::Permission")) == 0, "without HTTP there is a URL or a permission")
	c.want(len(none.properties("AWS::Serverless::Function")) == 1, "without HTTP there are two functions")
	return problems
}

// Nothing is lost on the way from the bucket to lambda-objects.
func checkQueues(d template) (problems []string) {
	c := (*complaints)(&problems)
	timeouts, _ := at(d.doc, "Parameters", "Timeout", "AllowedValues").([]any)
	c.want(len(timeouts) > 1, "timeouts: %v", timeouts)
	for _, timeout := range timeouts {
		var seconds float64
		fmt.Sscan(timeout.(string), &seconds)
		s := d.with(map[string]string{"Timeout": timeout.(string)})
		queue := s.properties("AWS::SQS::Queue")["Queue"]
		c.want(number(queue["VisibilityTimeout"]) == 6*seconds, "visibility %v for the timeout %v", queue["VisibilityTimeout"], timeout)
		slow := s.properties("AWS::CloudWatch::Alarm")["AlarmObjectsSlow"]
		c.want(number(slow["Threshold"]) == 800*seconds, "p99 alarm at %v for the timeout %v", slow["Threshold"], timeout)
	}
	queued := d.with(map[string]string{"ReserveConcurrency": "true"})
	queues := queued.properties("AWS::SQS::Queue")
	queue, dead := queues["Queue"], queues["DeadLetters"]
	c.want(at(queue, "RedrivePolicy", "deadLetterTargetArn") == "<DeadLetters.Arn>", "the queue has no dead-letter queue")
	c.want(number(at(queue, "RedrivePolicy", "maxReceiveCount")) >= 5, "messages are given up after %v receives", at(queue, "RedrivePolicy", "maxReceiveCount"))
	c.want(number(dead["MessageRetentionPeriod"]) > number(queue["MessageRetentionPeriod"]), "dead letters are dropped before the queue's messages")
	for id, q := range queues {
		c.want(q["SqsManagedSseEnabled"] == true, "%s is not encrypted", id)
		c.want(q["MaximumMessageSize"] == nil, "%s loses large events", id)
	}
	from := queued.properties("AWS::Lambda::EventSourceMapping")["FromQueue"]
	c.want(at(from, "EventSourceArn") == "<Queue.Arn>", "nothing reads the queue")
	c.want(reflect.DeepEqual(at(from, "FunctionResponseTypes"), []any{"ReportBatchItemFailures"}), "a failed message fails its batch, or passes for delivered")
	c.want(at(from, "BatchSize") == "1", "%v messages an invocation", at(from, "BatchSize"))
	most, reserved := at(from, "ScalingConfig", "MaximumConcurrency"), queued.properties("AWS::Serverless::Function")["LambdaObjects"]["ReservedConcurrentExecutions"]
	c.want(most != nil && most == reserved, "the queue starts %v invocations at once, %v are reserved", most, reserved)
	rule := queued.properties("AWS::Events::Rule")["Created"]
	c.want(reflect.DeepEqual(at(rule, "EventPattern", "detail-type"), []any{"Object Created"}), "the rule matches %v", at(rule, "EventPattern", "detail-type"))
	c.want(reflect.DeepEqual(at(rule, "EventPattern", "detail", "bucket", "name"), []any{"staging"}), "the rule matches other buckets")
	c.want(reflect.DeepEqual(at(rule, "EventPattern", "account"), []any{"123456789012"}), "the rule hears a bucket of another account")
	c.want(at(rule, "Targets", "Arn") == "<Queue.Arn>" && at(rule, "Targets", "DeadLetterConfig", "Arn") == "<DeadLetters.Arn>", "the rule loses events")
	c.want(at(queued.properties("AWS::S3::Bucket")["Bucket"], "NotificationConfiguration", "EventBridgeConfiguration", "EventBridgeEnabled") == true, "the bucket is silent")

	direct := d.with(map[string]string{"Trigger": "direct", "KeyPrefix": "in/"})
	async := direct.properties("AWS::Lambda::EventInvokeConfig")["Async"]
	c.want(at(async, "DestinationConfig", "OnFailure", "Destination") == "<Failures.Arn>", "events that fail three times are lost")
	for id, m := range direct.properties("AWS::Lambda::EventSourceMapping") {
		c.want(m["Enabled"] == false, "%s feeds failures to the function that failed", id)
	}
	notification := at(direct.properties("AWS::S3::Bucket")["Bucket"], "NotificationConfiguration", "LambdaConfigurations")
	c.want(at(notification, "Function") == "<LambdaObjects.Arn>" && at(notification, "Event") == "s3:ObjectCreated:*", "the bucket calls %v", notification)
	c.want(at(notification, "Filter", "S3Key", "Rules", "Value") == "in/", "the bucket calls for objects outside the prefix")
	// Buckets hold files, and nobody can create them again.
	for _, s := range []stack{direct, d.with(map[string]string{"Backfill": "true"})} {
		for id, r := range s.resources() {
			if at(r, "Type") == "AWS::S3::Bucket" {
				c.want(at(r, "DeletionPolicy") == "Retain", "%s goes with the stack", id)
			}
		}
	}
	slices.Sort(problems)
	return problems
}
