package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// ReplyOptions say what the trigger is able to read. PartialBatch: the SQS
// trigger has ReportBatchItemFailures (SQS_PARTIAL_BATCH).
type ReplyOptions struct{ PartialBatch bool }

// DeliveryFailed is the error of an invocation in which a file failed, after all
// files were tried. Its text is the files document, in one line. The Lambda and
// SCF runtimes report the name of this Go type as the error's type.
type DeliveryFailed struct{ doc string }

// Error returns the files document.
func (e *DeliveryFailed) Error() string { return e.doc }

// Reply returns what the function answers, given one outcome for every item, in
// the order of Items:
//
//   - S3Batch: its own response document, and never a *DeliveryFailed;
//   - SQS with PartialBatch: the messages that failed, and nothing else;
//   - otherwise the files document, {"files":[...]}; when a file failed it is
//     the text of a *DeliveryFailed instead.
//
// Any other number of outcomes is an error, because then a file has no answer.
func (e *Envelope) Reply(outs []transfer.Outcome, opts ReplyOptions) ([]byte, error) {
	if len(outs) != len(e.Items) {
		return nil, fmt.Errorf("%d files have %d outcomes: this is a bug in the function, please report it", len(e.Items), len(outs))
	}
	switch {
	case e.Form == FormS3Batch:
		return encode(e.batchReply(outs))
	case e.Form == FormSQS && opts.PartialBatch:
		if doc, ok := e.partialBatch(outs); ok {
			return encode(doc)
		}
	}
	return filesReply(outs)
}

// maxReply bounds an answer in bytes. Lambda and SCF accept 6 MiB, and Lambda ends a
// function that returns more. 64 KiB less is a guess at what the platform adds.
const maxReply = 6<<20 - 64<<10

// filesReply is the files document, as an answer or as an error. Entries that
// would make it too large are left out, and counted by status under "omitted".
func filesReply(outs []transfer.Outcome) ([]byte, error) {
	failed := slices.ContainsFunc(outs, func(o transfer.Outcome) bool { return o.Err != nil })
	doc := struct {
		Files   []json.RawMessage `json:"files"`
		Omitted map[string]int    `json:"omitted,omitempty"`
	}{make([]json.RawMessage, 0, len(outs)), map[string]int{}}
	left := maxReply
	for i := range outs {
		if left > 0 {
			entry, err := encode(&outs[i]) // the pointer has MarshalJSON
			if err != nil {
				return nil, err
			}
			if left -= wireSize(entry, failed); left >= 0 {
				doc.Files = append(doc.Files, entry)
				continue
			}
		}
		doc.Omitted[outs[i].Status()]++
	}
	text, err := encode(doc)
	if err == nil && failed {
		return nil, &DeliveryFailed{string(text)}
	}
	return text, err
}

// wireSize is how many bytes an entry and its comma take up. In an error the
// document is a JSON string in its turn, written by encoding/json's rules, so that
// quotes count double.
func wireSize(entry []byte, quoted bool) int {
	if quoted {
		entry, _ = json.Marshal(string(entry)) // a string always marshals
	}
	return len(entry) + 1
}

// encode is transfer.JSON with DEL, which encoding/json lets pass, escaped: aws-lambda-go
// puts an error's text into a header too, where net/http refuses that byte, and the
// process ends.
func encode(v any) ([]byte, error) {
	text, err := transfer.JSON(v)
	if bytes.IndexByte(text, 0x7f) >= 0 {
		text = bytes.ReplaceAll(text, []byte{0x7f}, []byte(`\u007f`))
	}
	return text, err
}
