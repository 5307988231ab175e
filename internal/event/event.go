// Package event is the first and the last stage: it turns the bytes that
// triggered a function into items (Decode), and the outcomes of those items into
// the bytes that the trigger wants to read (Envelope.Reply).
//
// Every kind of envelope has its own file. They are told apart by the fields
// that only they have, and may be wrapped in each other (an S3 notification in
// an SNS message in an SQS message). The structs are our own and lenient: an
// unknown field is ignored, a number may be a string, and one record that cannot
// be read becomes an item with an error and never stops the others.
//
// Nothing is ever dropped: a payload is an error or at least one item, and every
// item has a file, a reason to be skipped or an error.
package event

import (
	"encoding/json"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Host is where the function runs. It decides which envelopes are understood.
type Host string

// The hosts.
const (
	HostLambda Host = "lambda" // AWS Lambda: everything but the COS event
	HostSCF    Host = "scf"    // Tencent SCF: the COS event and the plain request
)

// A Form names a kind of envelope.
type Form string

// The forms.
const (
	FormS3Notification     Form = "s3-notification"
	FormEventBridge        Form = "eventbridge"
	FormSNS                Form = "sns"
	FormSQS                Form = "sqs"
	FormS3Batch            Form = "s3-batch"
	FormDistributedMap     Form = "distributed-map"
	FormFailureDestination Form = "failure-destination"
	FormPlain              Form = "plain"
	FormCOS                Form = "cos"
)

// An Envelope is a decoded payload. Form is the outermost one: it alone decides
// what the reply looks like. Items is never empty, and has the order in which
// the payload names the files.
type Envelope struct {
	Form  Form
	Items []transfer.Item
	job   batchJob // of an S3Batch
}

// maxDepth is how many envelopes may be wrapped in each other. The deepest that
// makes sense is SQS, SNS, failure destination, SNS, S3 notification.
const maxDepth = 5

// Decode reads the payload that triggered a function. The error, if any, is a
// *transfer.Error of Kind Malformed that says what was seen and what is
// understood; it shows the names of fields, but no value that may be a secret.
func Decode(payload []byte, host Host) (*Envelope, error) {
	decode := decodeLambda
	if host == HostSCF {
		decode = decodeSCF
	}
	form, items, err := decode(payload, maxDepth)
	if err == nil && len(items) > maxList {
		err = malformed("the event names %d files, and %d are the most; send fewer at a time", len(items), maxList)
	}
	if err != nil {
		return nil, err
	}
	e := &Envelope{Form: form, Items: items}
	switch form {
	case FormSQS:
	case FormS3Batch:
		fill(payload, &e.job)
	default:
		for i := range items { // an ID is what the reply names, and this reply names none
			items[i].ID = ""
		}
	}
	return e, nil
}

// decodeLambda reads one envelope of AWS, and through itself those inside it.
func decodeLambda(payload json.RawMessage, depth int) (Form, []transfer.Item, *transfer.Error) {
	if depth == 0 {
		return "", nil, malformed("more than %d envelopes are wrapped in each other; send the innermost one", maxDepth)
	}
	doc, err := parse(payload)
	if err != nil {
		return "", nil, err
	}
	switch {
	case doc.has("Records"):
		return decodeRecords(doc, HostLambda, depth, decodeAWSRecord)
	case doc.has("tasks") && doc.has("invocationId"):
		return decodeBatch(doc)
	case doc.has("Items"):
		return decodeMap(doc)
	case isBridge(doc):
		return FormEventBridge, decodeBridge(payload), nil
	case doc.text("Event") == testEvent:
		return FormS3Notification, []transfer.Item{decodeTestEvent(payload)}, nil
	case doc.has("requestPayload"):
		return decodeDestination(doc, depth)
	case isNotification(doc):
		return decodeNotification(doc, depth)
	case doc.has("files"):
		return decodePlain(doc)
	}
	return "", nil, unknown(doc, HostLambda)
}

// decodeSCF reads an envelope of Tencent SCF; there, none is wrapped in another.
func decodeSCF(payload json.RawMessage, depth int) (Form, []transfer.Item, *transfer.Error) {
	doc, err := parse(payload)
	if err != nil {
		return "", nil, err
	}
	switch {
	case doc.has("Records"):
		return decodeRecords(doc, HostSCF, depth, decodeTencentRecord)
	case doc.has("files"):
		return decodePlain(doc)
	}
	return "", nil, unknown(doc, HostSCF)
}
