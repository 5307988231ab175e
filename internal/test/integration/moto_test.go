//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const account = "123456789012" // moto's

// A moto is a running moto_server: AWS at one address.
type moto struct{ url string }

func TestMoto(t *testing.T) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		skip(t, "moto_server", fmt.Errorf("it is not in PATH; pip install 'moto[server]' brings it"))
	}
	port := kit.FreePort(t)
	m := &moto{"http://127.0.0.1:" + port}
	if err := serve(t, m.url+"/moto-api/", path, "-H", "127.0.0.1", "-p", port); err != nil {
		skip(t, "moto_server", err)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *moto)
	}{
		{"S3 to SQS", func(t *testing.T, m *moto) { testEnvelope(t, m, "direct", notifyQueue, `{"Records": [`, true) }},
		{"S3 to SNS to SQS", func(t *testing.T, m *moto) {
			testEnvelope(t, m, "topic", notifyTopic(false), `"Type": "Notification"`, true)
		}},
		{"S3 to SNS to SQS, raw", func(t *testing.T, m *moto) { testEnvelope(t, m, "raw", notifyTopic(true), `{"Records": [`, true) }},
		{"S3 to EventBridge to SQS", func(t *testing.T, m *moto) { testEnvelope(t, m, "bus", notifyBus, `"source": "aws.s3"`, false) }},
		{"poison goes to the dead-letter queue", testPoison},
		{"a failure comes again and is replayed", testReplay},
		{"SQS_PARTIAL_BATCH=false keeps the batch", testWholeBatch},
		{"check, repair, check", testRepair},
		{"scheduled check, queue, check", testScheduled},
		{"commands of the guide", testGuide},
		{"ON_DELIVERED=tag", testTag},
		{"ON_DELIVERED=delete", testDelete},
		{"secrets by reference", testSecrets},
		{"secrets that cannot be read stop the start", testMissingSecrets},
	} {
		step(t, "moto_server", test.name, func(t *testing.T) { test.run(t, m) })
	}
}

// ask makes one request of an AWS service. moto finds the service by the
// signature's scope and never checks the signature.
func (m *moto) ask(t *testing.T, service, contentType, target string, body []byte) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	req.Header.Set("Content-Type", contentType)
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	resp, err := kit.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, resp)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("moto answers %s to %s %s %s: %s", resp.Status, service, target, body, text)
	}
	return text
}

// sqs makes one request of SQS, in its JSON protocol.
func (m *moto) sqs(t *testing.T, action string, in, out any) {
	t.Helper()
	m.json(t, "sqs", "application/x-amz-json-1.0", "AmazonSQS."+action, in, out)
}

// events makes one request of EventBridge.
func (m *moto) events(t *testing.T, action string, in any) {
	t.Helper()
	m.json(t, "events", "application/x-amz-json-1.1", "AWSEvents."+action, in, nil)
}

func (m *moto) json(t *testing.T, service, contentType, target string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	text := m.ask(t, service, contentType, target, body)
	if out == nil || text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("%s %s: %v in %s", service, target, err, text)
	}
}

// sns makes one request of SNS, which speaks forms and XML, and returns the answer.
func (m *moto) sns(t *testing.T, params ...string) string {
	t.Helper()
	form := url.Values{"Version": {"2010-03-31"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return m.ask(t, "sns", "application/x-www-form-urlencoded", "", []byte(form.Encode()))
}

func arn(service, name string) string {
	return strings.Join([]string{"arn:aws", service, region, account, name}, ":")
}

// A notify makes a bucket's events reach a queue.
type notify func(t *testing.T, m *moto, s *site, queue string)

var created = []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}

func configure(t *testing.T, s *site, c types.NotificationConfiguration) {
	t.Helper()
	if _, err := s.s3.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: &s.bucket, NotificationConfiguration: &c,
	}); err != nil {
		t.Fatal(err)
	}
}

func notifyQueue(t *testing.T, m *moto, s *site, queue string) {
	configure(t, s, types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{
		QueueArn: aws.String(arn("sqs", queue)), Events: created,
	}}})
}

func notifyTopic(raw bool) notify {
	return func(t *testing.T, m *moto, s *site, queue string) {
		topic := queue + "-topic"
		m.sns(t, "Action", "CreateTopic", "Name", topic)
		m.sns(t, "Action", "Subscribe", "TopicArn", arn("sns", topic), "Protocol", "sqs", "Endpoint", arn("sqs", queue))
		if raw {
			m.sns(t, "Action", "SetSubscriptionAttributes", "SubscriptionArn", m.subscription(t, topic),
				"AttributeName", "RawMessageDelivery", "AttributeValue", "true")
		}
		configure(t, s, types.NotificationConfiguration{TopicConfigurations: []types.TopicConfiguration{{
			TopicArn: aws.String(arn("sns", topic)), Events: created,
		}}})
	}
}

// subscription is the ARN of a topic's only subscription.
func (m *moto) subscription(t *testing.T, topic string) string {
	t.Helper()
	_, text, _ := strings.Cut(m.sns(t, "Action", "ListSubscriptionsByTopic", "TopicArn", arn("sns", topic)), "<SubscriptionArn>")
	text, _, ok := strings.Cut(text, "<")
	if !ok {
		t.Fatalf("the topic %s has no subscription", topic)
	}
	return text
}

func notifyBus(t *testing.T, m *moto, s *site, queue string) {
	m.events(t, "PutRule", map[string]any{"Name": queue, "EventPattern": fmt.Sprintf(
		`{"source":["aws.s3"],"detail-type":["Object Created","Object Deleted"],"detail":{"bucket":{"name":[%q]}}}`, s.bucket)})
	m.events(t, "PutTargets", map[string]any{"Rule": queue, "Targets": []map[string]string{{"Id": "queue", "Arn": arn("sqs", queue)}}})
	configure(t, s, types.NotificationConfiguration{EventBridgeConfiguration: &types.EventBridgeConfiguration{}})
}
