package transfer

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A Ticket lets its holder upload one file: it is the answer of tcb/uploadfile
// (wire.md section 0), for a form in a POST, or of CloudBase's get-objects-upload-info,
// for a PUT. It prints without its secrets.
type Ticket struct {
	Put           bool   // a PUT with Fields as headers, and not a form in a POST
	URL           string // where to send the file, used exactly as it was answered
	Key           string // the cloud path
	Signature     Secret // form field Signature, or header Authorization
	SecurityToken Secret // x-cos-security-token
	MetaFileID    string // x-cos-meta-fileid
	FileID        string // cloud://env.bucket/path: durable, and no proof of anything
	Expires       time.Time
}

// A Field is one text field of the upload form, or one header of a PUT.
type Field struct{ Name, Value string }

// Fields are the text fields of the form in the order they are sent, secrets in
// the clear; the file itself comes after them (wire.md B.1). With Put they are headers.
func (t Ticket) Fields() []Field {
	if t.Put {
		return []Field{
			{"Authorization", t.Signature.Reveal()},
			{"X-Cos-Security-Token", t.SecurityToken.Reveal()},
			{"X-Cos-Meta-Fileid", t.MetaFileID},
		}
	}
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
