package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

func TestWriteThatMovesNothingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := transport.NewConn(near, transport.IdleTimeout)
		start := time.Now()
		n, err := c.Write([]byte("nobody reads this"))
		if n != 0 || !errors.Is(err, transport.ErrStalled) {
			t.Fatalf("Write = %d, %v; want 0, ErrStalled", n, err)
		}
		if took := time.Since(start); took != transport.IdleTimeout {
			t.Errorf("gave up after %v, want %v", took, transport.IdleTimeout)
		}
		if cause := transfer.Cause(err); cause != "timed out" {
			t.Errorf("the cause reads %q", cause)
		}
	})
}

func TestWriteThatStopsMovingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		go io.ReadFull(far, make([]byte, 4))
		n, err := transport.NewConn(near, transport.IdleTimeout).Write([]byte("0123456789"))
		if n != 4 || !errors.Is(err, transport.ErrStalled) {
			t.Fatalf("Write = %d, %v; want 4, ErrStalled", n, err)
		}
	})
}

func TestSlowWriteThatMovesIsNeverCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		text := []byte("one byte every fourteen seconds")
		got := make(chan []byte)
		go func() {
			var all []byte
			for b := make([]byte, 1); len(all) < len(text); all = append(all, b...) {
				time.Sleep(14 * time.Second)
				io.ReadFull(far, b)
			}
			got <- all
		}()
		n, err := transport.NewConn(near, transport.IdleTimeout).Write(text)
		if n != len(text) || err != nil {
			t.Fatalf("Write = %d, %v; want all", n, err)
		}
		if all := <-got; !bytes.Equal(all, text) {
			t.Errorf("arrived: %q", all)
		}
	})
}

func TestCallersWriteDeadlineRules(t *testing.T) {
	t.Parallel()
	set := map[string]func(net.Conn, time.Time) error{
		"SetWriteDeadline": net.Conn.SetWriteDeadline,
		"SetDeadline":      net.Conn.SetDeadline,
	}
	for name, deadline := range set {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer near.Close()
				defer far.Close()
				c := transport.NewConn(near, transport.IdleTimeout)
				start := time.Now()
				deadline(c, start.Add(time.Second))
				if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
					t.Fatalf("Write = %v after %v; want the deadline after 1s", err, time.Since(start))
				}
				deadline(c, time.Time{})
				start = time.Now()
				if _, err := c.Write([]byte("x")); !errors.Is(err, transport.ErrStalled) || time.Since(start) != transport.IdleTimeout {
					t.Errorf("without deadline, Write = %v after %v; want ErrStalled after %v", err, time.Since(start), transport.IdleTimeout)
				}
			})
		})
	}
}

// pieces is a connection that notes the size of each write, and swallows it.
type pieces struct {
	net.Conn
	sizes []int
	all   bytes.Buffer
}

func (p *pieces) Write(b []byte) (int, error) {
	p.sizes = append(p.sizes, len(b))
	return p.all.Write(b)
}
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }

// Not parallel, as others would take the few huge buffers.
func TestReadFromSendsLargePieces(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	upload := func(t *testing.T, want int) {
		t.Helper()
		var p pieces
		n, err := transport.NewConn(&p, transport.IdleTimeout).ReadFrom(iotest.HalfReader(bytes.NewReader(file)))
		if n != int64(len(file)) || err != nil {
			t.Fatalf("ReadFrom = %d, %v", n, err)
		}
		if !bytes.Equal(p.all.Bytes(), file) {
			t.Error("the bytes differ")
		}
		if len(p.sizes) != want {
			t.Errorf("5 MiB left in %d pieces, want %d: %v", len(p.sizes), want, p.sizes)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		upload(t, 5)
		source, end := io.Pipe()
		for range 4 {
			go transport.NewConn(new(pieces), transport.IdleTimeout).ReadFrom(source)
		}
		synctest.Wait()
		upload(t, 10)
		end.Close()
		synctest.Wait()
		upload(t, 5)
	})
}

// slow yields a byte every 20 ms of the test's own time.
type slow struct{ left int }

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(20 * time.Millisecond)
	s.left--
	p[0] = 'x'
	return 1, nil
}

func TestReadFromDoesNotHoldASlowSourceBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pieces
		n, err := transport.NewConn(&p, transport.IdleTimeout).ReadFrom(&slow{left: 100})
		if n != 100 || err != nil || p.all.Len() != 100 {
			t.Fatalf("ReadFrom = %d, %v", n, err)
		}
		if len(p.sizes) < 20 {
			t.Errorf("2 s of a slow source left in only %d pieces", len(p.sizes))
		}
	})
}

func TestReadFromPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken source")
	var p pieces
	n, err := transport.NewConn(&p, transport.IdleTimeout).ReadFrom(io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(broken)))
	if n != 3 || !errors.Is(err, broken) {
		t.Errorf("ReadFrom = %d, %v; want 3 and the source's error", n, err)
	}
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		if _, err := transport.NewConn(near, transport.IdleTimeout).ReadFrom(bytes.NewReader([]byte("abc"))); !errors.Is(err, transport.ErrStalled) {
			t.Errorf("ReadFrom into a stalled connection = %v", err)
		}
		if n, err := transport.NewConn(near, transport.IdleTimeout).ReadFrom(bytes.NewReader(nil)); n != 0 || err != nil {
			t.Errorf("ReadFrom of nothing = %d, %v", n, err)
		}
	})
}
