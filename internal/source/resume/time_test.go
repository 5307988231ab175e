package resume_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestStallIsBrokenOffAndResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go theirs.Write([]byte("ab"))
		var asked int64
		body := resume.New(t.Context(), ours, 4, func(_ context.Context, off int64) (io.ReadCloser, error) {
			asked = off
			return piece([]byte("cd"), nil), nil
		}, resume.Options{})
		defer body.Close()
		start := time.Now()
		got, err := io.ReadAll(body)
		if string(got) != "abcd" || err != nil || asked != 2 {
			t.Errorf("got %q, %v, reopened at %d", got, err, asked)
		}
		if took := time.Since(start); took != resume.IdleTimeout {
			t.Errorf("gave the stalled connection up after %v, want %v", took, resume.IdleTimeout)
		}
	})
}

func TestStalledReopeningsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late []*tracked
		body := resume.New(t.Context(), piece(nil, errReset), 4, func(ctx context.Context, _ int64) (io.ReadCloser, error) {
			<-ctx.Done()
			late = append(late, &tracked{ReadCloser: piece([]byte("late"), nil)})
			return late[len(late)-1], nil
		}, resume.Options{IdleTimeout: time.Second})
		defer body.Close()
		start := time.Now()
		_, err := io.ReadAll(body)
		if kind(t, err) != transfer.KindUnavailable || !strings.Contains(err.Error(), "no byte came in time") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took < resume.MaxReopenings*time.Second || took > resume.MaxReopenings*time.Second+1500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		for i, l := range late {
			if !l.closed {
				t.Errorf("the body that came too late in reopening %d was left open", i+1)
			}
		}
	})
}

type tracked struct {
	io.ReadCloser
	closed bool
}

func (c *tracked) Close() error { c.closed = true; return nil }

func TestSlowConsumerNeverTrips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		content := []byte("abcdef")
		body := resume.New(t.Context(), piece(content, nil), int64(len(content)), refuse(t), resume.Options{})
		defer body.Close()
		var got []byte
		for p := make([]byte, 1); ; {
			n, err := body.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * resume.IdleTimeout)
		}
		if !bytes.Equal(got, content) {
			t.Errorf("got %q", got)
		}
	})
}

func TestSlowSourceThatMovesNeverTrips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for _, c := range []byte("abcdef") {
				time.Sleep(resume.IdleTimeout - time.Millisecond)
				theirs.Write([]byte{c})
			}
		}()
		body := resume.New(t.Context(), ours, 6, refuse(t), resume.Options{})
		defer body.Close()
		if got, err := io.ReadAll(body); string(got) != "abcdef" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestEndOfContextIsOutOfTime(t *testing.T) {
	t.Parallel()
	for name, reopen := range map[string]resume.Opener{
		"while waiting": func(context.Context, int64) (io.ReadCloser, error) { return nil, errReset },
		"while opening": func(ctx context.Context, _ int64) (io.ReadCloser, error) { <-ctx.Done(); return nil, ctx.Err() },
		"while opening, with an answer": func(ctx context.Context, _ int64) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, &transfer.Error{Kind: transfer.KindDenied, What: "cancelled"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				body := resume.New(ctx, piece(nil, errReset), 4, reopen, resume.Options{})
				defer body.Close()
				start := time.Now()
				_, err := io.ReadAll(body)
				if kind(t, err) != transfer.KindOutOfTime {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took > time.Millisecond {
					t.Errorf("answered %v after the start, the time was over after 1 ms", took)
				}
			})
		})
	}
}

func TestNoByteOnceContextIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	body := resume.New(ctx, piece([]byte("abc"), errReset), 4, refuse(t), resume.Options{})
	defer body.Close()
	if n, err := body.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatalf("Read: %d, %v", n, err)
	}
	cancel()
	if n, err := body.Read(make([]byte, 1)); n != 0 || kind(t, err) != transfer.KindOutOfTime {
		t.Errorf("after the end of the context: %d, %v", n, err)
	}
}

func TestNoReopeningOnceContextIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := io.NopCloser(readFunc(func([]byte) (int, error) { cancel(); return 0, errReset }))
	body := resume.New(ctx, first, 4, refuse(t), resume.Options{})
	defer body.Close()
	if _, err := io.ReadAll(body); kind(t, err) != transfer.KindOutOfTime {
		t.Errorf("got %v", err)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestCloseEndsReadInProgress(t *testing.T) {
	t.Parallel()
	never := func(ctx context.Context, _ int64) (io.ReadCloser, error) { <-ctx.Done(); return nil, ctx.Err() }
	for name, first := range map[string]func() io.ReadCloser{
		"while reading": func() io.ReadCloser { ours, _ := net.Pipe(); return ours },
		"while opening": func() io.ReadCloser { return piece(nil, errReset) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body := resume.New(t.Context(), first(), 4, never, resume.Options{})
				start := time.Now()
				done := make(chan error)
				go func() { _, err := io.ReadAll(body); done <- err }()
				synctest.Wait()
				body.Close()
				if err := <-done; err == nil || time.Since(start) != 0 {
					t.Errorf("Read ended with %v after %v", err, time.Since(start))
				}
				if err := body.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
			})
		})
	}
}
