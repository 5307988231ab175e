//go:build integration

package integration

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// maxReceives is how often a message is tried until it goes to the dead-letter
// queue.
const maxReceives = 3

// A queue is an SQS queue with a dead-letter queue behind it.
type queue struct {
	*moto
	name, url, dlq string // dlq is a URL
}

func (m *moto) queue(t *testing.T, name string) *queue {
	t.Helper()
	q := &queue{moto: m, name: name, dlq: m.create(t, name+"-dlq", nil)}
	redrive, _ := json.Marshal(map[string]any{"deadLetterTargetArn": arn("sqs", name+"-dlq"), "maxReceiveCount": maxReceives}) // plain values always marshal
	q.url = m.create(t, name, map[string]string{"RedrivePolicy": string(redrive), "VisibilityTimeout": "360"})
	return q
}

func (m *moto) create(t *testing.T, name string, attributes map[string]string) string {
	t.Helper()
	var out struct{ QueueUrl string }
	m.sqs(t, "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes}, &out)
	return out.QueueUrl
}

// send puts a message into the queue.
func (q *queue) send(t *testing.T, body string) {
	t.Helper()
	q.sqs(t, "SendMessage", map[string]string{"QueueUrl": q.url, "MessageBody": body}, nil)
}

// A message is what ReceiveMessage returns.
type message struct {
	MessageID, ReceiptHandle, Body, MD5OfBody string
	Attributes                                map[string]string
}

// receive takes up to ten messages; they stay invisible until they are deleted
// or given back.
func (m *moto) receive(t *testing.T, url string) []message {
	t.Helper()
	var out struct{ Messages []message }
	m.sqs(t, "ReceiveMessage", map[string]any{"QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": []string{"All"}}, &out)
	return out.Messages
}

// dead lists what is in the dead-letter queue, by body.
func (q *queue) dead(t *testing.T) []string {
	t.Helper()
	var bodies []string
	for _, msg := range q.receive(t, q.dlq) {
		bodies = append(bodies, msg.Body)
	}
	slices.Sort(bodies)
	return bodies
}

// left is how many messages the queue holds, invisible ones included.
func (q *queue) left(t *testing.T) (n int) {
	t.Helper()
	var out struct{ Attributes map[string]string }
	q.sqs(t, "GetQueueAttributes", map[string]any{"QueueUrl": q.url, "AttributeNames": []string{"All"}}, &out)
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		count, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			t.Fatalf("%s is %q", name, out.Attributes[name])
		}
		n += count
	}
	return n
}

// pump is Lambda's event source mapping: it receives messages, invokes the
// function with them, deletes what succeeded and leaves the rest to the queue,
// until the queue holds nothing. Without partial, the trigger has no
// ReportBatchItemFailures. It returns the messages, each with the times that it
// was handed over.
func (q *queue) pump(t *testing.T, s *site, partial bool) map[*message]int {
	t.Helper()
	known := map[string]*message{}
	tries := map[*message]int{}
	for empty := 0; q.left(t) > 0; {
		batch := q.receive(t, q.url)
		if len(batch) == 0 { // receiving moved the last ones to the dead-letter queue
			if empty++; empty > maxReceives {
				t.Fatalf("%d messages stay in the queue and cannot be received", q.left(t))
			}
			continue
		}
		for _, msg := range batch {
			if known[msg.MessageID] == nil {
				known[msg.MessageID] = &msg
			}
			if tries[known[msg.MessageID]]++; tries[known[msg.MessageID]] > maxReceives {
				t.Fatalf("a message comes too often: %s", msg.Body)
			}
		}
		failed := q.invoke(t, s, batch, partial)
		for _, msg := range batch {
			if failed[msg.MessageID] {
				// The end of the visibility timeout, which is minutes away.
				q.sqs(t, "ChangeMessageVisibility", map[string]any{"QueueUrl": q.url, "ReceiptHandle": msg.ReceiptHandle, "VisibilityTimeout": 0}, nil)
			} else {
				q.sqs(t, "DeleteMessage", map[string]string{"QueueUrl": q.url, "ReceiptHandle": msg.ReceiptHandle}, nil)
			}
		}
	}
	return tries
}

// invoke gives a batch to the function and reads the answer as Lambda does: an
// error fails all, and so does an answer that names an unknown message.
func (q *queue) invoke(t *testing.T, s *site, batch []message, partial bool) map[string]bool {
	t.Helper()
	var event events.SQSEvent
	all := map[string]bool{}
	for _, msg := range batch {
		all[msg.MessageID] = true
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: msg.MessageID, ReceiptHandle: msg.ReceiptHandle, Body: msg.Body, Md5OfBody: msg.MD5OfBody,
			Attributes: msg.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource: "aws:sqs", EventSourceARN: arn("sqs", q.name), AWSRegion: region,
		})
	}
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Invoke(t.Context(), payload, limit)
	if err != nil {
		t.Fatal(err)
	}
	if result.FunctionError {
		if partial {
			t.Errorf("the function fails: %s %s", result.ErrorType, result.ErrorMessage)
		}
		return all
	}
	if !partial {
		return nil
	}
	var answer events.SQSEventResponse
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		t.Fatalf("the function answers %s: %v", result.Payload, err)
	}
	failed := map[string]bool{}
	for _, f := range answer.BatchItemFailures {
		if !all[f.ItemIdentifier] {
			t.Fatalf("the function names a message that it was not given: %s", result.Payload)
		}
		failed[f.ItemIdentifier] = true
	}
	return failed
}
