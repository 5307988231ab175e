package event

import (
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// decodeS3 reads one record of an S3 notification, eventVersion 2.x, of S3 or of
// a store that imitates it. MinIO and versitygw put "s3:" before the eventName and
// may quote the eTag.
func decodeS3(raw json.RawMessage) transfer.Item {
	var r struct {
		AWSRegion, EventSource, EventTime, EventName scalar

		S3 struct {
			Bucket struct{ Name, ARN scalar }
			Object struct{ Key, Size, ETag, Sequencer scalar }
		}
	}
	fill(raw, &r)
	if r.EventName == "" {
		return unreadable(malformed("it has no eventName; send the event unchanged"))
	}
	name := strings.TrimPrefix(string(r.EventName), "s3:")
	item := transfer.Item{
		Ref: transfer.Ref{
			Scheme: transfer.SchemeS3,
			Region: string(r.AWSRegion),
			Bucket: string(r.S3.Bucket.Name),
		},
		Size:  r.S3.Object.Size.size(),
		ETag:  r.S3.Object.ETag.etag(),
		Order: r.S3.Object.Sequencer.order(),
		Time:  r.EventTime.time(),
	}
	item.Ref.Key, item.AltKey = eventKey(string(r.EventSource), string(r.S3.Object.Key), string(r.S3.Bucket.Name), string(r.S3.Bucket.ARN))
	if item.Size == 0 && strings.HasSuffix(name, ":CompleteMultipartUpload") {
		item.Size = -1 // versitygw says 0 for every multipart upload
	}
	return classify(item, strings.HasPrefix(name, "ObjectCreated:"))
}

// eventKey returns the key of a notification, and a second spelling for senders
// that may or may not encode. S3 form-encodes. Ceph does not (its source,
// rgw_pubsub_s3_event: encode_json("key", object_key)), as far as is known. Nor
// does versitygw, whose ARN of the bucket ends in the bucket's name and the key.
// Any other sender is believed to do as S3 does, but not blindly.
func eventKey(source, spelled, bucket, arn string) (key, alt string) {
	decoded := FormKey(spelled)
	switch {
	case strings.HasSuffix(arn, "/"+bucket+"/"+spelled):
		return spelled, ""
	case source == "aws:s3":
		return decoded, ""
	case source == "ceph:s3":
		return spelled, decoded
	}
	return decoded, spelled
}

// testEvent is the Event of the message that S3 sends when a notification is
// set up.
const testEvent = "s3:TestEvent"

// decodeTestEvent reads that message; its reference has no key.
func decodeTestEvent(raw json.RawMessage) transfer.Item {
	var r struct{ Bucket, Time scalar }
	fill(raw, &r)
	item := transfer.Item{Size: -1, Time: r.Time.time(), Reason: transfer.ReasonTestEvent}
	if r.Bucket != "" {
		item.Ref = transfer.Ref{Scheme: transfer.SchemeS3, Bucket: string(r.Bucket)}
	}
	return item
}
