package event

import (
	"bytes"
	"encoding/json"
	"fmt"

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
// Any other number of outcomes is an error, for then a file has no answer.
func (e *Envelope) Reply(outs []transfer.Outcome, opts ReplyOptions) ([]byte, error) {
	if len(outs) != len(e.Items) {
		return nil, fmt.Errorf("%d files have %d outcomes: this is a fault in the function, please report it", len(e.Items), len(outs))
	}
	switch {
	case e.Form == S3Batch:
		return encode(e.batchReply(outs))
	case e.Form == SQS && opts.PartialBatch:
		if doc, ok := e.partialBatch(outs); ok {
			return encode(doc)
		}
	}
	return filesReply(outs)
}

// filesReply is the files document, as an answer or as an error.
func filesReply(outs []transfer.Outcome) ([]byte, error) {
	files := make([]*transfer.Outcome, len(outs)) // it is the pointer that has MarshalJSON
	failed := false
	for i := range outs {
		files[i] = &outs[i]
		failed = failed || outs[i].Status() == transfer.Failed
	}
	doc, err := encode(map[string]any{"files": files})
	if err == nil && failed {
		return nil, &DeliveryFailed{string(doc)}
	}
	return doc, err
}

// encode returns v as JSON in one line, with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
