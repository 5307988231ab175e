package delivery_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A scheduler is a source, a ticket issuer and COS in memory, where nothing happens by
// chance: every call that an invocation makes waits until a schedule picks it,
// and takes effect before the next one is picked.
type scheduler struct {
	source, dest map[string]string // content by key; it is its own ETag

	mu      sync.Mutex
	waiting []*call
	trace   []string
	started int
}

// A call is one request of an invocation, before it takes effect.
type call struct {
	by   *invocation
	name string // Open, Ticket, Post or Stat
	fate chan fate
}

// A fate is how a call ends.
type fate int

const (
	works fate = iota
	fails      // and changes nothing
	lost       // it takes effect, but its answer is lost
)

// An invocation delivers one key. It stands between its deliverer and the scheduler.
type invocation struct {
	*scheduler
	n        int
	key      string
	observed []string // what it saw of the scheduler, in order
	tickets  int
	cut      context.CancelFunc // the end of its time
	end      chan transfer.Outcome
}

func newScheduler() *scheduler {
	return &scheduler{source: map[string]string{}, dest: map[string]string{}}
}

func (s *scheduler) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

func (s *scheduler) put(key, content string) {
	s.note("put %s=%s", key, content)
	s.source[key] = content
}

// start runs an invocation up to its first calls.
func (s *scheduler) start(ctx context.Context, key string) *invocation {
	s.started++
	v := &invocation{scheduler: s, n: s.started, key: key, end: make(chan transfer.Outcome, 1)}
	s.note("%d starts with %s", v.n, key)
	ctx, v.cut = context.WithCancel(ctx)
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": v}, Tickets: v, Uploader: v}
	go func() { v.end <- c.Deliver(ctx, plan(key), func() {}) }()
	synctest.Wait()
	return v
}

// ended says whether an invocation has returned.
func (v *invocation) ended() bool { return len(v.end) > 0 }

// waits says whether one of the invocations is waiting for nothing but time.
func (s *scheduler) waits(running []*invocation) bool {
	calls := s.calls()
	return slices.ContainsFunc(running, func(v *invocation) bool {
		return !v.ended() && !slices.ContainsFunc(calls, func(c *call) bool { return c.by == v })
	})
}

// wait lets the back-off of those that wait for nothing else pass.
func (s *scheduler) wait() {
	s.note("a minute passes")
	time.Sleep(time.Minute)
	synctest.Wait()
}

// calls lists what waits, in an order that does not depend on goroutines.
func (s *scheduler) calls() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(slices.Values(s.waiting), func(a, b *call) int {
		return cmp.Or(a.by.n-b.by.n, strings.Compare(a.name, b.name))
	})
}

// release lets a call happen, and all that follows from it up to the next calls.
func (s *scheduler) release(c *call, f fate) {
	s.note("%d %s%s", c.by.n, c.name, [...]string{"", " fails", " loses its answer"}[f])
	c.fate <- f
	synctest.Wait()
}

// await holds a call until the schedule picks it.
func (v *invocation) await(ctx context.Context, name string) (fate, error) {
	c := &call{v, name, make(chan fate, 1)}
	v.mu.Lock()
	v.waiting = append(v.waiting, c)
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.waiting = slices.DeleteFunc(v.waiting, func(other *call) bool { return other == c })
	}()
	select {
	case f := <-c.fate:
		if f == fails {
			return f, newError(transfer.KindUnavailable, transfer.StageOpen)
		}
		return f, nil
	case <-ctx.Done():
		return fails, ctx.Err()
	}
}

func (v *invocation) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	if _, err := v.await(ctx, "Open"); err != nil {
		return nil, err
	}
	content := v.source[ref.Key]
	v.observed = append(v.observed, "opened "+content)
	return &transfer.Object{Body: io.NopCloser(strings.NewReader(content)), Size: int64(len(content)), ETag: content}, nil
}

func (v *invocation) Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error) {
	if _, err := v.await(ctx, "Ticket"); err != nil {
		return transfer.Ticket{}, err
	}
	v.tickets++
	return transfer.Ticket{Key: d.Path, FileID: "cloud://e.b/" + d.Path, Expires: time.Now().Add(15 * time.Minute)}, nil
}

func (v *invocation) Upload(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	body, err := io.ReadAll(obj.Body)
	if err != nil {
		return transfer.Receipt{}, err
	}
	f, err := v.await(ctx, "Post")
	if err != nil {
		return transfer.Receipt{}, err
	}
	v.dest[t.Key] = string(body)
	v.observed = append(v.observed, "posted")
	if f == lost {
		return transfer.Receipt{}, newError(transfer.KindUnavailable, transfer.StageUpload)
	}
	return receipt(string(body)), nil
}

func (v *invocation) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	if _, err := v.await(ctx, "Stat"); err != nil {
		return "", err
	}
	v.observed = append(v.observed, "stat "+v.source[ref.Key])
	return v.source[ref.Key], nil
}
