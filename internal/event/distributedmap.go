package event

import (
	"encoding/json"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// mapAdvice says how to hand over the bucket, which the items of a Distributed
// Map do not name.
const mapAdvice = `set ItemBatcher.BatchInput to {"bucket":"NAME"} in the state machine, so that the function receives Items and BatchInput.bucket`

// decodeMap reads a batch of a Step Functions Distributed Map over an S3
// listing. Its keys are verbatim, and LastModified is the only time it has.
func decodeMap(doc document) (Form, []transfer.Item, *transfer.Error) {
	list, err := doc.list("Items")
	if err != nil {
		return "", nil, err
	}
	var input struct{ Bucket text }
	if doc.has("BatchInput") {
		fill(doc["BatchInput"], &input)
	}
	if input.Bucket == "" {
		return "", nil, malformed("a Distributed Map batch without BatchInput.bucket; %s", mapAdvice)
	}
	return DistributedMap, each("item", list, func(raw json.RawMessage) []transfer.Item {
		var f struct{ Key, Size, ETag, LastModified text }
		fill(raw, &f)
		return []transfer.Item{finish(transfer.Item{
			Ref:  transfer.Ref{Scheme: transfer.SchemeS3, Bucket: string(input.Bucket), Key: string(f.Key)},
			Size: f.Size.size(),
			ETag: f.ETag.etag(),
			Time: f.LastModified.time(),
		}, true)}
	}), nil
}

// isMapItem tells a single item of a Distributed Map that has no ItemBatcher: it
// cannot be carried, for it names no bucket.
func isMapItem(doc document) bool {
	return doc.has("Key") && doc.has("LastModified") && doc.has("Size")
}
