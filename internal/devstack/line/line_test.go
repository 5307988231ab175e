package line_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/line"
)

// start starts a line to a server that answers what it gets, and connects.
func start(t *testing.T, o line.Options) (*line.Line, net.Conn) {
	t.Helper()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	l, err := line.Listen(echo.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); echo.Close() })
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return l, conn
}

var fast = line.Options{RTT: time.Millisecond, Loss: 0.01, MSS: 8948, Window: 2 << 20}

// What is lost is sent again: all arrives, in order, both ways.
func TestCarries(t *testing.T) {
	t.Parallel()
	l, conn := start(t, fast)
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	go func() {
		conn.Write(data)
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(data), err)
	}
	// 117 packets, from a window of 10.
	if l.Sent() != int64(len(data)) || l.Rounds() < 4 {
		t.Errorf("%d bytes in %d rounds", l.Sent(), l.Rounds())
	}
}

// A round trip to connect and one to be answered.
func TestDelays(t *testing.T) {
	t.Parallel()
	_, conn := start(t, line.Options{RTT: 20 * time.Millisecond, MSS: 1000, Window: 1 << 20})
	begin := time.Now()
	conn.Write([]byte("x"))
	io.ReadFull(conn, make([]byte, 1))
	if took := time.Since(begin); took < 38*time.Millisecond {
		t.Errorf("the first answer took %v", took)
	}
}

// A cut breaks what is under way, and nothing else. Where the machine is so slow that the
// bytes arrive before the cut, they get twice the time.
func TestCut(t *testing.T) {
	t.Parallel()
	for rtt := 100 * time.Millisecond; !cut(t, rtt); rtt *= 2 {
		if rtt > time.Minute {
			t.Fatal("what was under way has arrived")
		}
	}
}

func cut(t *testing.T, rtt time.Duration) (lost bool) {
	l, conn := start(t, line.Options{RTT: rtt, MSS: 1000, Window: 1 << 20})
	go conn.Write(make([]byte, 100))
	for {
		l.Cut() // until it has met the connection
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	l.Close()
	return l.Sent() == 0
}
