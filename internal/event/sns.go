package event

import (
	"encoding/json"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// decodeSNS reads one record of an SNS event: its Message is an envelope.
func decodeSNS(raw json.RawMessage, depth int) []transfer.Item {
	var r struct{ Sns struct{ Message scalar } }
	fill(raw, &r)
	_, items, err := decodeLambda([]byte(r.Sns.Message), depth-1)
	if err != nil {
		return []transfer.Item{unreadable(prefixed("SNS message", err))}
	}
	return items
}

// isNotification tells the document that SNS makes of a message for SQS, when
// raw delivery is off.
func isNotification(doc document) bool {
	return doc.text("Type") == "Notification" && doc.has("Message")
}

// decodeNotification reads such a document.
func decodeNotification(doc document, depth int) (Form, []transfer.Item, *transfer.Error) {
	_, items, err := decodeLambda([]byte(doc.text("Message")), depth-1)
	return FormSNS, requireUTF8(items, doc["Message"]), prefixed("SNS message", err)
}
