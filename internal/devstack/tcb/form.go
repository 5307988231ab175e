package tcb

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

const bufferSize = 256 << 10

var errMalformed = refuse("MalformedPOSTRequest", "")

// formReader parses multipart/form-data in one pass and by the strict grammar:
// no preamble or epilogue, CRLF everywhere, quoted names, text fields first and
// the one file last. mime/multipart is more lenient than that.
type formReader struct {
	r         *bufio.Reader
	delimiter string // CRLF, two dashes, boundary
	window    int    // bytes that may still precede the file's content
}

func newFormReader(r *bufio.Reader, boundary string, window int) *formReader {
	return &formReader{r, "\r\n--" + boundary, window}
}

// form is everything before the file's content.
type form struct {
	fields   map[string]string // by lower-case name
	filename string
}

// head parses up to the first byte of the file's content.
func (p *formReader) head() (*form, error) {
	if err := p.expect(p.delimiter[2:] + "\r\n"); err != nil {
		return nil, err
	}
	f := &form{fields: map[string]string{}}
	for {
		header, err := p.until("\r\n\r\n")
		if err != nil {
			return nil, err
		}
		name, filename, err := disposition(header)
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "file") {
			f.filename = filename
			return f, nil
		}
		name = strings.ToLower(name)
		if _, twice := f.fields[name]; twice {
			return nil, errMalformed
		}
		if f.fields[name], err = p.until(p.delimiter); err != nil {
			return nil, err
		}
		if err := p.expect("\r\n"); err != nil { // the form ends without a file
			return nil, err
		}
	}
}

// until returns the bytes before the mark and steps over it; the mark must end
// within the window.
func (p *formReader) until(mark string) (string, error) {
	var text []byte
	for !bytes.HasSuffix(text, []byte(mark)) {
		if p.window--; p.window < 0 {
			return "", errMalformed
		}
		b, err := p.r.ReadByte()
		if err != nil {
			return "", cut(err)
		}
		text = append(text, b)
	}
	return string(text[:len(text)-len(mark)]), nil
}

// expect steps over the text, which must come next.
func (p *formReader) expect(text string) error {
	got, err := p.r.Peek(len(text))
	if err != nil {
		return cut(err)
	}
	if string(got) != text {
		return errMalformed
	}
	p.window -= len(text)
	_, err = p.r.Discard(len(text))
	return err
}

// cut names the refusal of a body that ends too early.
func cut(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errMalformed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse("IncompleteBody", "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse("RequestTimeout", "")
	}
	return err
}

// file passes the file's content to sink and returns its size. It reads the
// closing delimiter and demands that the body ends there.
func (p *formReader) file(sink io.Writer) (size int64, err error) {
	for {
		if _, err := p.r.Peek(len(p.delimiter)); err != nil {
			return size, cut(err)
		}
		data, _ := p.r.Peek(p.r.Buffered())
		n, last := bytes.Index(data, []byte(p.delimiter)), true
		if n < 0 {
			n, last = len(data)-len(p.delimiter)+1, false // the last bytes may be the beginning of a delimiter
		}
		if size += int64(n); size > maxSize {
			return size, refuse("EntityTooLarge", "")
		}
		if _, err := sink.Write(data[:n]); err != nil {
			return size, err
		}
		p.r.Discard(n) // they are there
		if last {
			p.r.Discard(len(p.delimiter))
			return size, p.tail()
		}
	}
}

// tail checks what follows the file: two dashes, at most one CRLF, the end.
func (p *formReader) tail() error {
	p.window = bufferSize
	mark, err := p.r.Peek(2)
	if err != nil {
		return cut(err)
	}
	p.r.Discard(len(mark))
	switch string(mark) {
	case "\r\n":
		return p.afterFile()
	case "--":
	default:
		return errMalformed
	}
	rest, err := p.r.Peek(3)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse("EntitySizeNotMatch", "")
	case err != nil && !errors.Is(err, io.EOF):
		return cut(err)
	case len(rest) > 0 && string(rest) != "\r\n":
		return errMalformed
	}
	return nil
}

// afterFile refuses a part behind the file: a second file has its own code.
func (p *formReader) afterFile() error {
	header, err := p.until("\r\n\r\n")
	if err != nil {
		return err
	}
	if name, _, err := disposition(header); err == nil && strings.EqualFold(name, "file") {
		return refuse("IncorrectNumberOfFilesInPostRequest", "")
	}
	return errMalformed
}
