package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// smallestShare is the part of a CPU that Lambda gives 128 MB of memory: 128/1769.
const smallestShare = 0.072

// A start is a kind of cold start, measured several times.
type start struct {
	kind
	share        float64 // of a CPU from the first event on; 0 is no limit
	poll         []time.Duration
	first        []time.Duration // the first file of 10 kB
	second       []time.Duration // the next one
	atPoll, peak int64           // bytes
}

// coldStarts measures from exec to the first poll, and the first file.
func (b *bench) coldStarts(ctx context.Context, w *world) error {
	runs := 25
	if b.quick {
		runs = 3
	}
	for _, share := range []float64{0, smallestShare} {
		cell := start{kind: w.kind, share: share}
		group, err := newGroup(share)
		if err != nil {
			b.skip(fmt.Sprintf("first file over %s in %.3f of a CPU", w.kind, share), err.Error())
			continue
		}
		for range runs {
			if err := b.coldStart(ctx, w, &cell, group); err != nil {
				group.remove()
				return err
			}
		}
		group.remove()
		b.cold = append(b.cold, cell)
		log.Printf("cold, %s, share %.3f: poll %v, first file %v", w.kind, share, median(cell.poll), median(cell.first))
	}
	return nil
}

func (b *bench) coldStart(ctx context.Context, w *world, cell *start, group group) error {
	lambda := platform.NewLambda(b.function, maps.Clone(w.functionVars()))
	defer lambda.Close()
	var poll time.Duration
	begin := func(f func() error) error { return f() }
	if w.kind == byName {
		begin = b.withNames
	}
	err := begin(func() (err error) {
		poll, err = lambda.Init(ctx)
		return err
	})
	if err != nil {
		return err
	}
	pid, err := pidOf(b.function)
	if err != nil {
		return err
	}
	cell.atPoll = max(cell.atPoll, memoryOf(pid, vmRSS))
	if err := group.add(pid); err != nil {
		return err
	}
	f := &ferry{lambda: lambda, atOnce: 1, process: process(pid)}
	var took [2]time.Duration
	for i := range took {
		began := time.Now()
		if err := f.invoke(ctx, fifo(warmUp[i:i+1]), 1); err != nil {
			return err
		}
		took[i] = time.Since(began)
	}
	cell.poll, cell.first, cell.second = append(cell.poll, poll), append(cell.first, took[0]), append(cell.second, took[1])
	cell.peak = max(cell.peak, f.peak())
	return w.check(2, 20_000)
}

// A group is a control group with a share of a CPU, in periods of 20 ms as on
// Lambda; "" is none.
type group string

const period = 20_000 // microseconds

// newGroup makes a control group, of version 2 or 1, where the machine permits it.
func newGroup(share float64) (group, error) {
	if share == 0 {
		return "", nil
	}
	quota := strconv.Itoa(int(share * period))
	name := fmt.Sprintf("tcbferry-bench-%d", os.Getpid())
	for _, try := range []struct {
		parent   string
		settings [][2]string
	}{
		{"/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + strconv.Itoa(period)}}},
		{"/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", strconv.Itoa(period)}, {"cpu.cfs_quota_us", quota}}},
	} {
		dir := filepath.Join(try.parent, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		ok := true
		for _, s := range try.settings {
			ok = ok && setting(filepath.Join(dir, s[0]), s[1]) == nil
		}
		if ok {
			return group(dir), nil
		}
		group(dir).remove()
	}
	return "", fmt.Errorf("control groups with a CPU limit cannot be made here")
}

// setting writes to a file of the kernel's, which exists already or not at all.
func setting(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

func (g group) add(pid int) error {
	if g == "" {
		return nil
	}
	return setting(filepath.Join(string(g), "cgroup.procs"), strconv.Itoa(pid))
}

func (g group) remove() {
	for range 100 { // the last process may still be on its way out
		if g == "" || os.Remove(string(g)) == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func median[T ~int64 | ~float64](all []T) T {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
