// Command bench compares tcbferry with a bare relay in Go and writes the measured
// part of docs/benchmarks.md. The source, the sink and each contestant are separate
// processes on loopback. In each round every contestant does the same job, and a ratio
// compares two contestants of the same round, so a machine that is slow for a while
// slows both. CPU time and memory are the contestant's alone, read from /proc. At the end
// it compares one POST with parts on the model of a long line.
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
	function string // the Lambda binary
	size     int64  // of that binary, bytes

	dir    string // binaries and certificates, temporary
	bundle string // root certificates: the machine's and our own
	cert   string
	key    string

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
	if err := b.certify(); err != nil {
		return err
	}
	log.Print("building")
	for _, pkg := range []string{"./internal/tools/bench/world", "./internal/tools/bench/relay"} {
		if _, err := platform.Build(ctx, b.dir, pkg); err != nil {
			return err
		}
	}
	if b.function, err = platform.Build(ctx, b.dir, "./functions/lambda-objects", "lambda.norpc"); err != nil {
		return err
	}
	info, err := os.Stat(b.function)
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
	if err := b.canName(); err != nil {
		b.skipped = append(b.skipped, "cold starts: "+err.Error())
		return nil
	}
	return b.inWorld(ctx, byName, b.measureColdStarts)
}

func (b *bench) inWorld(ctx context.Context, k kind, f func(context.Context, *world) error) error {
	w, err := b.startWorld(ctx, k)
	if err != nil {
		return err
	}
	defer w.close()
	return f(ctx, w)
}

func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }
