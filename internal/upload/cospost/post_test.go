package cospost_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	want := transfer.Receipt{Status: 204, ETag: "ee8de918d05640145b18f70f4c3aa602", CRC64: "16749565679157681890", RequestID: "NWQ2"}
	p := uploader(t)
	for _, status := range []string{"204 No Content", "204 ", "200 OK", "201 Created"} {
		cos := answering(t, strings.Replace(accepted, "204 No Content", status, 1))
		got, err := p.Upload(t.Context(), ticket(cos.url), text("[Object Content]"))
		want.Status = int(status[0]-'0')*100 + int(status[2]-'0')
		if got != want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", status, got, err, want)
		}
	}
	cos := answering(t, strings.Replace(accepted, "\r\n\r\n", "\r\nx-cos-server-side-encryption: cos/kms\r\n\r\n", 1))
	if got, err := p.Upload(t.Context(), ticket(cos.url), text("[Object Content]")); err != nil || got.Encryption != "cos/kms" {
		t.Errorf("encrypted: %+v, %v", got, err)
	}
}

// Only COS's own word counts.
func TestSuccessThatIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		kind   transfer.Kind
		says   string
	}{
		"204 without request ID": {strings.Replace(accepted, "x-cos-request-id", "x-request-id", 1), transfer.KindUnavailable, "x-cos-request-id"},
		"200 of a gateway":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", transfer.KindUnavailable, "HTTP 200"},
		"another 2xx":            {strings.Replace(accepted, "204 No Content", "202 Accepted", 1), transfer.KindDenied, "HTTP 202"},
		"redirect of a gateway":  {"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", transfer.KindUnavailable, "HTTP 302"},
		"no answer":              {"", transfer.KindUnavailable, "connection closed early"},
		"no HTTP":                {"SSH-2.0-OpenSSH\r\n", transfer.KindUnavailable, "the connection failed"},
		"half an answer":         {"HTTP/1.1 204 No Content\r\nx-cos-req", transfer.KindUnavailable, "the connection failed"},
	} {
		_, err := uploader(t).Upload(t.Context(), ticket(answering(t, tt.answer).url), text("x"))
		if e := wants(t, err, tt.kind, tt.says); e.Stage != transfer.StageUpload {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSuccessBeforeTheWholeFile(t *testing.T) {
	t.Parallel()
	cos, _ := listen(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, accepted)
	})
	_, err := uploader(t).Upload(t.Context(), ticket(cos.url), object(zeros{}, 64<<20))
	wants(t, err, transfer.KindCorrupt, "before it had the whole file")
}

// hasty answers when it has read all but the last bytes of a request.
type hasty struct{ unread int64 }

func (h hasty) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.CopyN(io.Discard, iotest.OneByteReader(req.Body), req.ContentLength-h.unread); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 204, Header: http.Header{"X-Cos-Request-Id": {"NWQ2"}}, Body: http.NoBody}, nil
}

// A form without its last byte is not whole, although all of the file has left.
func TestSuccessBeforeTheClosingBoundary(t *testing.T) {
	t.Parallel()
	_, err := cospost.New(hasty{1}).Upload(t.Context(), ticket("http://cos/x"), text("x"))
	wants(t, err, transfer.KindCorrupt, "before it had the whole file")
	if _, err := cospost.New(hasty{0}).Upload(t.Context(), ticket("http://cos/x"), text("x")); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Hazard: a source that ends early, or does not end, must never become a form that
// the other side could take for whole.
func TestWrongLengthNeverClosesTheForm(t *testing.T) {
	t.Parallel()
	broken := &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindUnavailable, Code: "SlowDown", What: "S3 broke off"}
	for _, large := range []int{0, 3 << 20} {
		file := func() io.Reader { return strings.NewReader(strings.Repeat("x", large+100)) }
		size := int64(large + 100)
		for name, tt := range map[string]struct {
			file io.Reader
			size int64
			kind transfer.Kind
			says string
		}{
			"short":                {file(), size + 1, transfer.KindCorrupt, "1 bytes early"},
			"short by a lot":       {file(), size + 5<<20, transfer.KindCorrupt, "early"},
			"short, EOF with data": {iotest.DataErrReader(file()), size + 7, transfer.KindCorrupt, "7 bytes early"},
			"long":                 {file(), size - 1, transfer.KindCorrupt, "more than it announced"},
			"broken at the end":    {io.MultiReader(file(), iotest.ErrReader(broken)), size, transfer.KindUnavailable, "S3 broke off"},
			"broken before":        {io.MultiReader(file(), iotest.ErrReader(broken)), size + 9, transfer.KindUnavailable, "S3 broke off"},
			"broken otherwise":     {io.MultiReader(file(), iotest.ErrReader(io.ErrUnexpectedEOF)), size + 9, transfer.KindUnavailable, "connection closed early"},
		} {
			t.Run(fmt.Sprint(name, large), func(t *testing.T) {
				t.Parallel()
				sink, done := listen(t, func(c net.Conn) { receive(c) })
				_, err := uploader(t).Upload(t.Context(), ticket(sink.url), object(tt.file, tt.size))
				wants(t, err, tt.kind, tt.says)
				done()
				if wire := sink.seen(); strings.Contains(wire, "--\r\n") {
					t.Errorf("the form was closed: ...%q", wire[max(0, len(wire)-80):])
				}
			})
		}
	}
}

// The same sink sees the end of a form that is whole, so that the test above can fail.
func TestRightLengthClosesTheForm(t *testing.T) {
	t.Parallel()
	cos, done := listen(t, func(c net.Conn) {
		receive(c)
		io.WriteString(c, accepted)
	})
	if _, err := uploader(t).Upload(t.Context(), ticket(cos.url), text("whole")); err != nil {
		t.Fatal(err)
	}
	done()
	if !strings.HasSuffix(cos.seen(), "--\r\n") {
		t.Error("the form was not closed")
	}
}

