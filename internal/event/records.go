package event

import (
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A recordReader reads one entry of Records into one item or more. The form is
// empty when the kind of the entry is not known.
type recordReader func(raw json.RawMessage, depth int) (Form, []transfer.Item)

// decodeRecords reads the entries of Records. The form is SQS as soon as one
// entry is an SQS message, because then the reply must name it; else it is that of
// the first entry of a known kind. The others become items with an error,
// unless no kind is known: then the whole payload is.
func decodeRecords(doc document, host Host, depth int, read recordReader) (Form, []transfer.Item, *transfer.Error) {
	list, err := doc.list("Records")
	if err != nil {
		return "", nil, err
	}
	var form Form
	items := decodeElements("record", list, func(raw json.RawMessage) []transfer.Item {
		f, items := read(raw, depth)
		if f == "" {
			return []transfer.Item{unreadable(malformed("it is of an unknown kind (%s)", seenIn(raw)))}
		}
		if form == "" || f == FormSQS {
			form = f
		}
		return items
	})
	if form == "" {
		return "", nil, unknown(doc, host)
	}
	return form, items, nil
}

// decodeAWSRecord tells the records of AWS apart. SNS spells the field
// EventSource, the others eventSource; encoding/json takes either.
func decodeAWSRecord(raw json.RawMessage, depth int) (Form, []transfer.Item) {
	var head struct{ EventSource scalar }
	fill(raw, &head)
	switch source := string(head.EventSource); {
	case source == "aws:sqs":
		return FormSQS, decodeSQS(raw, depth)
	case source == "aws:sns":
		return FormSNS, decodeSNS(raw, depth)
	case strings.HasSuffix(source, ":s3"): // aws:s3, minio:s3
		return FormS3Notification, []transfer.Item{decodeS3(raw)}
	}
	return "", nil
}

// decodeTencentRecord knows the records of a COS trigger; those of CMQ and
// Ckafka have the same frame.
func decodeTencentRecord(raw json.RawMessage, _ int) (Form, []transfer.Item) {
	if record, err := parse(raw); err != nil || !record.has("cos") {
		return "", nil
	}
	return FormCOS, []transfer.Item{decodeCOS(raw)}
}
