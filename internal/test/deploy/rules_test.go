package deploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/config"
)

// app are the credentials of most stacks.
var app = map[string]string{"WeChatAppId": "wx0123456789abcdef", "WeChatAppSecret": "ssm:/tcbferry/app-secret"}

func and(sets ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// impossible are settings with which nothing can ever be delivered, and what
// CloudFormation says of them before it creates anything.
var impossible = []struct {
	name   string
	values map[string]string
	says   string
}{
	{"a bucket and nothing else", map[string]string{"CloudBaseEnv": ""}, "Set CloudBaseEnv"},
	{"an environment and no credentials", nil, "Set WeChatAppId and WeChatAppSecret, or one of"},
	{"an app without its secret", map[string]string{"WeChatAppId": "wx1"}, "WeChatAppId and WeChatAppSecret belong together"},
	{"a secret without its app", map[string]string{"WeChatAppSecret": "ssm:/s"}, "WeChatAppId and WeChatAppSecret belong together"},
	{"an app and a token", and(app, map[string]string{"WeChatAccessToken": "ssm:/t"}), "WeChatAppId with WeChatAppSecret and another kind"},
	{"an app and a key", and(app, map[string]string{"CloudBaseApiKey": "ssm:/t"}), "WeChatAppId with WeChatAppSecret and another kind"},
	{"a token and its server", map[string]string{"WeChatAccessToken": "ssm:/t", "WeChatTokenUrl": "https://tokens.example.com"}, "WeChatAccessToken and another kind"},
	{"a server and a file", map[string]string{"WeChatTokenUrl": "https://tokens.example.com", "WeChatCloudBaseTokenFile": "/t"}, "WeChatTokenUrl and another kind"},
	{"a file and a key", map[string]string{"WeChatCloudBaseTokenFile": "/t", "CloudBaseApiKey": "ssm:/k"}, "WeChatCloudBaseTokenFile and CloudBaseApiKey"},
	{"HTTP by keys without a key", and(app, map[string]string{"Http": "keys"}), "Http=keys needs HttpKeys"},
	{"a function URL in China", and(app, map[string]string{"Http": "iam", "AWS::Region": "cn-north-1"}), "set HttpFront to api"},
	{"a function URL in GovCloud", and(app, map[string]string{"Http": "iam", "AWS::Region": "us-gov-west-1"}), "set HttpFront to api"},
	{"API keys at a function URL", and(app, map[string]string{"Http": "keys", "HttpKeys": "a:" + strings.Repeat("0a", 32), "HttpKeyRate": "5"}), "HttpKeyRate needs"},
	{"X-Ray in China", and(app, map[string]string{"Tracing": "Active", "AWS::Region": "cn-northwest-1"}), "set Tracing to PassThrough"},
	{"HTTP by IAM with a key", and(app, map[string]string{"Http": "iam", "HttpKeys": "a:" + strings.Repeat("0a", 32)}), "exclude each other"},
	{"HTTP with routes alone", and(app, map[string]string{"Http": "iam", "CloudBaseEnv": "", "Routes": `[{"from":"s3://b/","env":"e"}]`}), "Routes do not apply to requests"},
	{"HTTP with the credentials in routes", map[string]string{"Http": "iam", "Routes": `[{"from":"s3://b/","env":"e","apiKey":"ssm:/k"}]`}, "Set WeChatAppId and WeChatAppSecret, or one of"},
	{"parts without credentials", and(app, map[string]string{"MultipartThreshold": "8MiB", "TencentSecretId": "ssm:/id"}), "MultipartThreshold needs"},
	{"a repair without a check", and(app, map[string]string{"CheckRepair": "true"}), "CheckRepair needs"},
	{"a repair without a queue", and(app, map[string]string{"Check": "daily", "CheckRepair": "true", "Trigger": "direct"}), "CheckRepair needs"},
	{"subnets without a group", and(app, map[string]string{"SubnetIds": "subnet-1"}), "SubnetIds and SecurityGroupIds belong together"},
	{"a fixed address and subnets", and(app, map[string]string{"FixedEgress": "true", "SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}), "leave SubnetIds and SecurityGroupIds empty"},
	{"a group without subnets", and(app, map[string]string{"SecurityGroupIds": "sg-1"}), "SubnetIds and SecurityGroupIds belong together"},
}

// unknownToCode are what rules say of AWS and of parts, which the configuration alone does
// not know.
func unknownToCode(says string) bool {
	return slices.ContainsFunc([]string{"MultipartThreshold", "SubnetIds", "set HttpFront", "HttpKeyRate", "Tracing", "CheckRepair"}, func(name string) bool { return strings.Contains(says, name) })
}

// Rules refuse what can never work: what the code refuses at start, and nothing else.
func checkRules(d template) (problems []string) {
	c := (*complaints)(&problems)
	for _, i := range impossible {
		all := strings.Join(d.with(i.values).refusals(), "\n")
		c.want(strings.Contains(all, i.says), "%s: no rule says %q, only: %s", i.name, i.says, all)
	}
	cases := map[string]map[string]string{
		"credentials in routes": {"CloudBaseEnv": "", "Routes": `[{"from":"s3://b/","env":"e","apiKey":"ssm:/k"}]`},
		"half an app in routes": {"WeChatAppId": "wx1", "Routes": `[{"from":"s3://b/","env":"e","appSecret":"ssm:/s"}]`},
	}
	for _, o := range options {
		cases[o.name] = o.values
		cases[o.name+", with an app"] = and(app, o.values)
	}
	for _, i := range impossible {
		if !unknownToCode(i.says) {
			cases[i.name] = i.values
		}
	}
	for name, values := range cases {
		s := d.with(values)
		started := errors.Join(load(s, "LambdaObjects", config.Load), load(s, "LambdaHttp", config.LoadHTTP))
		refused := s.refusals()
		c.want((len(refused) > 0) == (started != nil), "%s: rules refuse %q, the code says %v", name, refused, started)
	}
	return problems
}

// load reads the configuration that a function of the stack has.
func load(s stack, function string, load func(func(string) string) (config.Config, error)) error {
	properties, ok := s.properties("AWS::Serverless::Function")[function]
	if !ok {
		return nil
	}
	variables := at(properties, "Environment", "Variables").(map[string]any)
	_, err := load(func(name string) string {
		if v, ok := variables[name]; ok {
			return fmt.Sprint(v)
		}
		return ""
	})
	return err
}
