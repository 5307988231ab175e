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
	Signature     string // form field Signature
	SecurityToken string // form field x-cos-security-token
	MetaFileID    string // form field x-cos-meta-fileid
	FileID        string // cloud://env.bucket/path: durable, and no proof of anything
	Expires       time.Time
}

// A Field is one text field of the upload form.
type Field struct{ Name, Value string }

// Fields are the text fields of the form in the order they are sent; the file
// itself comes after them (wire.md B.1).
func (t Ticket) Fields() []Field {
	return []Field{
		{"key", t.Key},
		{"Signature", t.Signature},
		{"x-cos-security-token", t.SecurityToken},
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

// A Secret is a string that prints as dots. Reveal is the only way out.
type Secret string

// Reveal returns the secret's text.
func (s Secret) Reveal() string { return string(s) }

// Format keeps every verb from printing the text.
func (s Secret) Format(w fmt.State, _ rune) { io.WriteString(w, s.dots()) }

// LogValue does the same for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.dots()) }

// MarshalJSON does the same for encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.dots()) }

func (s Secret) dots() string {
	if s == "" {
		return ""
	}
	return "•••"
}
