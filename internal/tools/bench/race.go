package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"path"
	"slices"
	"time"
)

// A load is one job that contestants do in turn.
type load struct {
	name   string // for -only
	title  string
	size   int64 // of each file
	files  int
	atOnce int
	rounds int
	peers  bool // against what people use today, else against the reference alone
	who    []string
}

// Contestants, as the document calls them.
const (
	tcbferry  = "tcbferry"
	reference = "reference: bare net/http"
	limit     = "limit: kernel splice"
	naive     = "naive Go, file in memory"
	curl      = "curl | curl"
	adminNode = "tcb-admin-node"
	nodeSDK   = "@cloudbase/node-sdk"
)

const mib = 1 << 20

func (b *bench) loads() []load {
	if b.quick {
		return []load{
			{"large", "64 MiB", 64 * mib, 1, 1, 1, false, []string{reference, tcbferry, limit, naive}},
			{"small1", "10 kB, one at a time", 10_000, 250, 1, 1, false, []string{reference, tcbferry, naive}},
			{"small16", "10 kB, 16 at once", 10_000, 500, 16, 1, false, []string{reference, tcbferry, naive}},
			{"peers-large", "16 MiB", 16 * mib, 1, 1, 1, true, []string{reference, tcbferry, naive, curl, adminNode, nodeSDK}},
			{"peers-small", "10 kB, one at a time", 10_000, 20, 1, 1, true, []string{reference, tcbferry, naive, curl, adminNode, nodeSDK}},
		}
	}
	return []load{
		{"large", "1 GiB", 1024 * mib, 1, 1, 2*b.rounds - 1, false, []string{reference, tcbferry, limit}},
		{"huge", "4 GiB", 4096 * mib, 1, 1, min(3, b.rounds), false, []string{reference, tcbferry, limit}},
		{"small1", "10 kB, one at a time", 10_000, 1000, 1, 2*b.rounds - 1, false, []string{reference, tcbferry, naive}},
		{"small16", "10 kB, 16 at once", 10_000, 4000, 16, 4*b.rounds - 3, false, []string{reference, tcbferry, naive}},
		{"peers-naive", "1 GiB", 1024 * mib, 1, 1, 1, true, []string{reference, tcbferry, naive}},
		{"peers-large", "256 MiB", 256 * mib, 1, 1, min(3, b.rounds), true, []string{reference, tcbferry, naive, curl, adminNode, nodeSDK}},
		{"peers-small", "10 kB, one at a time", 10_000, 100, 1, min(3, b.rounds), true, []string{reference, tcbferry, naive, curl, adminNode, nodeSDK}},
		{"peers-small16", "10 kB, 16 at once", 10_000, 400, 16, min(3, b.rounds), true, []string{reference, tcbferry, naive, adminNode, nodeSDK}},
	}
}

func (b *bench) wanted(w *world, what string) bool {
	if w.kind == byName && what != "cold" {
		return false
	}
	ok, _ := path.Match(b.only, what+"-"+string(w.kind))
	return ok || b.only == ""
}

// keys names the files of a load in the source.
func (l load) keys() []string {
	keys := make([]string, l.files)
	for i := range keys {
		if keys[i] = fmt.Sprintf("big/%d-%d", l.size/mib, i); l.size < mib {
			keys[i] = fmt.Sprintf("small/%d", i%1000)
		}
	}
	return keys
}

// A contestant is a process that carries files.
type contestant interface {
	carry(ctx context.Context, keys []string) error
	cpu() (time.Duration, error) // so far
	peak() int64                 // bytes
	close()
}

var errAbsent = errors.New("not installed")

func (b *bench) start(ctx context.Context, w *world, who string, l load) (contestant, error) {
	switch who {
	case tcbferry:
		if l.size < mib && l.atOnce == 1 {
			return b.startFerry(ctx, w, l.atOnce, partOfCPU)
		}
		return b.startFerry(ctx, w, l.atOnce, twoCPUs)
	case curl:
		return b.startCurl(w)
	case adminNode, nodeSDK:
		return b.startNode(ctx, w, who, l)
	}
	if who == limit && w.scheme == "https" {
		return nil, errAbsent
	}
	way := map[string]string{reference: "reference", limit: "splice", naive: "naive"}[who]
	return b.startRelay(ctx, w, way, l.atOnce)
}

