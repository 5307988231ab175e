package event

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// mapAdvice says how to pass the bucket, which a listing's items do not name.
const mapAdvice = `set ItemBatcher.BatchInput to {"bucket":"NAME"} in the state machine, so that the function receives Items and BatchInput.bucket`

// decodeMap reads a batch of a Step Functions Distributed Map. An item's own Bucket
// counts before BatchInput.bucket.
//
// Items come from a listing, whose keys are verbatim and which has no bucket; from
// an S3 inventory, which is told by its LastModifiedDate and form-encodes keys
// (aws docs, storage-inventory-location); or from any other CSV file, which
// may do either, so that both spellings are tried.
func decodeMap(doc document) (Form, []transfer.Item, *transfer.Error) {
	list, err := doc.list("Items")
	if err != nil {
		return "", nil, err
	}
	var input struct{ Bucket scalar }
	if doc.has("BatchInput") {
		fill(doc["BatchInput"], &input)
	}
	named := func(raw json.RawMessage) bool {
		var f struct{ Bucket scalar }
		fill(raw, &f)
		return f.Bucket != ""
	}
	if input.Bucket == "" && !slices.ContainsFunc(list, named) {
		return "", nil, malformed("a Distributed Map batch without BatchInput.bucket; %s", mapAdvice)
	}
	return FormDistributedMap, decodeElements("item", list, func(raw json.RawMessage) []transfer.Item {
		var f struct{ Bucket, Key, Size, ETag, LastModified, LastModifiedDate scalar }
		fill(raw, &f)
		item := transfer.Item{
			Ref:  transfer.Ref{Scheme: transfer.SchemeS3, Bucket: string(cmp.Or(f.Bucket, input.Bucket)), Key: string(f.Key)},
			Size: f.Size.size(),
			ETag: f.ETag.etag(),
			Time: cmp.Or(f.LastModified, f.LastModifiedDate).time(),
		}
		switch decoded := FormKey(item.Ref.Key); {
		case item.Ref.Bucket == "" && item.Ref.Key != "":
			return []transfer.Item{unreadable(malformed("neither it nor BatchInput names a bucket; %s", mapAdvice))}
		case f.LastModifiedDate != "":
			item.Ref.Key = decoded
		case f.Bucket != "":
			item.AltKey = decoded
		}
		return []transfer.Item{classify(item, true)}
	}), nil
}

// isMapItem tells a single item of a Distributed Map that has no ItemBatcher. It
// cannot be delivered, because it names no bucket.
func isMapItem(doc document) bool {
	return doc.has("Key") && doc.has("LastModified") && doc.has("Size")
}
