package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Limits of a request.
const (
	// MaxBody is the largest file that a request may hold, in bytes. SCF passes on no
	// larger body; Lambda's payload limit comes first on Lambda. The file is held in
	// memory, so that an upload can be tried again.
	MaxBody = 6 << 20

	maxJSON  = 64 << 10 // of a JSON body: a guess, well above a pre-signed URL and a path
	overhead = 64 << 10 // of what a form holds besides its file: a guess

	// idleTimeout ends a body of which no byte comes for so long. It is the idle rule
	// of package transport for bodies that come in. This package does not import that
	// one, because it opens no connections.
	idleTimeout = 15 * time.Second
)

// errTooLarge ends the reading of a body that is over its limit.
var errTooLarge = errors.New("body over its limit")

// bodySource is a body held in memory, as a Source. It has no ETag, because there
// can be no newer content.
type bodySource struct {
	data   []byte
	stored stored
}

func (s bodySource) Open(context.Context, transfer.Ref) (*transfer.Object, error) {
	return &transfer.Object{
		Body: io.NopCloser(bytes.NewReader(s.data)), Size: int64(len(s.data)),
		ContentType: s.stored.contentType, ContentEncoding: s.stored.contentEncoding,
		CacheControl: s.stored.cacheControl, ContentDisposition: s.stored.contentDisposition,
	}, nil
}

func (bodySource) Stat(context.Context, transfer.Ref) (string, error) { return "", nil }

// idleTimeoutReader is a request body that fails when no byte came for idleTimeout;
// a sender that moves is never cut off. The timeout runs from the start, because
// net/http reads what a handler left unread. A host that has the whole body already
// knows no deadlines, and needs none.
type idleTimeoutReader struct {
	io.ReadCloser
	conn *http.ResponseController
}

func newIdleTimeoutReader(w http.ResponseWriter, body io.ReadCloser) *idleTimeoutReader {
	r := &idleTimeoutReader{body, http.NewResponseController(w)}
	r.conn.SetReadDeadline(time.Now().Add(idleTimeout))
	return r
}

func (r *idleTimeoutReader) Read(p []byte) (int, error) {
	r.conn.SetReadDeadline(time.Now().Add(idleTimeout))
	n, err := r.ReadCloser.Read(p)
	if err == io.EOF {
		// From here on net/http watches the connection for the caller going away;
		// a deadline would look like that.
		r.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// limitedReader is a reader that fails with errTooLarge when there are more than left
// bytes. over remembers it, because not every reader above returns the error.
type limitedReader struct {
	r    io.Reader
	left int64
	over bool
}

func (b *limitedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := io.ReadFull(b.r, make([]byte, 1)); n == 0 {
			return 0, err
		}
		b.over = true
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// readBody reads a body of exactly size bytes or, when size is negative because
// the host does not know it, of at most MaxBody.
func readBody(body io.Reader, size int64) ([]byte, *problem) {
	if size < 0 {
		data, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
		switch {
		case err != nil:
			return nil, unreadable(err)
		case len(data) > MaxBody:
			return nil, overLimit()
		}
		return data, nil
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(body, data); err != nil {
		if err == io.EOF && size > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, unreadable(err)
	}
	if n, err := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return nil, malformed("The body is longer than its Content-Length says.")
	} else if err != io.EOF {
		return nil, unreadable(err)
	}
	return data, nil
}

// unreadable is the problem of a body that ended in err.
func unreadable(err error) *problem {
	if e, ok := errors.AsType[*transfer.Error](err); ok { // of the host, which found the body changed
		return fromError(e)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return malformed(fmt.Sprintf("The body stalled: no byte came for %v.", idleTimeout))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("The body ends early; send it again.")
	}
	return malformed("The body cannot be read: it does not follow its own format.")
}

// overLimit is the problem of a file too large to be held in memory.
func overLimit() *problem {
	return newProblem(http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf(
		"A request may hold a file of %d MiB (%d bytes) at most; on AWS Lambda, whose payloads hold it as base64, about 4.5 MB, and 1 MB behind an ALB. Put a larger one into a bucket and name it as source in POST /files, or get a ticket from POST /tickets and upload it directly.", MaxBody>>20, MaxBody))
}

// readJSON reads one JSON object that has exactly the named members, each of
// them text. Names are case-sensitive, and nothing may be repeated or follow.
func readJSON(c *call, names ...string) (map[string]string, *problem) {
	in := &limitedReader{r: c.Body, left: maxJSON}
	data, err := io.ReadAll(in)
	if in.over {
		return nil, newProblem(http.StatusRequestEntityTooLarge, tooLarge, "A JSON body may have 64 KiB at most.")
	}
	if err != nil {
		return nil, unreadable(err)
	}
	if p := checkDigests(c.Header, data); p != nil {
		return nil, p
	}
	if !utf8.Valid(data) {
		return nil, malformed("The body is not UTF-8.")
	}
	members, why := object(json.NewDecoder(bytes.NewReader(data)), names)
	if why != "" {
		return nil, malformed("The body must be one JSON object: " + why + ".")
	}
	for _, name := range names {
		if _, ok := members[name]; !ok {
			return nil, malformed(fmt.Sprintf("The body must be one JSON object: %q is missing.", name))
		}
	}
	return members, nil
}

// object reads the object's members, or says why it cannot. It reads token by
// token because json.Unmarshal takes repeated and differently spelled names.
func object(dec *json.Decoder, names []string) (members map[string]string, why string) {
	const malformedJSON = "it breaks off or is not well-formed"
	if open, err := dec.Token(); err != nil {
		return nil, malformedJSON
	} else if open != json.Delim('{') {
		return nil, "it is something else"
	}
	members = make(map[string]string)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformedJSON
		}
		if !slices.Contains(names, name) {
			return nil, fmt.Sprintf("%q is not a member that is known here", transfer.Clip(name))
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Sprintf("%q is there twice", name)
		}
		token, err = dec.Token()
		if err != nil {
			return nil, malformedJSON
		}
		if members[name], ok = token.(string); !ok {
			return nil, fmt.Sprintf("%q is not a text", name)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, malformedJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, "something follows it"
	}
	return members, ""
}
