package event

import "github.com/tcbferry/tcbferry/internal/transfer"

// decodeDestination reads the record that Lambda sends to a failure destination.
// Its requestPayload is the event of the invocation that failed: a replay. The
// record of a success is an error, because its files have been delivered.
func decodeDestination(doc document, depth int) (Form, []transfer.Item, *transfer.Error) {
	var context struct{ Condition scalar }
	if doc.has("requestContext") {
		fill(doc["requestContext"], &context)
	}
	if context.Condition == "Success" {
		return "", nil, malformed("the record of an invocation that succeeded; its files have been delivered, so set this destination for failures only")
	}
	_, items, err := decodeLambda(doc["requestPayload"], depth-1)
	return FormFailureDestination, items, prefixed("requestPayload", err)
}
