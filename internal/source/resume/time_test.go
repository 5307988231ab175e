package resume_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

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
				body := resume.New(ctx, piece(nil, errReset), 4, reopen)
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
	body := resume.New(ctx, piece([]byte("abc"), errReset), 4, refuse(t))
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
	body := resume.New(ctx, first, 4, refuse(t))
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
				body := resume.New(t.Context(), first(), 4, never)
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
