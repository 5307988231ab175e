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

// A yard is a source, a ticket desk and COS in memory, where nothing happens by
// chance: every call that an invocation makes waits until a schedule picks it,
// and takes effect before the next one is picked.
type yard struct {
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

// An invocation carries one key. It stands between its courier and the yard.
type invocation struct {
	*yard
	n       int
	key     string
	told    []string // what it saw of the yard, in order
	tickets int
	cut     context.CancelFunc // the end of its time
	end     chan transfer.Outcome
}

func newYard() *yard { return &yard{source: map[string]string{}, dest: map[string]string{}} }

func (y *yard) note(format string, args ...any) {
	y.trace = append(y.trace, fmt.Sprintf(format, args...))
}

func (y *yard) put(key, content string) {
	y.note("put %s=%s", key, content)
	y.source[key] = content
}

// start runs an invocation up to its first calls.
func (y *yard) start(ctx context.Context, key string) *invocation {
	y.started++
	v := &invocation{yard: y, n: y.started, key: key, end: make(chan transfer.Outcome, 1)}
	y.note("%d starts with %s", v.n, key)
	ctx, v.cut = context.WithCancel(ctx)
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": v}, Tickets: v, Uploader: v}
	go func() { v.end <- c.Carry(ctx, plan(key)) }()
	synctest.Wait()
	return v
}

// calls lists what waits, in an order that does not depend on goroutines.
func (y *yard) calls() []*call {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.SortedFunc(slices.Values(y.waiting), func(a, b *call) int {
		return cmp.Or(a.by.n-b.by.n, strings.Compare(a.name, b.name))
	})
}

// let lets a call happen, and all that follows from it up to the next calls.
func (y *yard) let(c *call, f fate) {
	y.note("%d %s%s", c.by.n, c.name, [...]string{"", " fails", " loses its answer"}[f])
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
			return f, fault(transfer.KindUnavailable, transfer.StageOpen)
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
	v.told = append(v.told, "opened "+content)
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
	v.told = append(v.told, "posted")
	if f == lost {
		return transfer.Receipt{}, fault(transfer.KindUnavailable, transfer.StageUpload)
	}
	return receipt(string(body)), nil
}

func (v *invocation) Stat(ctx context.Context, ref transfer.Ref) (string, error) {
	if _, err := v.await(ctx, "Stat"); err != nil {
		return "", err
	}
	v.told = append(v.told, "stat "+v.source[ref.Key])
	return v.source[ref.Key], nil
}
