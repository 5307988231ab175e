package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// The kernel frees room for a Write in large lumps, so that nothing but its own counters
// tells that a slow receiver takes bytes. Its segments are as long as real ones.
func TestSlowReceiverIsNeverCutOff(t *testing.T) {
	t.Parallel()
	const idle = time.Second
	for _, rate := range []int64{128 << 10, 32 << 10} { // in each idle time
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) {
					syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1460)
					syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
				})
			}}
			ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			var received atomic.Int64
			go func() {
				c, err := ln.Accept()
				for err == nil {
					var n int64
					n, err = io.CopyN(io.Discard, c, rate/30)
					received.Add(n)
					time.Sleep(idle / 30)
				}
			}()
			tr := transport.New()
			tr.Idle = idle
			defer tr.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), 4*idle)
			defer cancel()
			start := time.Now()
			req, _ := http.NewRequestWithContext(ctx, "POST", "http://"+ln.Addr().String(), io.LimitReader(zeros{}, 64<<20))
			req.ContentLength = 64 << 20
			_, err = tr.RoundTrip(req)
			if got := received.Load() * int64(idle) / int64(time.Since(start)); got < 24<<10 {
				t.Skipf("the machine is too busy: the receiver took %d bytes in each idle time", got)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	}
}

// All of the body is with the kernel long before the receiver has it.
func TestSlowReceiverOfAWholeRequestIsNeverCutOff(t *testing.T) {
	t.Parallel()
	const idle = time.Second
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(16 << 10)
		req, err := http.ReadRequest(bufio.NewReaderSize(c, 16))
		if err != nil {
			return
		}
		for err == nil {
			_, err = io.CopyN(io.Discard, req.Body, 32<<10)
			time.Sleep(50 * time.Millisecond)
		}
		io.WriteString(c, answer)
	}()
	tr := transport.New()
	tr.Idle = idle
	defer tr.CloseIdleConnections()
	start := time.Now()
	resp, err := post(t, tr, "http://"+ln.Addr().String(), zeros{}, 2<<20)
	if err != nil {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
	resp.Body.Close()
	if took := time.Since(start); took < 2*idle {
		t.Errorf("the receiver took %v only: nothing was shown", took)
	}
}
