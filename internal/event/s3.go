package event

import (
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// decodeS3 reads one record of an S3 notification, eventVersion 2.x, of S3 or of
// a store that speaks like it. MinIO and versitygw put "s3:" before the
// eventName and may quote the eTag.
func decodeS3(raw json.RawMessage) transfer.Item {
	var r struct {
		AWSRegion, EventTime, EventName text
		S3                              struct {
			Bucket struct{ Name, ARN text }
			Object struct{ Key, Size, ETag, Sequencer text }
		}
	}
	fill(raw, &r)
	if r.EventName == "" {
		return broken(malformed("it has no eventName; send the event unchanged"))
	}
	name := strings.TrimPrefix(string(r.EventName), "s3:")
	item := transfer.Item{
		Ref: transfer.Ref{
			Scheme: transfer.SchemeS3,
			Region: string(r.AWSRegion),
			Bucket: string(r.S3.Bucket.Name),
			Key:    eventKey(string(r.S3.Object.Key), string(r.S3.Bucket.Name), string(r.S3.Bucket.ARN)),
		},
		Size:  r.S3.Object.Size.size(),
		ETag:  r.S3.Object.ETag.etag(),
		Order: r.S3.Object.Sequencer.order(),
		Time:  r.EventTime.time(),
	}
	if item.Size == 0 && strings.HasSuffix(name, ":CompleteMultipartUpload") {
		item.Size = -1 // versitygw says 0 for every multipart upload
	}
	return finish(item, strings.HasPrefix(name, "ObjectCreated:"))
}

// eventKey returns the key that a notification spells form-encoded. versitygw
// sends keys as they are, and it can be told by its ARN of the bucket, which ends
// in the bucket's name and the key; S3's ends in the name.
func eventKey(spelled, bucket, arn string) string {
	if strings.HasSuffix(arn, "/"+bucket+"/"+spelled) {
		return spelled
	}
	return formKey(spelled)
}

// testEvent is the Event of the message that S3 sends when a notification is
// set up.
const testEvent = "s3:TestEvent"

// decodeTestEvent reads that message; its reference has no key.
func decodeTestEvent(raw json.RawMessage) transfer.Item {
	var r struct{ Bucket, Time text }
	fill(raw, &r)
	item := transfer.Item{Size: -1, Time: r.Time.time(), Reason: transfer.ReasonTestEvent}
	if r.Bucket != "" {
		item.Ref = transfer.Ref{Scheme: transfer.SchemeS3, Bucket: string(r.Bucket)}
	}
	return item
}
