package cospost

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxHead is how much may stand before the file's content: COS seems to look no
// further than 8 KiB for the fields (wire.md B.1).
const maxHead = 8 << 10

const (
	disposition = "Content-Disposition: form-data; name=\""
	// The file's name is fixed. COS ignores it unless the key holds ${filename}
	// (wire.md B.1), and no fixed name can break out of its quotes.
	fileField = disposition + "file\"; filename=\"file\"\r\n\r\n"
)

// A form is what stands around the file in the request's body, and the request's
// headers. A PUT has all in the headers, and nothing around the file.
type form struct {
	method     string
	header     http.Header
	head, tail []byte
}

// build makes the request of a ticket in the form that it asks for.
func build(t transfer.Ticket, obj *transfer.Object) (*form, error) {
	for _, f := range t.Fields() {
		if f.Value == "" {
			// Without x-cos-meta-fileid COS would store a file that cannot be read.
			return nil, newError(transfer.KindUnavailable, "the upload ticket lacks %s; try again later", f.Name)
		}
	}
	if t.Put {
		return buildPut(t, obj), nil
	}
	return buildForm(t, obj)
}

// buildPut writes the headers of PUT Object (wire-cloudbase.md A): the ticket's, and those of
// the object that are worth keeping.
func buildPut(t transfer.Ticket, obj *transfer.Object) *form {
	header := http.Header{}
	for _, f := range append(t.Fields(), ObjectFields(obj)...) {
		header.Set(f.Name, f.Value)
	}
	return &form{method: http.MethodPut, header: header}
}

// buildForm writes the fields of the ticket, then those of the object that are worth
// keeping, then the header of the file part. That part has no Content-Type because
// COS ignores it there.
func buildForm(t transfer.Ticket, obj *transfer.Object) (*form, error) {
	var random [16]byte
	rand.Read(random[:])
	boundary := hex.EncodeToString(random[:])

	head := make([]byte, 0, 2<<10) // a usual form has about 1.4 KB (wire.md section 0)
	field := func(name, value string) {
		head = fmt.Appendf(head, "--%s\r\n%s%s\"\r\n\r\n%s\r\n", boundary, disposition, name, value)
	}
	for _, f := range t.Fields() {
		field(f.Name, f.Value)
	}
	for _, f := range ObjectFields(obj) {
		field(f.Name, f.Value)
	}
	head = fmt.Appendf(head, "--%s\r\n%s", boundary, fileField)
	if len(head) > maxHead {
		return nil, newError(transfer.KindRefused, "the form's fields exceed the 8 KiB that COS reads before the file; shorten the cloud path")
	}
	header := http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}}
	return &form{http.MethodPost, header, head, []byte("\r\n--" + boundary + "--\r\n")}, nil
}

// maxValue bounds what is taken over of a source's header, so that the fields always
// fit into maxHead. It is a guess: real ones are far shorter.
const maxValue = 1 << 10

// ObjectFields are the form fields, or headers of a PUT, that COS stores as headers of
// the file (wire.md B.1). A value that no header can hold is left out.
func ObjectFields(obj *transfer.Object) []transfer.Field {
	fields := make([]transfer.Field, 0, 4)
	for _, f := range []transfer.Field{
		{Name: "Content-Type", Value: obj.ContentType},
		{Name: "Content-Encoding", Value: obj.ContentEncoding},
		{Name: "Cache-Control", Value: obj.CacheControl},
		{Name: "Content-Disposition", Value: obj.ContentDisposition},
	} {
		if f.Value != "" && len(f.Value) <= maxValue && isPrintable(f.Value) && (f.Name != "Content-Type" || isTelling(f.Value)) {
			fields = append(fields, f)
		}
	}
	return fields
}

// StoredType is the content type that COS stores with the file; "" when none is sent.
func StoredType(obj *transfer.Object) string {
	for _, f := range ObjectFields(obj) {
		if f.Name == "Content-Type" {
			return f.Value
		}
	}
	return ""
}

// isTelling reports whether a content type says something. The stores' defaults do
// not: COS would keep them, and browsers would download what they could show
// (wire.md B.1).
func isTelling(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.Contains(kind, "/") && len(contentType) <= 255 &&
		kind != "application/octet-stream" && kind != "binary/octet-stream"
}

// isPrintable reports whether s is printable ASCII, blanks included.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
