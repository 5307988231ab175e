package tcb

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// hugeSize is the size of a huge answer: more than any reader should take.
const hugeSize = 8 << 20

// answerWithFault lets a fault answer instead of an endpoint of the WeChat API.
// It reports whether the fault did.
func (c *Cloud) answerWithFault(w http.ResponseWriter, in *call) bool {
	f := in.fault
	if f == nil {
		return false
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch f.effect {
	case fxWeChatError:
		(&apiError{f.Code, f.ErrMsg}).write(c, w)
	case fxKeyError:
		(&keyError{f.Status, f.COSCode, f.Message}).write(c, w)
	case fxKeyItem:
		c.writeAPI(w, in.r, nil, []byte(`[{"code":"`+f.COSCode+`","message":"`+f.Message+`"}]`))
	case fxPage:
		writePage(w, f.Status)
	case fxHang:
		c.hang(in.r)
		c.reset(w)
	case fxReset:
		c.reset(w)
	case fxHuge:
		w.Header().Set("Content-Type", "application/json; encoding=utf-8")
		io.WriteString(w, `{"errcode":0,"errmsg":"`)
		writeMuch(w)
		io.WriteString(w, `"}`)
	case fxEmpty:
		w.WriteHeader(f.Status)
	default:
		return false
	}
	return true
}

// answerFormWithFault does the same at the form endpoint. The file of a request
// that it answers is not stored.
func (c *Cloud) answerFormWithFault(w http.ResponseWriter, r *http.Request, f *Fault) bool {
	switch f.kind() {
	case fxReset:
		c.reset(w)
		return true
	case fxCOSError, fxXMLSparse, fxXMLHuge, fxXMLGarbage, fxEmpty, fxPage, fxGateway204, fxRedirect, fxHang:
	default:
		return false
	}
	if f.Early {
		w.Header().Set("Connection", "close")
	} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
		c.reset(w)
		return true
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	c.writeFormFault(w, r, f)
	return true
}

// writeFormFault sends the answers of answerFormWithFault.
func (c *Cloud) writeFormFault(w http.ResponseWriter, r *http.Request, f *Fault) {
	id := c.newIDs()
	e := &cosError{status: f.Status, code: f.COSCode, message: f.Message}
	switch f.effect {
	case fxCOSError:
		writeXML(w, f.Status, errorXML(e, resourceOf(r), id), id)
	case fxXMLSparse:
		writeXML(w, f.Status, []byte("<Error><Code>"+f.COSCode+"</Code></Error>"), id)
	case fxXMLHuge:
		padded := append([]byte("</Message>"), bytes.Repeat([]byte(" "), hugeSize)...)
		writeXML(w, f.Status, bytes.Replace(errorXML(e, resourceOf(r), id), padded[:10], padded, 1), id)
	case fxXMLGarbage:
		writeXML(w, f.Status, []byte("<?xml <Error\x00\xff<Code>&&&</"), id)
	case fxEmpty:
		writeXML(w, f.Status, nil, id)
	case fxPage:
		writePage(w, f.Status)
	case fxGateway204:
		w.WriteHeader(http.StatusNoContent)
	case fxRedirect:
		w.Header().Set("Location", c.cosOrigin(r)+"/elsewhere/"+randomHex(4))
		w.WriteHeader(f.Status)
	case fxHang:
		c.hang(r)
		c.reset(w)
	}
}

// pieces is the number of pieces of an answer that comes slowly.
const pieces = 8

// pause waits for a piece's delay, or until the caller has gone or the cloud is closed.
func (c *Cloud) pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-c.done:
	}
}

// trickle sends a document in pieces.
func (c *Cloud) trickle(w http.ResponseWriter, r *http.Request, f *Fault, document []byte) {
	for i := range pieces {
		c.pause(r, f.Delay)
		if _, err := w.Write(document[i*len(document)/pieces : (i+1)*len(document)/pieces]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // a caller that is gone needs no error
	}
}

// writePage is what a gateway sends: HTML, and no x-cos-request-id.
func writePage(w http.ResponseWriter, status int) {
	page := "<html>\r\n<head><title>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</title></head>\r\n" +
		"<body>\r\n<center><h1>" + strconv.Itoa(status) + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Server", "nginx")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	io.WriteString(w, page)
}

func writeMuch(w io.Writer) {
	block := bytes.Repeat([]byte("x"), 64<<10)
	for range hugeSize / len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// hang waits until the caller has gone or the cloud is closed.
func (c *Cloud) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-c.done:
	}
}

// reset breaks the connection; on TCP the caller sees a reset, not an end.
func (c *Cloud) reset(w http.ResponseWriter) {
	conn := hijack(w)
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no connection to take: end it plainly
	}
	return conn
}

// stallConn leaves the connection open and untouched for a while. No handler and
// no goroutine waits, so a server can shut down meanwhile.
func (c *Cloud) stallConn(w http.ResponseWriter, d time.Duration) {
	conn := hijack(w)
	c.mu.Lock()
	c.stalled = append(c.stalled, conn)
	c.mu.Unlock()
	time.AfterFunc(d, func() { conn.Close() })
	select {
	case <-c.done: // Close may not have seen it
		conn.Close()
	default:
	}
}

// faultyBody puts a fault of the transport around the request's body.
func (c *Cloud) faultyBody(body io.Reader, w http.ResponseWriter, r *http.Request, f *Fault) io.Reader {
	switch f.kind() {
	case fxSlow:
		return &slowReader{body, func() { c.pause(r, f.Delay) }}
	case fxResetMiddle, fxStall:
		after := f.After
		if after == 0 {
			after = r.ContentLength / 2
		}
		end := func() { c.reset(w) }
		if f.effect == fxStall {
			end = func() { c.stallConn(w, f.Delay) }
		}
		return &cutReader{body, after, end}
	}
	return body
}

// slowReader pauses before every small read.
type slowReader struct {
	r     io.Reader
	pause func()
}

func (s *slowReader) Read(p []byte) (int, error) {
	s.pause()
	return s.r.Read(p[:min(len(p), 16<<10)])
}

// cutReader ends the connection after some bytes.
type cutReader struct {
	r    io.Reader
	left int64
	end  func()
}

func (s *cutReader) Read(p []byte) (int, error) {
	if s.left <= 0 {
		s.end()
		return 0, errSilent
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}
