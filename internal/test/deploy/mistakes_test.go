package deploy

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A mistake is something that a person might do to the template: text that is
// replaced, the first time that it occurs. says is part of the check's complaint.
type mistake struct{ name, old, new, check, says string }

var mistakes = []mistake{
	{"plain secret taken", `^$|^ssm:/[A-Za-z0-9_./-]+$|^secretsmanager:[A-Za-z0-9/_+=.@-]+(#.+)?$|^file:/.+$`, `.*`, "patterns", "WeChatAppSecret takes"},
	{"plain secret in routes taken", `(?!.*"(?i:appsecret|apikey)"\s*:\s*"(?!ssm:/|secretsmanager:|file:/))`, ``, "patterns", "Routes takes"},
	{"secret in another spelling taken", `(?i:appsecret|apikey)`, `appSecret`, "patterns", `Routes takes "[{\"APPSECRET\"`},
	{"secret behind an escape taken", `[^\\]*\]`, `.*\]`, "patterns", "app\\\\u0053ecret"},
	{"undescribed parameter", "    Description: ID of the CloudBase environment", "    # Description: ID of the CloudBase environment", "parameters", "CloudBaseEnv has no description"},
	{"parameter in no group", "[CloudBaseEnv, CloudBasePath, ", "[CloudBaseEnv, ", "parameters", "CloudBasePath is in 0 groups"},
	{"rule forgotten", "!Equals [!Ref WeChatCloudBaseTokenFile, \"\"], !Equals [!Ref CloudBaseApiKey, \"\"]]\n        AssertDescription: Keep one kind of credentials; WeChatCloud", "!Equals [a, a], !Equals [b, b]]\n        AssertDescription: Keep one kind of credentials; WeChatCloud", "rules", "a file and a key: no rule says"},
	{"region forgotten", "cn-north-1, cn-northwest-1, eu-central-2", "cn-northwest-1, eu-central-2", "rules", "a function URL in China: no rule says"},
	{"functions not in the subnet", "SubnetIds: !If [OwnEgress, [!GetAtt Egress.Outputs.SubnetId], !Ref SubnetIds]", "SubnetIds: !Ref SubnetIds", "stack", "== fixed address"},
	{"console of another partition", "!If [InGovCloud, console.amazonaws-us-gov.com, console.aws.amazon.com]", "console.aws.amazon.com", "stack", "== GovCloud"},
	{"callers of an API without the right", "execute-api:Invoke", "lambda:InvokeFunctionUrl", "stack", "execute-api:Invoke"},
	{"rule too strict", "RuleCondition: !Or [!Equals [!Ref Routes, \"\"], !Not [!Equals [!Ref Http, none]]]", "RuleCondition: !Equals [a, a]", "rules", "credentials in routes: rules refuse"},
	{"misspelt variable", "          INCLUDE: ", "          INCLUDES: ", "environment", "sets INCLUDES, which nothing reads"},
	{"forgotten variable", "          LOG_LEVEL: !Ref LogLevel", "", "environment", "does not set LOG_LEVEL"},
	{"secret of another cloud", "          LOG_LEVEL: !Ref LogLevel", "          LOG_LEVEL: !Ref LogLevel\n          TENCENTCLOUD_SESSIONTOKEN: x", "environment", "sets TENCENTCLOUD_SESSIONTOKEN, which is on the list"},
	{"tags when it deletes", "  Tags: !Equals [!Ref OnDelivered, tag]", "  Tags: !Not [!Equals [!Ref OnDelivered, keep]]", "stack", "== delete: + ObjectsRole"},
	{"whole bucket", `Resource: !Sub "arn:${AWS::Partition}:s3:::${StagingBucket}/${KeyPrefix}*"`, `Resource: !Sub "arn:${AWS::Partition}:s3:::${StagingBucket}/*"`, "stack", "== part of a bucket"},
	{"secret's key forgotten", "  SecretsHaveKey: !Not [!Equals [!Ref SecretKmsKeyArn, \"\"]]", "  SecretsHaveKey: !Equals [!Ref SecretKmsKeyArn, x]", "stack", "DecryptSecrets"},
	{"bucket of another account", "                Action: s3:GetObject\n                Resource: !Sub \"arn:${AWS::Partition}:s3:::${StagingBucket}/${KeyPrefix}*\"\n                Condition: {StringEquals: {\"aws:ResourceAccount\": !Ref AWS::AccountId}}", "                Action: s3:GetObject\n                Resource: !Sub \"arn:${AWS::Partition}:s3:::${StagingBucket}/${KeyPrefix}*\"", "stack", "ReadObjects"},
	{"URL that cannot be shut", "!If [HttpOff, 0, !If [HttpReserved", "!If [HttpOff, 1, !If [HttpReserved", "stack", "== HTTP shut: + LambdaHttp.Properties.ReservedConcurrentExecutions 1"},
	{"short visibility", `"300": {Visibility: 1800`, `"300": {Visibility: 300`, "stack", "Queue.Properties.VisibilityTimeout 300"},
	{"bucket deleted", "DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete", "stack", "Bucket.DeletionPolicy"},
	{"dead letters deleted", "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n      VisibilityTimeout", "    DeletionPolicy: Delete\n    UpdateReplacePolicy: Retain\n    Properties:\n      VisibilityTimeout", "stack", "DeadLetters.DeletionPolicy"},
	{"dead letters lost with the queue", "  DeadLetters:\n    Type: AWS::SQS::Queue\n", "  DeadLetters:\n    Type: AWS::SQS::Queue\n    Condition: Queued\n", "stack", "== direct: - DeadLetters.Type"},
	{"kind without alarm", "Value: Corrupt}", "Value: Corruption}", "telemetry", "kind Corrupt raise no alarm"},
	{"misspelt metric", "MetricName: Failures\n", "MetricName: Failed\n", "telemetry", "never written"},
	{"dashboard no JSON", `{"widgets": [`, `{"widgets": [,`, "telemetry", "dashboard: "},
	{"dashboard's misspelt metric", `"FilesSkipped"`, `"FileSkipped"`, "telemetry", "shows tcbferry FileSkipped"},
}

func (m mistake) make(template string) (string, error) {
	if !strings.Contains(template, m.old) {
		return "", fmt.Errorf("the mistake %q cannot be made: the template has no %q", m.name, m.old)
	}
	return strings.Replace(template, m.old, m.new, 1), nil
}

// Each mistake is noticed by the check that is there for it.
func TestMistakes(t *testing.T) {
	t.Parallel()
	text := source(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			if _, err := exec.LookPath("python3"); err != nil && m.check == "patterns" {
				t.Skip("skipped: python3 is not installed")
			}
			wrong, err := m.make(text)
			if err != nil {
				t.Fatal(err)
			}
			d, err := parse(wrong)
			if err != nil {
				t.Fatalf("the template cannot be read, which says nothing about the check: %v", err)
			}
			if all := strings.Join(checks[m.check](d), "\n"); !strings.Contains(all, m.says) {
				t.Errorf("no check says %q, only:\n%s", m.says, all)
			}
		})
	}
}
