package tcb

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

const (
	bufferSize = 256 << 10
	// needleSize bounds the search for the delimiter: bytes.Index is fastest
	// for needles under 64 bytes, and common boundaries are longer.
	needleSize = 24
)

var errMalformed = refuse("MalformedPOSTRequest", "")

// formReader parses multipart/form-data in one pass and by the strict grammar:
// no preamble or epilogue, CRLF everywhere, quoted names, text fields first and
// the one file last. mime/multipart is more lenient than that.
type formReader struct {
	r          io.Reader
	buf        []byte
	start, end int    // the unread part of buf
	delimiter  []byte // CRLF, two dashes, boundary
	window     int    // limit for everything before the file's content
	err        error  // what the last read ended with
}

// newFormReader parses r with the given buffer. A window of 0 is the buffer.
func newFormReader(r io.Reader, boundary string, window int, buf []byte) *formReader {
	if window <= 0 || window > len(buf) {
		window = len(buf)
	}
	return &formReader{r: r, buf: buf, delimiter: []byte("\r\n--" + boundary), window: window}
}

// form is everything before the file's content.
type form struct {
	fields   map[string]string // by lower-case name
	filename string
}

// head parses up to the first byte of the file's content.
func (p *formReader) head() (*form, error) {
	first := append(bytes.Clone(p.delimiter[2:]), "\r\n"...)
	if err := p.need(len(first)); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(p.buf[p.start:p.end], first) {
		return nil, errMalformed
	}
	p.start += len(first)
	f := &form{fields: map[string]string{}}
	for {
		header, err := p.until([]byte("\r\n\r\n"))
		if err != nil {
			return nil, err
		}
		name, filename, err := disposition(string(header))
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "file") {
			f.filename = filename
			return f, nil
		}
		value, err := p.until(p.delimiter)
		if err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		if _, twice := f.fields[name]; twice {
			return nil, errMalformed
		}
		f.fields[name] = string(value)
		if err := p.need(2); err != nil {
			return nil, err
		}
		if string(p.buf[p.start:p.start+2]) != "\r\n" {
			return nil, errMalformed // the form ends without a file
		}
		p.start += 2
	}
}

// until returns the bytes before the mark and steps over it; the mark must end
// within the window. The result is valid until the next call.
func (p *formReader) until(mark []byte) ([]byte, error) {
	for {
		if i := bytes.Index(p.buf[p.start:p.end], mark); i >= 0 {
			text := p.buf[p.start : p.start+i]
			p.start += i + len(mark)
			if p.start > p.window {
				return nil, errMalformed
			}
			return text, nil
		}
		if p.end >= p.window {
			return nil, errMalformed
		}
		if err := p.fill(); err != nil {
			return nil, cut(err)
		}
	}
}

// need makes n unread bytes available.
func (p *formReader) need(n int) error {
	for p.end-p.start < n {
		if err := p.fill(); err != nil {
			return cut(err)
		}
	}
	return nil
}

// fill reads once behind the unread bytes; the caller leaves room for it.
func (p *formReader) fill() error {
	for p.err == nil {
		if p.end == len(p.buf) {
			return errMalformed
		}
		var n int
		n, p.err = p.r.Read(p.buf[p.end:])
		p.end += n
		if n > 0 {
			return nil
		}
	}
	return p.err
}

// cut names the refusal of a body that ends too early.
func cut(err error) error {
	var refused *cosError
	switch {
	case errors.Is(err, io.EOF):
		return errMalformed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse("IncompleteBody", "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse("RequestTimeout", "")
	case errors.As(err, &refused):
		return refused
	}
	return err
}

// file passes the file's content to sink and returns its size. It reads the
// closing delimiter and demands that the body ends there.
func (p *formReader) file(sink func([]byte), limit int64) (int64, error) {
	var size int64
	emit := func(data []byte) error {
		size += int64(len(data))
		if limit > 0 && size > limit {
			return refuse("EntityTooLarge", "")
		}
		sink(data)
		return nil
	}
	for {
		data := p.buf[p.start:p.end]
		i := indexDelimiter(data, p.delimiter)
		if i >= 0 {
			p.start += i + len(p.delimiter)
			if err := emit(data[:i]); err != nil {
				return size, err
			}
			return size, p.tail()
		}
		// The last bytes may be the beginning of a delimiter.
		if ready := len(data) - len(p.delimiter) + 1; ready > 0 {
			if err := emit(data[:ready]); err != nil {
				return size, err
			}
			p.start += ready
		}
		p.compact()
		if err := p.fill(); err != nil {
			return size, cut(err)
		}
	}
}

func (p *formReader) compact() {
	p.end = copy(p.buf, p.buf[p.start:p.end])
	p.start = 0
}

// indexDelimiter is bytes.Index, fast for long delimiters too.
func indexDelimiter(data, delimiter []byte) int {
	needle := delimiter[:min(len(delimiter), needleSize)]
	for from := 0; ; {
		i := bytes.Index(data[from:], needle)
		if i < 0 {
			return -1
		}
		if bytes.HasPrefix(data[from+i:], delimiter) {
			return from + i
		}
		from += i + 1
	}
}

// tail checks what follows the file: two dashes, at most one CRLF, the end.
func (p *formReader) tail() error {
	p.compact()
	if err := p.need(2); err != nil {
		return err
	}
	mark := string(p.buf[:2])
	p.start = 2
	if mark == "\r\n" {
		return p.afterFile()
	}
	if mark != "--" {
		return errMalformed
	}
	for p.end-p.start <= 2 {
		err := p.fill()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return refuse("EntitySizeNotMatch", "")
		}
		if err != nil {
			return cut(err)
		}
	}
	if rest := string(p.buf[p.start:p.end]); rest != "" && rest != "\r\n" {
		return errMalformed
	}
	return nil
}

// afterFile refuses a part behind the file: a second file has its own code.
func (p *formReader) afterFile() error {
	p.window = len(p.buf)
	header, err := p.until([]byte("\r\n\r\n"))
	if err != nil {
		return err
	}
	if name, _, err := disposition(string(header)); err == nil && strings.EqualFold(name, "file") {
		return refuse("IncorrectNumberOfFilesInPostRequest", "")
	}
	return errMalformed
}
