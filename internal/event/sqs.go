package event

import (
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// decodeSQS reads one message of an SQS event: its body is an envelope. Every file
// in it has the message's ID. Only the messages of a FIFO queue form groups with an
// order. A standard queue uses MessageGroupId for fair sharing only. A FIFO queue is
// told by its ARN, or by the sequence number that only its messages have.
func decodeSQS(raw json.RawMessage, depth int) []transfer.Item {
	var r struct {
		MessageID, Body, EventSourceARN scalar
		Attributes                      struct{ MessageGroupID, SequenceNumber scalar }
	}
	fill(raw, &r)
	_, items, err := decodeLambda([]byte(r.Body), depth-1)
	if err != nil {
		items = []transfer.Item{unreadable(err)}
	}
	group := ""
	if strings.HasSuffix(string(r.EventSourceARN), ".fifo") || r.Attributes.SequenceNumber != "" {
		group = string(r.Attributes.MessageGroupID)
	}
	for i := range items {
		items[i].ID, items[i].Group = string(r.MessageID), group
		items[i].Err = prefixed("SQS message "+clip(string(r.MessageID)), items[i].Err)
	}
	return items
}

// A messageFailure names one message that SQS is to deliver again.
type messageFailure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

// partialBatch is the reply to an SQS event whose trigger has
// ReportBatchItemFailures: the messages to be delivered again, each once. A
// message fails when any of its files did, and in a FIFO queue so do all later
// messages of its group, because they must not overtake it. ok is false when a
// message that failed has no ID to be named by.
func (e *Envelope) partialBatch(outs []transfer.Outcome) (doc map[string][]messageFailure, ok bool) {
	failures := []messageFailure{} // an empty list, not null
	named, stopped := map[string]bool{}, map[string]bool{}
	for i, item := range e.Items {
		ordered := item.Group != ""
		if outs[i].Status() != transfer.StatusFailed && !(ordered && stopped[item.Group]) {
			continue
		}
		if item.ID == "" {
			return nil, false
		}
		stopped[item.Group] = ordered
		if !named[item.ID] {
			named[item.ID] = true
			failures = append(failures, messageFailure{item.ID})
		}
	}
	return map[string][]messageFailure{"batchItemFailures": failures}, true
}
