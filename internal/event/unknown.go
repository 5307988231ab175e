package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// understood says per host what may be sent to it.
var understood = map[Host]string{
	HostLambda: `lambda-objects understands an S3 notification, an EventBridge "Object Created" event, SNS or SQS carrying either, S3 Batch Operations, a Step Functions Distributed Map batch, a Lambda failure destination's record, and {"files":["s3://bucket/key"]}`,
	HostSCF:    `scf-objects understands the event of a COS trigger, and {"files":["cos://bucket-appid/key?region=ap-shanghai"]}`,
}

// unknown describes a payload that is no envelope of the host.
func unknown(doc document, host Host) *transfer.Error {
	if host == HostLambda && isMapItem(doc) {
		return malformed("a single item of a Distributed Map names no bucket; %s", mapAdvice)
	}
	hint := ""
	if doc.has("httpMethod") || doc.has("requestContext") {
		hint = fmt.Sprintf(" (an HTTP request belongs to %s-http)", host)
	}
	return malformed("unknown event with %s%s; %s", seen(doc), hint, understood[host])
}

// tellingFields are those whose value says what kind of event it is and is no
// secret.
var tellingFields = []string{"source", "detail-type", "Type", "Event", "eventSource", "EventSource"}

// seen describes a document by the names of its fields and the values of the
// telling ones.
func seen(doc document) string {
	if len(doc) == 0 {
		return "no fields"
	}
	const most = 12 // a guess: enough to recognise an event, and still one line
	names := slices.Sorted(maps.Keys(doc))
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	for i := range names {
		names[i] = clip(names[i])
	}
	s := "the fields " + strings.Join(names, ", ") + more
	for _, field := range tellingFields {
		if value := doc.text(field); isName(value) {
			s += fmt.Sprintf("; %s is %q", field, value)
		}
	}
	var records []json.RawMessage
	if doc.has("Records") {
		fill(doc["Records"], &records)
	}
	if len(records) > 0 {
		s += "; its first record has " + seenIn(records[0])
	}
	return s
}

// seenIn describes a record.
func seenIn(raw json.RawMessage) string {
	doc, err := parse(raw)
	if err != nil {
		return "no fields"
	}
	delete(doc, "Records") // one level is enough
	return seen(doc)
}

// isName reports whether a value looks like "aws.s3" or "Object Created". Others
// are not shown: a source, say, may be a URL with a signature in it.
func isName(s string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" .:-", r))
	}
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, odd)
}

// clip makes a name from a payload fit to be shown: transfer.Clip shortens it, and
// only plain characters stay.
func clip(s string) string {
	plain := func(r rune) rune {
		if r >= 0x20 && r < 0x7f && r != '"' && r != '\\' || r == '…' {
			return r
		}
		return '?'
	}
	return strings.Map(plain, transfer.Clip(s))
}
