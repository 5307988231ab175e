package transport_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// server accepts one connection after another, reads a request's head and hands
// the rest to serve.
func server(t *testing.T, serve func(c net.Conn, body io.Reader)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*net.TCPConn).SetReadBuffer(16 << 10)
			go func() {
				defer c.Close()
				if req, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err == nil {
					serve(c, req.Body)
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func post(url string, size int64, stall time.Duration) error {
	client := transport.Client(transport.NewTransport(), stall)
	defer client.CloseIdleConnections()
	req, err := http.NewRequest("POST", url, io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// The whole body is in the kernel's buffers long before the receiver has it.
func TestSlowReceiverIsNotCutOff(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	start := time.Now()
	url := server(t, func(c net.Conn, body io.Reader) {
		for {
			if _, err := io.CopyN(io.Discard, body, 32<<10); err != nil {
				break
			}
			time.Sleep(30 * time.Millisecond)
		}
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	if err := post(url, 2<<20, stall); err != nil {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	if took := time.Since(start); took < 2*stall {
		t.Errorf("the receiver took %v only: nothing was shown", took)
	}
}

func TestAnswerThatNeverComesEnds(t *testing.T) {
	t.Parallel()
	const stall = 150 * time.Millisecond
	quit := make(chan struct{})
	defer close(quit)
	url := server(t, func(_ net.Conn, body io.Reader) {
		io.Copy(io.Discard, body)
		<-quit
	})
	start := time.Now()
	err := post(url, 1<<10, stall)
	if took := time.Since(start); !errors.Is(err, transport.ErrStalled) || took < stall {
		t.Errorf("%v after %v, want ErrStalled after %v or a little more", err, took, stall)
	}
}

func TestAnswerInTimeIsKept(t *testing.T) {
	t.Parallel()
	const stall = 600 * time.Millisecond
	url := server(t, func(c net.Conn, body io.Reader) {
		io.Copy(io.Discard, body)
		time.Sleep(stall / 3)
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	if err := post(url, 1<<10, stall); err != nil {
		t.Error(err)
	}
}
