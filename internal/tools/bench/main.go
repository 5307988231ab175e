// Command bench measures tcbferry against what people use today, and writes
// docs/benchmarks.md. Source, sink and contestants are processes of their own on
// loopback; each contestant does the same job in turn in every round, and ratios
// are taken inside a round, so that a machine that is slower for a while is so for
// all. CPU time and memory are the contestant's alone, read from /proc.
//
//	go run ./internal/tools/bench            all of it, about nine minutes
//	go run ./internal/tools/bench -quick     a tenth of it, to see that it works
//
// The directory world holds the source and the sink, relay the plain contestants.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

func main() {
	log.SetFlags(log.Ltime)
	b := &bench{}
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of each measurement")
	flag.BoolVar(&b.quick, "quick", false, "small files and few rounds, and no document: does it work?")
	flag.StringVar(&b.only, "only", "", "only the measurements of this name (a pattern like small*-http), and no document")
	flag.StringVar(&b.function, "binary", "", "measure this build of functions/lambda-objects, and not a new one")
	flag.StringVar(&b.node, "node", ".cache/bench-node", "where to install the Node peers")
	docs := flag.String("docs", "docs", "directory of benchmarks.md and its charts")
	flag.Parse()
	if b.quick {
		b.rounds = 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		log.Fatal(err)
	}
	text := b.report()
	if b.quick || b.only != "" {
		fmt.Print(text, "\n", b.verdicts())
		return
	}
	if err := b.write(*docs, text); err != nil {
		log.Fatal(err)
	}
	fmt.Print(b.verdicts())
}

// A bench is one run of everything.
type bench struct {
	rounds int
	quick  bool
	only   string
	node   string // directory of the Node peers

	function string // tcbferry's binary

	dir    string // of binaries and certificates, temporary
	bundle string // root certificates: the machine's and our own
	cert   string
	key    string

	size    int64 // of tcbferry's binary
	cells   []*cell
	memory  []memory
	cold    []start
	skipped []string
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
	if b.function == "" {
		if b.function, err = platform.Build(ctx, b.dir, "./functions/lambda-objects", "lambda.norpc"); err != nil {
			return err
		}
	}
	info, err := os.Stat(b.function)
	if err != nil {
		return err
	}
	b.size = info.Size()
	b.prepareNode(ctx)
	for _, k := range []kind{overHTTP, overHTTPS, byName} {
		if k == byName {
			if err := b.canName(); err != nil {
				b.skip("cold starts at WeChat's own addresses", err.Error())
				continue
			}
		}
		w, err := b.startWorld(ctx, k)
		if err != nil {
			return err
		}
		err = b.measure(ctx, w)
		w.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, w *world) error {
	for _, load := range b.loads() {
		if load.peers || !b.wanted(w, load.name) {
			continue
		}
		if err := b.race(ctx, w, load); err != nil {
			return fmt.Errorf("%s over %s: %w", load.name, w.scheme, err)
		}
	}
	for _, load := range b.loads() {
		if load.peers && b.wanted(w, load.name) {
			if err := b.race(ctx, w, load); err != nil {
				return fmt.Errorf("%s over %s: %w", load.name, w.scheme, err)
			}
		}
	}
	if b.wanted(w, "memory") {
		if err := b.remember(ctx, w); err != nil {
			return fmt.Errorf("memory over %s: %w", w.scheme, err)
		}
	}
	if b.wanted(w, "cold") {
		return b.coldStarts(ctx, w)
	}
	return nil
}

// skip notes by name what is not measured, and why.
func (b *bench) skip(what, why string) {
	log.Printf("skipped: %s: %s", what, why)
	b.skipped = append(b.skipped, what+": "+why)
}

func (b *bench) binary(name string) string { return filepath.Join(b.dir, name) }
