package link_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/link"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// answer is a response body: a piece after each pause, then silence until ctx ends.
type answer struct {
	ctx    context.Context
	pauses []time.Duration
	closed bool
}

func (a *answer) Read(p []byte) (int, error) {
	if len(a.pauses) == 0 {
		<-a.ctx.Done()
		return 0, a.ctx.Err()
	}
	select {
	case <-time.After(a.pauses[0]):
		a.pauses = a.pauses[1:]
		return copy(p, "x"), nil
	case <-a.ctx.Done():
		return 0, a.ctx.Err()
	}
}

func (a *answer) Close() error { a.closed = true; return nil }

func TestBodyEndsASilentRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := link.Body(&answer{ctx: ctx, pauses: []time.Duration{14 * time.Second, 14 * time.Second}}, cancel, link.Stall)
		start := time.Now()
		got, err := io.ReadAll(b)
		if string(got) != "xx" || !errors.Is(err, link.ErrStalled) {
			t.Fatalf("ReadAll = %q, %v; want xx, ErrStalled", got, err)
		}
		if took := time.Since(start); took != 2*14*time.Second+link.Stall {
			t.Errorf("took %v", took)
		}
		if cause := transfer.Cause(err); cause != "timed out" {
			t.Errorf("the cause reads %q", cause)
		}
	})
}

func TestBodySparesASlowConsumer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := link.Body(&answer{ctx: ctx, pauses: make([]time.Duration, 3)}, cancel, link.Stall)
		time.Sleep(time.Hour)
		for range 3 {
			if n, err := b.Read(make([]byte, 8)); n != 1 || err != nil {
				t.Fatalf("Read = %d, %v", n, err)
			}
			time.Sleep(time.Hour)
		}
		if ctx.Err() != nil {
			t.Error("cancelled between reads")
		}
	})
}

func TestBodyPassesEndsOn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	src := io.NopCloser(strings.NewReader("all"))
	b := link.Body(src, cancel, time.Hour)
	if got, err := io.ReadAll(b); string(got) != "all" || err != nil {
		t.Errorf("ReadAll = %q, %v", got, err)
	}
	a := &answer{ctx: ctx}
	b = link.Body(a, cancel, time.Hour)
	b.Close()
	if !a.closed || ctx.Err() == nil {
		t.Error("Close does not close and cancel")
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Read = %v, want the cancellation itself", err)
	}
}