// A guarded source tells when it is read although its owner has it back.
type guarded struct {
	back, misused atomic.Bool
	read          atomic.Int64
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.back.Load() {
		g.misused.Store(true)
	}
	clear(p)
	if g.back.Load() {
		g.misused.Store(true)
	}
	g.read.Add(int64(len(p)))
	return len(p), nil
}

// Hazard: net/http reads a request's body for as long as it likes, Upload does not
// allow it. The refusal is told by its code although COS closes on a busy sender.
func TestFileIsNotTouchedAfterAnEarlyRefusal(t *testing.T) {
	t.Parallel()
	cos, _ := listen(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, refusal(403, "", "AccessDenied", "Request has expired"))
	})
	p := uploader(t)
	for range 100 {
		var file guarded
		_, err := p.Upload(t.Context(), ticket(cos.url), object(&file, 1<<30))
		file.back.Store(true)
		e := wants(t, err, transfer.KindStale, "AccessDenied")
		if file.misused.Load() {
			t.Fatal("the file was read after Upload had returned")
		}
		if e.Code != "AccessDenied" || file.read.Load() == 1<<30 {
			t.Fatalf("code %q after %d bytes", e.Code, file.read.Load())
		}
	}
}

// A transport that is worse than net/http: it answers and reads on.
type rude struct{ reading chan error }

func (r rude) RoundTrip(req *http.Request) (*http.Response, error) {
	go func() {
		_, err := io.Copy(io.Discard, req.Body)
		r.reading <- err
	}()
	return &http.Response{StatusCode: 204, Header: http.Header{"X-Cos-Request-Id": {"NWQ2"}}, Body: http.NoBody}, nil
}

func TestUploadWaitsForTheReadUnderWay(t *testing.T) {
	t.Parallel()
	r := rude{make(chan error)}
	for range 100 {
		var file guarded
		_, err := cospost.New(r).Upload(t.Context(), ticket("http://cos/x"), object(&file, 4<<30))
		file.back.Store(true)
		wants(t, err, transfer.KindCorrupt, "before it had the whole file")
		if err := <-r.reading; err == nil || file.misused.Load() {
			t.Fatalf("the file was read after Upload had returned (%v)", err)
		}
	}
}

func TestConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	reset := func(c net.Conn) { c.(tee).Conn.(*net.TCPConn).SetLinger(0) }
	for name, serve := range map[string]func(net.Conn){
		"before the body": reset,
		"in the body": func(c net.Conn) {
			io.CopyN(io.Discard, c, 1<<20)
			reset(c)
		},
		"after the body": func(c net.Conn) {
			receive(c)
			reset(c)
		},
		"closed in the body": func(c net.Conn) { io.CopyN(io.Discard, c, 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cos, _ := listen(t, serve)
			_, err := uploader(t).Upload(t.Context(), ticket(cos.url), object(io.LimitReader(zeros{}, 8<<20), 8<<20))
			if e := wants(t, err, transfer.KindUnavailable, "the connection failed"); e.Stage != transfer.StageUpload || !e.Kind.Retryable() {
				t.Errorf("%+v", e)
			}
		})
	}
	_, err := uploader(t).Upload(t.Context(), ticket("http://127.0.0.1:1/x"), text("x"))
	wants(t, err, transfer.KindUnavailable, "connection refused")
}

func TestStalledUploadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := piped(t, func(net.Conn) { <-t.Context().Done() })
		_, err := p.Upload(t.Context(), ticket("http://cos/x"), object(zeros{}, 1<<30))
		wants(t, err, transfer.KindUnavailable, "timed out")
	})
}

// An answer whose body never ends does not hold the upload up. What its header says
// counts.
func TestEndlessAnswerEnds(t *testing.T) {
	t.Parallel()
	for answer, kind := range map[string]transfer.Kind{
		strings.NewReplacer("204 No Content", "200 OK", "Content-Length: 0", "Content-Length: 9").Replace(accepted) + "half": "",
		refusal(403, "", "ExpiredToken", "m")[:200]: transfer.KindUnavailable,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := piped(t, func(c net.Conn) {
				receive(c)
				io.WriteString(c, answer)
				<-t.Context().Done()
			})
			_, err := p.Upload(t.Context(), ticket("http://cos/x"), text("x"))
			if kind != "" {
				wants(t, err, kind, "timed out")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestContextEndsAnUpload(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	cos, _ := listen(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 1<<20))
		close(started)
		io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := uploader(t).Upload(ctx, ticket(cos.url), object(zeros{}, 4<<30))
	wants(t, err, transfer.KindOutOfTime, "")
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	cos, _ := listen(t, func(c net.Conn) {
		dials.Add(1)
		r := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			io.WriteString(c, strings.NewReplacer("204 No Content", "201 Created", "Content-Length: 0", "Content-Length: 4").Replace(accepted)+"<ok>")
		}
	})
	p := uploader(t)
	for range 10 {
		if _, err := p.Upload(t.Context(), ticket(cos.url), text("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("10 uploads took %d connections", n)
	}
}

var errHidden = errors.New("https://user:top-secret@127.0.0.1/?sign=top-secret")

func TestUnknownErrorsAreNotQuoted(t *testing.T) {
	t.Parallel()
	cos := answering(t, accepted)
	_, err := uploader(t).Upload(t.Context(), ticket(cos.url), object(iotest.ErrReader(errHidden), 1))
	if e := wants(t, err, transfer.KindUnavailable, "transport error"); e.Stage != transfer.StageOpen {
		t.Errorf("an error of the source has the stage %q", e.Stage)
	}
}
