package event

import "github.com/tcbferry/tcbferry/internal/transfer"

// decodeDestination reads the record that Lambda sends to a failure destination.
// Its requestPayload is the event of the invocation that failed: a replay.
func decodeDestination(doc document, depth int) (Form, []transfer.Item, *transfer.Error) {
	_, items, err := decodeLambda(doc["requestPayload"], depth-1)
	return FailureDestination, items, within("requestPayload", err)
}
