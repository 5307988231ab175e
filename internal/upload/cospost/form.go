package cospost

import (
	"crypto/rand"
	"encoding/hex"
	"mime"
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

// frame builds in b what stands before and after the file, and the header that names
// the boundary. The file part has no Content-Type: COS ignores it there.
func frame(b []byte, t transfer.Ticket, contentType string) (head, tail []byte, header string, err error) {
	var random [16]byte
	rand.Read(random[:])
	boundary := hex.EncodeToString(random[:])

	head = b[:0]
	field := func(name, value string) {
		head = append(head, "--"...)
		head = append(head, boundary...)
		head = append(head, "\r\n"+disposition...)
		head = append(head, name...)
		head = append(head, "\"\r\n\r\n"...)
		head = append(head, value...)
		head = append(head, "\r\n"...)
	}
	for _, f := range t.Fields() {
		if f.Value == "" {
			// Without x-cos-meta-fileid COS would store a file that nobody can read.
			return nil, nil, "", fault(transfer.KindUnavailable, "WeChat's upload ticket lacks "+f.Name+"; try again later")
		}
		field(f.Name, f.Value)
	}
	if worthKeeping(contentType) {
		field("Content-Type", contentType)
	}
	head = append(head, "--"...)
	head = append(head, boundary...)
	head = append(head, "\r\n"+fileField...)
	if len(head) > maxHead {
		return nil, nil, "", fault(transfer.KindRefused, "the form's fields exceed the 8 KiB that COS reads before the file; shorten the cloud path")
	}
	n := len(head)
	all := append(head, "\r\n--"+boundary+"--\r\n"...)
	return all[:n], all[n:], "multipart/form-data; boundary=" + boundary, nil
}

// worthKeeping reports whether a content type says something. The stores' defaults
// do not: COS would keep them, and browsers would download where they might show
// (wire.md B.1).
func worthKeeping(contentType string) bool {
	for i := range len(contentType) {
		if c := contentType[i]; c < ' ' || c > '~' {
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.Contains(kind, "/") && len(contentType) <= 255 &&
		kind != "application/octet-stream" && kind != "binary/octet-stream"
}
