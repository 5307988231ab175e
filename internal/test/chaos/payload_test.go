package chaos_test

import (
	"encoding/json"
	"strconv"
	"testing"
)

// payload is the invocation as an event in its form.
func (inv *invocation) payload(t *testing.T) []byte {
	var doc any
	switch inv.form {
	case formS3:
		records := []json.RawMessage{}
		for _, f := range inv.files {
			records = append(records, f.notification(t)...)
		}
		doc = map[string]any{"Records": records}
	case formSQS:
		records := []map[string]any{}
		for i, f := range inv.files {
			body := encode(t, map[string]any{"Records": f.notification(t)})
			records = append(records, map[string]any{"messageId": strconv.Itoa(i), "body": string(body),
				"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue"})
		}
		doc = map[string]any{"Records": records}
	default:
		files := []string{}
		for _, f := range inv.files {
			files = append(files, f.ref.String())
		}
		doc = map[string]any{"files": files}
	}
	return encode(t, doc)
}

// notification is the record that the bucket sends about the file.
func (f *file) notification(t *testing.T) []json.RawMessage {
	event, err := f.store.Notification(f.ref.Bucket, f.ref.Key)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Records []json.RawMessage }
	if err := json.Unmarshal(event, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Records
}

func encode(t *testing.T, doc any) []byte {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// index reads the message ID that payload gave.
func index(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		panic("a message ID that was never sent: " + id)
	}
	return n
}
