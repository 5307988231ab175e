package main

import (
	"bytes"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// update: rewrite the tables in docs/scaling.md.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// small is a backlog that is simulated at once.
func small(concurrency int) setting {
	return setting{backlog: 4000, concurrency: concurrency, batch: 1, warm: true}
}

func TestSameSeedSameResult(t *testing.T) {
	t.Parallel()
	w := defaults()
	set := setting{rate: 2000, span: time.Minute, concurrency: 20, batch: 3, quota: 1500}
	first := simulate(w, set)
	if again := simulate(w, set); !reflect.DeepEqual(first, again) {
		t.Error("two runs of one seed differ")
	}
	w.seed++
	if other := simulate(w, set); reflect.DeepEqual(first, other) {
		t.Error("two seeds give the same result")
	}
}

// Every file is delivered or a dead letter, once.
func TestNoFileIsLost(t *testing.T) {
	t.Parallel()
	for _, faults := range []float64{0, 0.01, 0.9} {
		for _, set := range []setting{
			{rate: 300, span: 3 * time.Minute, concurrency: 5, batch: 1},
			{rate: 3000, span: time.Minute, concurrency: 50, batch: 10, quota: 500},
			{backlog: 3000, concurrency: 30, batch: 10},
		} {
			w := defaults()
			w.faults = faults
			r := simulate(w, set)
			if r.files == 0 || len(r.done)+r.dead != r.files || len(r.waits) != len(r.done) {
				t.Errorf("%+v: %d files, %d delivered, %d dead", set, r.files, len(r.done), r.dead)
			}
			if r.carried < r.files || r.carried > r.files*w.receives || r.heads != len(r.done) {
				t.Errorf("%+v: %d files carried %d times, %d confirmed of %d", set, r.files, r.carried, r.heads, len(r.done))
			}
		}
	}
}

// Without a quota the rate is the concurrency divided by the time of a file, and
// a batch carries courier.AtOnce files in about the time of the slowest.
func TestThroughputFollowsConcurrency(t *testing.T) {
	t.Parallel()
	w := defaults()
	one, ten := simulate(w, small(10)), simulate(w, small(100))
	each := one.billed.Minutes() / float64(one.files)
	if got, want := throughput(one.done), 10/each; math.Abs(got/want-1) > 0.05 {
		t.Errorf("10 at once deliver %.0f a minute, Little's law says %.0f", got, want)
	}
	if gain := throughput(ten.done) / throughput(one.done); gain < 9 || gain > 11 {
		t.Errorf("ten times the concurrency gives %.1f times the rate", gain)
	}
	batch := small(10)
	batch.batch = 10
	many := simulate(w, batch)
	if gain := throughput(many.done) / throughput(one.done); gain < 3 || gain > 8 {
		t.Errorf("a batch of ten gives %.1f times the rate", gain)
	}
	if many.billed >= one.billed/3 {
		t.Errorf("a batch of ten costs %v of Lambda, one by one %v", many.billed, one.billed)
	}
}

// A quota bounds every minute. More at once than it needs delivers nothing
// earlier: the surplus sleeps in Lambda, is given up and comes again.
func TestQuota(t *testing.T) {
	t.Parallel()
	const limit = 600
	w := defaults()
	w.faults = 0
	run := func(concurrency int) *result {
		set := small(concurrency)
		set.quota = limit
		r := simulate(w, set)
		perMinute := map[int64]int{}
		for _, at := range r.done {
			perMinute[int64(at/time.Minute)]++
		}
		for n, count := range perMinute {
			if count > limit+concurrency { // those under way when the minute began
				t.Errorf("%d at once: %d files in minute %d", concurrency, count, n)
			}
		}
		if r.tickets-r.throttled != len(r.done) {
			t.Errorf("%d at once: %d tickets given for %d files", concurrency, r.tickets-r.throttled, len(r.done))
		}
		return r
	}
	enough, surplus := run(10), run(300)
	const early = 6 * time.Minute
	if got, plain := between(surplus.done, 0, early), between(enough.done, 0, early); got > plain+plain/50 {
		t.Errorf("300 at once deliver %d files within %v, 10 deliver %d", got, early, plain)
	}
	if surplus.throttled < 5*enough.throttled || surplus.billed < 2*enough.billed || surplus.carried <= enough.carried {
		t.Errorf("throttled %d and %d, billed %v and %v, carried %d and %d", surplus.throttled, enough.throttled,
			surplus.billed, enough.billed, surplus.carried, enough.carried)
	}
}

// The retry policy is the product's: a passing fault is tried seven times in an
// invocation, a ticket that runs out twice, one that is past the deadline once.
func TestRetriesAreTheProducts(t *testing.T) {
	t.Parallel()
	const files = 20
	set := setting{backlog: files, concurrency: 5, batch: 1, warm: true}
	for _, tc := range []struct {
		name   string
		change func(*world)
		tries  int // in one receive
	}{
		{"always unavailable", func(w *world) { w.faults = 1 }, 7},
		{"slower than a ticket lives", func(w *world) { w.timeout, w.speed, w.size = 4000*time.Second, 1, 1e9 }, 2},
		{"slower than the timeout", func(w *world) { w.speed, w.size = 1, 1e9 }, 1},
	} {
		w := defaults()
		w.faults = 0
		tc.change(&w)
		r := simulate(w, set)
		if len(r.done) != 0 || r.dead != files || r.carried != files*w.receives || r.tickets != files*w.receives*tc.tries || r.gets != r.tickets {
			t.Errorf("%s: %d delivered, %d dead, %d receives, %d tickets", tc.name, len(r.done), r.dead, r.carried, r.tickets)
		}
		if r.billed > time.Duration(r.carried)*w.timeout {
			t.Errorf("%s: billed %v for %d invocations", tc.name, r.billed, r.invocations)
		}
	}
}

// Access tokens are fetched once for each environment, never for each file.
func TestTokens(t *testing.T) {
	t.Parallel()
	r := simulate(defaults(), small(40))
	if r.tokens != 40 {
		t.Errorf("%d tokens for 40 environments and %d files", r.tokens, r.files)
	}
	w := defaults()
	w.tokenQuota = 25
	if r := simulate(w, small(40)); r.throttled == 0 || len(r.done) != r.files {
		t.Errorf("%d throttled, %d of %d delivered", r.throttled, len(r.done), r.files)
	}
}

// The estimate for a queue that speeds up agrees with the simulation of it.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := defaults()
	set := setting{backlog: 20_000, concurrency: 100, batch: 1}
	cold := simulate(w, set)
	set.warm = true
	estimate := w.drain(float64(set.backlog), throughput(simulate(w, set).done), set)
	if ratio := estimate.Seconds() / last(cold.done).Seconds(); ratio < 0.9 || ratio > 1.1 {
		t.Errorf("estimated %v, simulated %v", estimate, last(cold.done))
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	w := defaults()
	r := &result{files: 2e6, carried: 2e6, invocations: 1e6, gets: 3e6, heads: 2e6, bytes: 5e9, billed: 1e6 * time.Second}
	items, sum := w.cost(r)
	want := []float64{1e6*0.5*0.0000133334 + 0.20, 4*0.40 + 2*1.00, 5 * 0.40, 2.4 * 0.50, 5 * 0.09}
	total := 0.0
	for i := range want {
		total += want[i]
		if math.Abs(items[i]-want[i]) > 1e-9 {
			t.Errorf("item %d is %v, want %v", i, items[i], want[i])
		}
	}
	if math.Abs(sum-total) > 1e-9 {
		t.Errorf("sum %v, want %v", sum, total)
	}
}

func TestAgenda(t *testing.T) {
	t.Parallel()
	var a agenda
	for _, at := range []time.Duration{5, 3, 5, 1, 4, 3, 2, 5} {
		a.push(event{at: at})
	}
	var last event
	for len(a.heap) > 0 {
		e := a.pop()
		if e.at < last.at || e.at == last.at && e.seq < last.seq {
			t.Errorf("%v after %v", e, last)
		}
		last = e
	}
}

// docs/scaling.md shows what the program prints. Elsewhere floating-point numbers
// may round otherwise and let chance take another course.
func TestDocument(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("the tables are those of amd64")
	}
	if underRace {
		t.Skip("the race detector makes the whole simulation ten times slower; make check compares the tables without it")
	}
	const path, begin, end = "../../../docs/scaling.md", "<!-- go run ./internal/tools/scaling -->\n```text\n", "```\n<!-- end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no block between %q and %q", path, begin, end)
	}
	var b bytes.Buffer
	report(&b, defaults())
	if update {
		if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if shown != b.String() {
		t.Errorf("%s is out of date; run UPDATE_GOLDEN=1 go test ./internal/tools/scaling\nnow:\n%s", path, b.String())
	}
}
