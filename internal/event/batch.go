package event

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A batchJob is what the reply to S3 Batch Operations must repeat.
type batchJob struct {
	InvocationSchemaVersion, InvocationID scalar
}

// decodeBatch reads an invocation by S3 Batch Operations. Schema 1.0 names the
// bucket by its ARN, 2.0 by its name; keys are form-encoded as in the manifest. A
// version in the manifest changes nothing: the newest content is delivered.
func decodeBatch(doc document) (Form, []transfer.Item, *transfer.Error) {
	list, err := doc.list("tasks")
	if err != nil {
		return "", nil, err
	}
	return FormS3Batch, decodeElements("task", list, func(raw json.RawMessage) []transfer.Item {
		var t struct{ TaskID, S3Key, S3Bucket, S3BucketARN scalar }
		fill(raw, &t)
		bucket := string(t.S3Bucket)
		if bucket == "" || strings.HasPrefix(bucket, "arn:") {
			bucket = bucketInARN(cmp.Or(bucket, string(t.S3BucketARN)))
		}
		item := classify(transfer.Item{
			Ref:  transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: FormKey(string(t.S3Key))},
			Size: -1,
		}, true)
		item.ID = string(t.TaskID)
		return []transfer.Item{item}
	}), nil
}

// bucketInARN returns the bucket that an ARN names: arn:aws:s3:::NAME, or with a
// region and an account before the name, as in the samples of aws-lambda-go, or
// arn:aws:s3express:REGION:ACCOUNT:bucket/NAME. An access point
// (arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME) is addressed by its whole ARN; with
// colons for the slashes it can stand in a reference.
func bucketInARN(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 || fields[0] != "arn" {
		return ""
	}
	resource := fields[5]
	if name, ok := strings.CutPrefix(resource, "bucket/"); ok && fields[2] == "s3express" {
		return name
	}
	if strings.ContainsAny(resource, ":/") {
		return strings.ReplaceAll(arn, "/", ":")
	}
	return resource
}

// Result codes of S3 Batch Operations: a TemporaryFailure is tried again before
// the job ends.
const (
	batchSucceeded = "Succeeded"
	batchTemporary = "TemporaryFailure"
	batchPermanent = "PermanentFailure"
)

// A batchReply is the response document of S3 Batch Operations. The treatment of
// missing keys is for tasks that Results leaves out.
type batchReply struct {
	SchemaVersion      string       `json:"invocationSchemaVersion"`
	TreatMissingKeysAs string       `json:"treatMissingKeysAs"`
	InvocationID       string       `json:"invocationId"`
	Results            []taskResult `json:"results"`
}

// A taskResult answers one task: ResultString is the file ID, the reason or the
// error.
type taskResult struct {
	TaskID       string `json:"taskId"`
	ResultCode   string `json:"resultCode"`
	ResultString string `json:"resultString"`
}

// batchReply answers every task that has an ID to be named by.
func (e *Envelope) batchReply(outs []transfer.Outcome) batchReply {
	doc := batchReply{
		SchemaVersion:      string(e.job.InvocationSchemaVersion),
		TreatMissingKeysAs: batchTemporary,
		InvocationID:       string(e.job.InvocationID),
		Results:            []taskResult{},
	}
	for i, item := range e.Items {
		if item.ID == "" {
			continue
		}
		r := taskResult{TaskID: item.ID, ResultCode: batchSucceeded}
		switch o := &outs[i]; o.Status() {
		case transfer.StatusDelivered:
			r.ResultString = o.FileID
		case transfer.StatusSkipped:
			r.ResultString = string(o.Reason)
		case transfer.StatusFailed:
			r.ResultString = o.Err.Error()
			r.ResultCode = batchPermanent
			if o.Err.Kind.Retryable() {
				r.ResultCode = batchTemporary
			}
		}
		doc.Results = append(doc.Results, r)
	}
	return doc
}
