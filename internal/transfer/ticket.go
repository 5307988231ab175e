package transfer

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A Ticket lets its holder upload one file: it is the answer of tcb/uploadfile
// (wire.md section 0). It prints without its secrets.
type Ticket struct {
	URL           string // where to POST, used exactly as WeChat returned it
	Key           string // form field key: the cloud path
	Signature     Secret // form field Signature
	SecurityToken Secret // form field x-cos-security-token
	MetaFileID    string // form field x-cos-meta-fileid
	FileID        string // cloud://env.bucket/path: durable, and no proof of anything
	Expires       time.Time
}

// A Field is one text field of the upload form.
type Field struct{ Name, Value string }

// Fields are the text fields of the form in the order they are sent, secrets in
// the clear; the file itself comes after them (wire.md B.1).
func (t Ticket) Fields() []Field {
	return []Field{
		{"key", t.Key},
		{"Signature", t.Signature.Reveal()},
		{"x-cos-security-token", t.SecurityToken.Reveal()},
		{"x-cos-meta-fileid", t.MetaFileID},
	}
}

// Format keeps every verb, %+v and %#v included, from printing the secrets.
func (t Ticket) Format(w fmt.State, _ rune) {
	io.WriteString(w, "ticket for "+t.FileID+" until "+t.Expires.UTC().Format(time.RFC3339))
}

// LogValue does the same for log/slog.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON does the same for encoding/json.
func (t Ticket) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(t)) }
