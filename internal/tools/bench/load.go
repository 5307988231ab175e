package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	mib       = 1 << 20
	smallSize = 10_000 // bytes of a small file; the source makes them

	// Memory in MB that the function is told it has. Lambda gives one CPU for each
	// 1769 MB, so these are a part of a CPU and more than two.
	partOfCPU = 256
	twoCPUs   = 4096
)

// A load is one job that the contestants do in turn.
type load struct {
	name   string
	kind   kind
	size   int64 // of each file, bytes
	files  int
	atOnce int
	memory int // MB that the function is told it has
	rounds int
	who    []string
}

// Contestants, as the page calls them.
const (
	tcbferry  = "tcbferry"
	telling   = "tcbferry with a receipt" // into a database that answers after 40 ms
	reference = "reference"
)

var both = []string{reference, tcbferry}

// Loads that have bounds.
const (
	large   = "a large file"
	large16 = "16 large files at once"
	small1  = "small files, one at a time"
	small16 = "small files, 16 at once"
)

var loads = []load{
	{large, overHTTPS, 1024 * mib, 1, 1, twoCPUs, 9, both},
	{large16, overHTTPS, 256 * mib, 16, 16, partOfCPU, 2, both[1:]},
	{small1, overHTTPS, smallSize, 1000, 1, partOfCPU, 9, both},
	{small16, overHTTPS, smallSize, 4000, 16, twoCPUs, 17, append(both, telling)},
	{"a large file over HTTP", overHTTP, 1024 * mib, 1, 1, twoCPUs, 3, both},
}

// quick is the load in a small part and one round.
func (l load) quick() load {
	l.rounds = 1
	if l.size == smallSize {
		l.files /= 8
	} else {
		l.size /= 16
	}
	return l
}

// keys names the files of a load in the source.
func (l load) keys() []string {
	keys := make([]string, l.files)
	for i := range keys {
		if keys[i] = fmt.Sprintf("big/%d-%d", l.size/mib, i); l.size == smallSize {
			keys[i] = fmt.Sprintf("small/%d", i%1000)
		}
	}
	return keys
}

// A contestant is a process that delivers files.
type contestant interface {
	deliver(ctx context.Context, keys []string) error
	cpu() (time.Duration, error) // so far
	peak() int64                 // bytes
	close()
}

func (b *bench) start(ctx context.Context, w *world, who string, l load) (contestant, error) {
	if who != reference {
		vars := w.functionVars(l.memory, l.atOnce)
		if who == telling {
			vars["RECEIPTS"] = "db:files"
		}
		return b.startFunction(ctx, vars, l.atOnce)
	}
	vars := map[string]string{"SOURCE_URL": w.source + "/staging", "API_URL": w.api, "SSL_CERT_FILE": w.bundle}
	c, err := startChild(ctx, vars, b.binary("relay"))
	if err != nil {
		return nil, err
	}
	return &relay{c, process(c.cmd.Process.Pid), l.atOnce}, nil
}

// A relay is the reference: it gets its job as a JSON line and answers "ok".
type relay struct {
	*child
	process
	atOnce int
}

func (r *relay) deliver(_ context.Context, keys []string) error {
	line, _ := json.Marshal(map[string]any{"AtOnce": r.atOnce, "Keys": keys}) // strings always marshal
	if _, err := r.stdin.Write(append(line, '\n')); err != nil {
		return err
	}
	answer, err := r.line()
	if err == nil && answer != "ok" {
		err = errors.New(answer)
	}
	return err
}

// A row is a contestant in a load: a row of a table.
type row struct {
	who     string
	load    load
	samples []sample // one a round
	peak    int64    // bytes, the most of all rounds
}

type sample struct{ wall, cpu time.Duration }

func (b *bench) measure(ctx context.Context, w *world) error {
	for _, l := range loads {
		if l.kind != w.kind {
			continue
		}
		if b.quick {
			l = l.quick()
		}
		if err := b.race(ctx, w, l); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// race lets the contestants do a load in turn, round by round. Each turn has a new
// process, because two processes of one program can differ in speed all their life.
func (b *bench) race(ctx context.Context, w *world, l load) error {
	var rows []*row
	for _, who := range l.who {
		rows = append(rows, &row{who: who, load: l})
	}
	for range l.rounds {
		for _, n := range rand.Perm(len(rows)) { // the order within a round makes a difference
			if err := b.turn(ctx, w, rows[n]); err != nil {
				return fmt.Errorf("%s: %w", rows[n].who, err)
			}
		}
	}
	b.rows = append(b.rows, rows...)
	return nil
}

// turn is one contestant's part of a round. A few small files open its connections
// first; they are not measured. The sink must have got everything.
func (b *bench) turn(ctx context.Context, w *world, r *row) error {
	c, err := b.start(ctx, w, r.who, r.load)
	if err != nil {
		return err
	}
	defer c.close()
	first := load{size: smallSize, files: 2 * r.load.atOnce}
	if err := c.deliver(ctx, first.keys()); err != nil {
		return fmt.Errorf("first files: %w", err)
	}
	if err := w.check(first.files, int64(first.files)*smallSize); err != nil {
		return err
	}
	before, err := c.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.deliver(ctx, r.load.keys()); err != nil {
		return err
	}
	s := sample{wall: time.Since(began)}
	after, err := c.cpu()
	if err != nil {
		return err
	}
	s.cpu = after - before
	r.samples, r.peak = append(r.samples, s), max(r.peak, c.peak())
	log.Printf("%s: %s: %.2fs, CPU %.2fs", r.load.name, r.who, s.wall.Seconds(), s.cpu.Seconds())
	return w.check(r.load.files, int64(r.load.files)*r.load.size)
}

// row finds a row; nil if it was not measured.
func (b *bench) row(name, who string) *row {
	i := slices.IndexFunc(b.rows, func(r *row) bool { return r.load.name == name && r.who == who })
	if i < 0 {
		return nil
	}
	return b.rows[i]
}