// A process is measured from outside.
type process int

func (p process) cpu() (time.Duration, error) { return cpuOf(int(p)) }
func (p process) peak() int64                 { return memoryOf(int(p), vmHWM) }

// A lineWorker gets its job as a JSON line and answers "ok".
type lineWorker struct {
	*child
	process
	atOnce int
}

func (b *bench) startRelay(ctx context.Context, w *world, way string, atOnce int) (contestant, error) {
	c, err := startChild(ctx, w.vars(), b.binary("relay"), way)
	if err != nil {
		return nil, err
	}
	return &lineWorker{c, process(c.cmd.Process.Pid), atOnce}, nil
}

func (r *lineWorker) carry(_ context.Context, keys []string) error {
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

// A cell is a contestant in a load: a row of a table.
type cell struct {
	who, scheme string
	load        load
	samples     []sample
	peak        int64 // bytes
}

// A sample is one round of a cell.
type sample struct{ wall, cpu time.Duration }

// race lets the contestants do a load in turn, round by round. Each turn is a new
// process's, for some are faster than others of the same program all their life.
func (b *bench) race(ctx context.Context, w *world, l load) error {
	cells := make([]*cell, len(l.who))
	for range l.rounds {
		for _, n := range rand.Perm(len(l.who)) { // whom one comes after makes a difference
			if cells[n] == nil {
				cells[n] = &cell{who: l.who[n], scheme: w.scheme, load: l}
			}
			err := b.turn(ctx, w, cells[n])
			if err != nil && !errors.Is(err, errAbsent) {
				return fmt.Errorf("%s: %w", l.who[n], err)
			}
		}
	}
	for _, c := range cells {
		if len(c.samples) > 0 {
			b.cells = append(b.cells, c)
		}
	}
	return nil
}

// turn is one contestant's part of a round.
func (b *bench) turn(ctx context.Context, w *world, c *cell) error {
	r, err := b.start(ctx, w, c.who, c.load)
	if err != nil {
		return err
	}
	defer r.close()
	first := warmUp[:min(len(warmUp), 2*c.load.atOnce)]
	if err := r.carry(ctx, first); err != nil {
		return fmt.Errorf("first files: %w", err)
	}
	if err := w.check(len(first), int64(len(first))*10_000); err != nil {
		return err
	}
	s, err := w.lap(ctx, r, c.load)
	if err != nil {
		return err
	}
	c.samples, c.peak = append(c.samples, s), max(c.peak, r.peak())
	log.Printf("%s, %s: %s: %.2fs, CPU %.2fs", c.load.title, w.scheme, c.who, s.wall.Seconds(), s.cpu.Seconds())
	return nil
}

// warmUp are the files that open each contestant's connections.
var warmUp = func() (keys []string) {
	for i := range 32 {
		keys = append(keys, fmt.Sprintf("small/%d", i))
	}
	return keys
}()

// lap is one contestant's turn. The sink must have got everything.
func (w *world) lap(ctx context.Context, c contestant, l load) (s sample, err error) {
	before, err := c.cpu()
	if err != nil {
		return s, err
	}
	began := time.Now()
	if err := c.carry(ctx, l.keys()); err != nil {
		return s, err
	}
	s.wall = time.Since(began)
	after, err := c.cpu()
	if err != nil {
		return s, err
	}
	s.cpu = after - before
	return s, w.check(l.files, int64(l.files)*l.size)
}

// cell finds a row, nil if it was not measured.
func (b *bench) cell(name, scheme, who string) *cell {
	i := slices.IndexFunc(b.cells, func(c *cell) bool { return c.load.name == name && c.scheme == scheme && c.who == who })
	if i < 0 {
		return nil
	}
	return b.cells[i]
}
