package tcb

import (
	"bufio"
	"bytes"
	"io"
)

// ParseForm runs the parser over a body with a buffer of the given size.
func ParseForm(r io.Reader, boundary string, buffer int) (fields map[string]string, filename string, file []byte, err error) {
	p := newFormReader(bufio.NewReaderSize(r, buffer), boundary, buffer)
	f, err := p.head()
	if err != nil {
		return nil, "", nil, err
	}
	var content bytes.Buffer
	_, err = p.file(&content)
	return f.fields, f.filename, content.Bytes(), err
}

// The signature's steps, for the published vectors.
var (
	SignKey      = signKey
	FormatString = formatString
	StringToSign = stringToSign
	Signature    = signature
	UpdateCRC    = updateCRC
	ErrorXML     = func(code, toSign, format, resource, request, trace string) string {
		e := refuse(code, "")
		e.toSign, e.format = toSign, format
		return string(errorXML(e, resource, ids{request, trace}))
	}
)
