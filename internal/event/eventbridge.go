package event

import (
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// bridgeCreated is the one detail-type that brings a file. It must match
// exactly, because "Object Annotation Created" exists too.
const bridgeCreated = "Object Created"

// isBridge tells an event that S3 itself sent to EventBridge: all of its
// detail-types start with "Object ". An API call that CloudTrail reports has the
// same source, but another detail.
func isBridge(doc document) bool {
	return doc.text("source") == "aws.s3" && strings.HasPrefix(doc.text("detail-type"), "Object ")
}

// decodeBridge reads an event of S3 on EventBridge. Its key is verbatim.
func decodeBridge(raw json.RawMessage) []transfer.Item {
	var e struct {
		DetailType   scalar `json:"detail-type"`
		Time, Region scalar
		Detail       struct {
			Bucket struct{ Name scalar }
			Object struct{ Key, Size, ETag, Sequencer scalar }
		}
	}
	fill(raw, &e)
	item := transfer.Item{
		Ref: transfer.Ref{
			Scheme: transfer.SchemeS3,
			Region: string(e.Region),
			Bucket: string(e.Detail.Bucket.Name),
			Key:    string(e.Detail.Object.Key),
		},
		Size:  e.Detail.Object.Size.size(),
		ETag:  e.Detail.Object.ETag.etag(),
		Order: e.Detail.Object.Sequencer.order(),
		Time:  e.Time.time(),
	}
	return requireUTF8([]transfer.Item{classify(item, e.DetailType == bridgeCreated)}, raw)
}
