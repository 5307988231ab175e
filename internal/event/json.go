package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A document is a JSON object whose values are not read yet.
type document map[string]json.RawMessage

// parse reads the outermost level of a JSON object.
func parse(raw json.RawMessage) (document, *transfer.Error) {
	var doc document
	err := json.Unmarshal(raw, &doc)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, malformed("the payload is not JSON (broken at byte %d of %d); send %s", syntax.Offset, len(raw), envelopeHint)
	}
	if err != nil || doc == nil {
		return nil, malformed("the payload is JSON, but not an object; send %s", envelopeHint)
	}
	return doc, nil
}

// envelopeHint ends the messages about something that is no envelope at all.
const envelopeHint = `an event, or a request like {"files":["s3://bucket/key"]}`

// has reports whether the field is there and not null.
func (d document) has(field string) bool {
	raw, ok := d[field]
	return ok && string(raw) != "null"
}

// text returns a scalar field as a string, "" when it is none.
func (d document) text(field string) string {
	var s scalar
	if raw, ok := d[field]; ok {
		fill(raw, &s)
	}
	return string(s)
}

// maxList is how many elements a list may have. SQS sends at most 10,000 messages
// at a time; beyond this, six megabytes of next to nothing would take all the
// memory that a function has.
const maxList = 20_000

// list returns a field that must be a list of one element or more.
func (d document) list(field string) ([]json.RawMessage, *transfer.Error) {
	dec := json.NewDecoder(bytes.NewReader(d[field]))
	if start, _ := dec.Token(); start != json.Delim('[') {
		return nil, malformed("%s is not a list; send %s", field, envelopeHint)
	}
	var list []json.RawMessage
	for dec.More() {
		if len(list) == maxList {
			return nil, malformed("%s has more than %d elements; send fewer at a time", field, maxList)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, malformed("%s cannot be read; send %s", field, envelopeHint)
		}
		list = append(list, raw)
	}
	if len(list) == 0 {
		return nil, malformed("%s is empty, so there is nothing to deliver; an event names one file or more", field)
	}
	return list, nil
}

// fill reads raw, which is valid JSON, into the fields of v that fit. A field of
// an unexpected shape stays empty: the code that needs it reports that.
func fill(raw json.RawMessage, v any) { _ = json.Unmarshal(raw, v) }

// A scalar is a JSON string, number or boolean as it is written; anything else is "".
type scalar string

// UnmarshalJSON never fails.
func (s *scalar) UnmarshalJSON(raw []byte) error {
	*s = ""
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(s))
	case '{', '[', 'n':
		return nil
	}
	*s = scalar(raw)
	return nil
}

// size returns a number of bytes, -1 when the scalar is none.
func (s scalar) size() int64 {
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// etag returns the scalar without the quotes that some senders leave on.
func (s scalar) etag() string { return strings.Trim(string(s), `"`) }

// timeLayouts are the forms seen in events: RFC 3339 with any fraction, the same
// with a blank for the T (Ceph before Pacific), and either without a zone, which
// means UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}

// time returns a time in UTC, zero when the scalar is none. A number counts
// seconds since 1970, or milliseconds when it is too great for seconds.
func (s scalar) time() time.Time {
	if n, err := strconv.ParseFloat(string(s), 64); err == nil {
		if n >= 1e11 {
			n /= 1000
		}
		if n > 0 && n < 1e11 {
			return time.UnixMilli(int64(math.Round(n * 1000))).UTC()
		}
		return time.Time{}
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, string(s)); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// order returns an event's sequencer in a form that plain string comparison
// orders: upper-case hexadecimal without the zeros at its end. S3 defines the
// order by filling up the shorter of two with zeros on the right, which gives the
// same. "" means unknown.
func (s scalar) order() string {
	hex := strings.ToUpper(string(s))
	if strings.Trim(hex, "0123456789ABCDEF") != "" {
		return ""
	}
	return strings.TrimRight(hex, "0")
}

// decodeElements reads the elements of a list, each into one item or more. An
// error says which element it is about.
func decodeElements(what string, list []json.RawMessage, read func(json.RawMessage) []transfer.Item) []transfer.Item {
	all := make([]transfer.Item, 0, len(list))
	for i, raw := range list {
		items := requireUTF8(read(raw), raw)
		for j := range items {
			items[j].Err = prefixed(what+" "+strconv.Itoa(i+1), items[j].Err)
		}
		all = append(all, items...)
	}
	return all
}

// requireUTF8 returns the items, or errors in their place if raw is not valid
// UTF-8: encoding/json replaces such bytes, and the keys would name other files.
// An error keeps the ID, so that it fails its own message and no other.
func requireUTF8(items []transfer.Item, raw json.RawMessage) []transfer.Item {
	if utf8.Valid(raw) {
		return items
	}
	for i, item := range items {
		if item.Err == nil {
			items[i] = unreadable(malformed("it is not valid UTF-8; send JSON in UTF-8"))
			items[i].ID, items[i].Group = item.ID, item.Group
		}
	}
	return items
}
