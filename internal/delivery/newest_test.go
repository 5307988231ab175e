package delivery_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// The newest content wins: whatever order events, invocations and their steps
// take, when all is quiet the destination holds what the source holds.

// An overwrite is a scheduler in which the file k, twice announced, is overwritten
// once, which is announced as well: two invocations run, and a third from then on.
type overwrite struct {
	*scheduler
	ctx   context.Context
	all   []*invocation
	ended bool // the source holds its newest content
}

func newOverwrite(ctx context.Context) *overwrite {
	o := &overwrite{scheduler: newScheduler(), ctx: ctx}
	o.put("k", "old")
	o.all = []*invocation{o.start(ctx, "k"), o.start(ctx, "k")}
	return o
}

func (o *overwrite) close() {
	for _, v := range o.all {
		v.cut()
		<-v.end
	}
}

// moves are all that may happen next.
func (o *overwrite) moves() (all []func()) {
	for _, c := range o.calls() {
		all = append(all, func() { o.release(c, works) })
	}
	if o.waits(o.all) {
		all = append(all, o.wait)
	}
	if !o.ended {
		all = append(all, func() {
			o.put("k", "new")
			o.ended = true
			o.all = append(o.all, o.start(o.ctx, "k"))
		})
	}
	return all
}

// state is all that what happens next depends on. Tickets do not differ, so
// their number is enough.
func (o *overwrite) state() string {
	s := o.source["k"] + ", " + o.dest["k"]
	for _, v := range o.all {
		s += fmt.Sprintf("; %s, %d tickets, waits %v", strings.Join(v.observed, ", "), v.tickets, o.waits([]*invocation{v}))
	}
	return s
}

// TestNewestWinsInEveryOrder takes every step in every state that can be
// reached, which covers every interleaving of the steps.
func TestNewestWinsInEveryOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		graph := map[string][]string{} // state by state, where each move leads
		var first string
		for todo := [][]int{nil}; len(todo) > 0; {
			path := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			o := newOverwrite(t.Context())
			var from *string
			for depth := 0; ; depth++ {
				state, moves := o.state(), o.moves()
				if from != nil {
					*from = state
				} else {
					first = state
				}
				if _, known := graph[state]; !known {
					graph[state] = make([]string, len(moves))
					for other := 1; other < len(moves); other++ {
						todo = append(todo, append(slices.Clone(path), other))
					}
					if len(moves) == 0 && o.dest["k"] != o.source["k"] {
						t.Fatalf("the destination ends as %q:\n%s", o.dest["k"], strings.Join(o.trace, "\n"))
					}
				} else if depth >= len(path) {
					break
				}
				if len(moves) == 0 {
					break
				}
				if depth == len(path) {
					path = append(path, 0)
				}
				from = &graph[state][path[depth]]
				moves[path[depth]]()
			}
			o.close()
		}
		t.Logf("%d interleavings through %d states", interleavings(graph, first, map[string]int{}), len(graph))
	})
}

// TestNewestWinsWhenTriesAreSpent lets the source change during each upload of one
// invocation. During the last one another invocation delivers the newest content,
// and the older content is stored after it. Only the repeated event can correct that.
func TestNewestWinsWhenTriesAreSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler()
		step := func(v *invocation, name string) {
			t.Helper()
			for _, c := range s.calls() {
				if c.by == v && c.name == name {
					s.release(c, works)
					return
				}
			}
			t.Fatalf("%d makes no call %s:\n%s", v.n, name, strings.Join(s.trace, "\n"))
		}
		through := func(v *invocation, names ...string) {
			t.Helper()
			for _, name := range names {
				step(v, name)
			}
		}
		s.put("k", "0")
		slow := s.start(t.Context(), "k")
		for n := 1; !slow.ended(); n++ {
			if n > 20 {
				t.Fatal("the invocation has no end")
			}
			through(slow, "Open", "Ticket")
			s.put("k", fmt.Sprint(n))
			quick := s.start(t.Context(), "k")
			through(quick, "Open", "Ticket", "Post", "Stat")
			if o := <-quick.end; state(o) != "delivered" {
				t.Fatalf("the newest content: %s", state(o))
			}
			through(slow, "Post", "Stat")
			if s.waits([]*invocation{slow}) {
				s.wait()
			}
		}
		if o := <-slow.end; o.Err != nil && o.Err.Kind.Retryable() {
			through(s.start(t.Context(), "k"), "Open", "Ticket", "Post", "Stat")
		}
		if !maps.Equal(s.source, s.dest) {
			t.Errorf("the source is %v, the destination %v", s.source, s.dest)
		}
	})
}

