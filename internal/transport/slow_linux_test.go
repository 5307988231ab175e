package transport_test

import (
	"context"
	"io"
	"net"
	"net/http/httptrace"
	"syscall"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// The kernel frees room for a Write in large lumps, and a whole request may be in its
// buffers, so that nothing but its own counters tells that a slow receiver takes bytes.
// The receiver's segments are as long as real ones.
func TestKernelTellsOfASlowReceiver(t *testing.T) {
	t.Parallel()
	const taken = 64 << 10 // is told of within this much that the receiver has taken
	for name, size := range map[string]int64{"all of the request is in the kernel": 8 * taken, "a Write waits": 1 << 30} {
		t.Run(name, func(t *testing.T) {
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
			tr := transport.New()
			defer tr.CloseIdleConnections()
			tr.Idle = time.Hour
			conns := make(chan net.Conn, 1)
			ctx, cancel := context.WithCancel(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn: func(info httptrace.GotConnInfo) { conns <- info.Conn },
			}))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				post(ctx, tr, "http://"+ln.Addr().String(), zeros{}, size)
			}()
			defer func() { cancel(); <-sent }()
			receiver, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer receiver.Close()
			conn := <-conns
			for range 6 {
				before := transport.KernelProgress(conn)
				if _, err := io.CopyN(io.Discard, receiver, taken); err != nil {
					t.Fatal(err)
				}
				for transport.KernelProgress(conn) == before {
					time.Sleep(time.Millisecond) // until the kernel has seen the acknowledgement
				}
			}
		})
	}
}
