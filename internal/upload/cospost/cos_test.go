package cospost_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

const (
	accepted = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" +
		"ETag: \"ee8de918d05640145b18f70f4c3aa602\"\r\nServer: tencent-cos\r\n" +
		"x-cos-hash-crc64ecma: 16749565679157681890\r\nx-cos-request-id: NWQ2\r\n\r\n"
	signature = "q-sign-algorithm=sha1&q-signature=top-secret-signature"
	token     = "top-secret-token"
)

func ticket(url string) transfer.Ticket {
	return transfer.Ticket{URL: url, Key: "in/a b.png", Signature: transfer.NewSecret(signature), SecurityToken: transfer.NewSecret(token), MetaFileID: "HDze32/qZENCwWi5", FileID: "cloud://env.7465-env-125/in/a b.png"}
}

func object(r io.Reader, size int64) *transfer.Object {
	return &transfer.Object{Body: io.NopCloser(r), Size: size}
}

func text(s string) *transfer.Object { return object(strings.NewReader(s), int64(len(s))) }

// A rawServer is an HTTP server on raw TCP: serve gets each connection in turn, and all
// that was read through it is kept in wire.
type rawServer struct {
	origin, url string
	mu          sync.Mutex
	wire        strings.Builder
}

type tee struct {
	net.Conn
	p *rawServer
}

func (c tee) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.wire.Write(b[:n])
	return n, err
}

func (p *rawServer) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wire.String()
}

// listen starts a rawServer; done returns once the connections so far are finished.
func listen(t testing.TB, serve func(c net.Conn)) (p *rawServer, done func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + ln.Addr().String()
	p = &rawServer{origin: origin, url: origin + "/7465-env-125/in/a%20b.png"}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(tee{c, p})
			})
		}
	})
	done = sync.OnceFunc(func() {
		ln.Close()
		all.Wait()
	})
	t.Cleanup(done)
	return p, done
}

// receive reads a request to the end of its body.
func receive(c net.Conn) error {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// answering is a rawServer that reads the whole upload and then says answer.
func answering(t testing.TB, answer string) *rawServer {
	p, _ := listen(t, func(c net.Conn) {
		if receive(c) == nil {
			io.WriteString(c, answer)
		}
	})
	return p
}

// uploader uses connections as the functions do.
func uploader(t testing.TB) *cospost.Uploader {
	tr := transport.New()
	t.Cleanup(tr.CloseIdleConnections)
	return cospost.New(tr)
}

// piped is an uploader for a synctest bubble, whose connections lead to serve.
func piped(t testing.TB, serve func(c net.Conn)) *cospost.Uploader {
	tr := transport.Wrap(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far)
		}()
		return near, nil
	}})
	t.Cleanup(tr.CloseIdleConnections)
	return cospost.New(tr)
}

// refusal is COS's answer as it is on the wire (wire.md G3, G4).
func refusal(status int, header, code, message string) string {
	doc := fmt.Sprintf("<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>%s</Code>\n\t<Message>%s</Message>\n"+
		"\t<StringToSign>%s</StringToSign>\n\t<Resource>cos.ap-shanghai.myqcloud.com/x?sign=%s</Resource>\n\t<RequestId>NWQ2</RequestId>\n</Error>", code, message, signature, token)
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\nServer: tencent-cos\r\nx-cos-request-id: NWQ2\r\n%s\r\n%s",
		status, len(doc), header, doc)
}

// wants fails the test unless err is a *transfer.Error of that kind and holds no secret.
func wants(t testing.TB, err error, kind transfer.Kind, says string) *transfer.Error {
	t.Helper()
	e, ok := err.(*transfer.Error)
	if !ok || e.Kind != kind || !strings.Contains(e.What, says) {
		t.Errorf("got %T %v (kind %v); want %s that says %q", err, err, e, kind, says)
		return &transfer.Error{}
	}
	if strings.Contains(e.Error(), "top-secret") || strings.Contains(e.Error(), "127.0.0.1") {
		t.Errorf("the message tells too much: %s", e)
	}
	return e
}