// interleavings counts the ways from a state to an end.
func interleavings(graph map[string][]string, state string, known map[string]int) int {
	if n, ok := known[state]; ok {
		return n
	}
	n := 0
	for _, next := range graph[state] {
		n += interleavings(graph, next, known)
	}
	known[state] = max(n, 1)
	return known[state]
}

var seed = flag.Uint64("seed", 0, "the first schedule of TestNewestWinsByChance; 0 takes any")

// TestNewestWinsByChance lets files be put, announced once or more, and delivered
// by invocations that fail, lose answers, are slow without limit and run out of
// time, in random order. An invocation that failed is repeated, as queues do.
func TestNewestWinsByChance(t *testing.T) {
	t.Parallel()
	base := *seed
	if base == 0 {
		base = rand.Uint64N(1e9) + 1
	}
	t.Logf("-seed=%d", base)
	synctest.Test(t, func(t *testing.T) {
		for s := base; s < base+200; s++ {
			if end := play(t.Context(), s); !maps.Equal(end.source, end.dest) {
				t.Fatalf("-seed=%d: the source is %v, the destination %v:\n%s", s, end.source, end.dest, strings.Join(end.trace, "\n"))
			}
		}
	})
}

// A chance is a schedule in the making.
type chance struct {
	*scheduler
	*rand.Rand
	ctx            context.Context
	puts, failures int      // still to come
	events         []string // keys
	running        []*invocation
}

// play plays one schedule until all is quiet.
func play(ctx context.Context, seed uint64) *scheduler {
	c := &chance{scheduler: newScheduler(), Rand: rand.New(rand.NewPCG(seed, 0)), ctx: ctx, puts: 10, failures: 6}
	for {
		c.running = slices.DeleteFunc(c.running, c.over)
		moves := c.moves()
		if len(moves) == 0 {
			return c.scheduler
		}
		moves[c.IntN(len(moves))]()
	}
}

// over says whether an invocation has ended; if it failed, its event comes again.
func (c *chance) over(v *invocation) bool {
	select {
	case o := <-v.end:
		if v.cut(); o.Err != nil {
			c.events = append(c.events, v.key)
		}
		return true
	default:
		return false
	}
}

// moves are all that may happen next, some of them several times: files are put
// and announced in bursts, and one upload in three is slow.
func (c *chance) moves() (all []func()) {
	add := func(weight int, move func()) { all = append(all, slices.Repeat([]func(){move}, weight)...) }
	if c.puts > 0 {
		add(5, c.store)
	}
	if len(c.events) > 0 {
		add(10, c.invoke)
	}
	if len(c.running) > 0 && c.failures > 0 {
		add(1, c.timeOut)
	}
	calls := c.calls()
	for _, pending := range calls {
		weight := 10
		if pending.name == "Post" && pending.by.n%3 == 0 {
			weight = 1
		}
		add(weight, func() { c.release(pending, c.fate(pending)) })
	}
	if c.waits(c.running) {
		add(5, c.wait)
	}
	return all
}

// store puts one of three files; content that was there before may come back.
func (c *chance) store() {
	c.puts--
	key := string(rune('a' + c.IntN(3)))
	c.put(key, fmt.Sprint(c.IntN(4)))
	c.events = append(c.events, slices.Repeat([]string{key}, 1+c.IntN(2))...)
}

func (c *chance) invoke() {
	i := c.IntN(len(c.events))
	c.running = append(c.running, c.start(c.ctx, c.events[i]))
	c.events = slices.Delete(c.events, i, i+1)
}

func (c *chance) timeOut() {
	c.failures--
	v := c.running[c.IntN(len(c.running))]
	c.note("%d runs out of time", v.n)
	v.cut()
	synctest.Wait()
}

func (c *chance) fate(pending *call) fate {
	if c.failures == 0 || c.IntN(8) > 0 {
		return works
	}
	c.failures--
	if pending.name == "Post" && c.IntN(2) == 0 {
		return lost
	}
	return fails
}
