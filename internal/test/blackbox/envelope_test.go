package blackbox_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

type object = map[string]any

func document(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of maps of strings: never
	}
	return b
}

// s3Event is the notification for keys of the staging bucket. An empty key makes
// a record without one.
func s3Event(keys ...string) []byte {
	var records []any
	for i, key := range keys {
		file := object{"size": 1, "eTag": "0", "sequencer": fmt.Sprintf("%016X", i+1)}
		if key != "" {
			file["key"] = url.QueryEscape(key)
		}
		records = append(records, object{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
			"eventTime": "2026-11-22T08:30:00.123Z", "eventName": "ObjectCreated:Put",
			"s3": object{"bucket": object{"name": devstack.Bucket}, "object": file},
		})
	}
	return document(object{"Records": records})
}

// sqsEvent has a message for each key: m-0, m-1 and so on.
func sqsEvent(keys ...string) []byte { return queue("staging", "", keys) }

// fifoEvent is sqsEvent of a FIFO queue with a single message group.
func fifoEvent(keys ...string) []byte { return queue("staging.fifo", "g", keys) }

func queue(name, group string, keys []string) []byte {
	var records []any
	for i, key := range keys {
		attributes := object{"ApproximateReceiveCount": "1"}
		if group != "" {
			attributes["MessageGroupId"], attributes["SequenceNumber"] = group, fmt.Sprintf("%020d", i+1)
		}
		records = append(records, object{
			"messageId": fmt.Sprintf("m-%d", i), "receiptHandle": receiptHandle, "body": string(s3Event(key)),
			"attributes": attributes, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:" + name,
		})
	}
	return document(object{"Records": records})
}

// batchEvent has a task for each key: t-0, t-1 and so on.
func batchEvent(keys ...string) []byte {
	var tasks []any
	for i, key := range keys {
		task := object{"taskId": fmt.Sprintf("t-%d", i), "s3BucketArn": "arn:aws:s3:::" + devstack.Bucket, "s3VersionId": nil}
		if key != "" {
			task["s3Key"] = url.QueryEscape(key)
		}
		tasks = append(tasks, task)
	}
	return document(object{"invocationSchemaVersion": "1.0", "invocationId": "invocation-1", "job": object{"id": "job-1"}, "tasks": tasks})
}

// A COS event holds the uploader's own signature, and an SQS message a receipt
// handle: they are to be seen nowhere.
const (
	uploaderSignature = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	receiptHandle     = "AQEBreceiptHandleOfTheMessage"
)

// cosEvent is the event of a COS trigger.
func cosEvent(keys ...string) []byte {
	name, account, _ := strings.Cut(kit.CosBucket, "-")
	var records []any
	for _, key := range keys {
		file := object{"size": 1, "meta": object{"ETag": `"0"`}, "vid": ""}
		if key != "" {
			file["key"] = "/" + account + "/" + name + "/" + key
			file["url"] = "http://" + kit.CosBucket + ".cos.ap-shanghai.myqcloud.com/" + (&url.URL{Path: key}).EscapedPath()
		}
		records = append(records, object{
			"cos": object{
				"cosSchemaVersion": "1.0", "cosNotificationId": "unkown", "cosObject": file,
				"cosBucket": object{"appid": account, "name": name, "region": "sh", "cosRegion": "ap-shanghai", "s3Region": "ap-shanghai"},
			},
			"event": object{
				"eventName": "cos:ObjectCreated:Put", "eventSource": "qcs::cos", "eventTime": 1795336200, "eventVersion": "1.0",
				"requestParameters": object{"requestSourceIP": "203.0.113.8", "requestHeaders": object{"Authorization": "q-sign-algorithm=sha1&q-ak=AKIDofTheUploader&q-signature=" + uploaderSignature}},
			},
		})
	}
	return document(object{"Records": records})
}

// plain is the request for a replay by hand.
func plain(sources ...string) []byte { return document(object{"files": sources}) }
