// Command bench compares tcbferry with a bare relay in Go and writes the measured
// part of docs/benchmarks.md. Each contestant is a process of its own, which the emulated
// Lambda runs; the source and the sink are in this process, on loopback. In each round
// every contestant does the same job, and a ratio compares two contestants of the same
// round, so a machine that is slow for a while slows both. CPU time and memory are the
// contestant's alone, read from /proc. At the end it compares one POST with parts on the
// model of a long line.
//
//	go run ./internal/tools/bench            everything
//	go run ./internal/tools/bench -quick     small files, one round: does it work?
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

func main() {
	log.SetFlags(log.Ltime)
	b := &bench{}
	flag.BoolVar(&b.quick, "quick", false, "small files and one round; does not write the page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		log.Fatal(err)
	}
	report := b.report()
	fmt.Print(report)
	if b.quick {
		return
	}
	if err := write(report); err != nil {
		log.Fatal(err)
	}
	if slices.ContainsFunc(b.bounds(), func(x bound) bool { return !x.holds() }) {
		log.Fatal("a bound does not hold")
	}
}

// A bench is one run of everything.
type bench struct {
	quick    bool
	dir      string            // binaries and certificates, temporary
	binaries map[string]string // by contestant
	size     int64             // of the Lambda binary, bytes

	rows    []*row
	cold    coldStarts
	long    longLine
	skipped []string // what was not measured, and why
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "tcbferry-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	log.Print("building")
	relay, err := platform.Build(ctx, b.dir, "./internal/tools/bench/relay")
	if err != nil {
		return err
	}
	function, err := platform.Build(ctx, b.dir, "./functions/lambda-objects", "lambda.norpc")
	if err != nil {
		return err
	}
	b.binaries = map[string]string{reference: relay, tcbferry: function, telling: function}
	info, err := os.Stat(function)
	if err != nil {
		return err
	}
	b.size = info.Size()
	for _, k := range []kind{overHTTPS, overHTTP} {
		if err := b.inWorld(ctx, k, b.measure); err != nil {
			return fmt.Errorf("over %s: %w", k, err)
		}
	}
	if err := b.measureLongLine(ctx); err != nil {
		return err
	}
	if err := b.canStartCold(); err != nil {
		b.skipped = append(b.skipped, "cold starts: "+err.Error())
		return nil
	}
	return b.inWorld(ctx, byName, b.measureColdStarts)
}

func (b *bench) inWorld(ctx context.Context, k kind, f func(context.Context, *world) error) error {
	w, err := b.newWorld(k)
	if err != nil {
		return err
	}
	defer w.close()
	return f(ctx, w)
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }
