package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Lambda gives 128 MB of memory this part of a CPU: 128/1769.
const (
	smallestMemory = 128
	smallestShare  = 0.072

	named = "tcbferry by name"
)

// coldStarts are fresh processes in smallestShare of a CPU.
type coldStarts struct {
	poll   []time.Duration // from exec to the first poll, which Lambda does not limit
	first  []time.Duration // the first file of 10 kB
	second []time.Duration // the next one
	peak   int64           // bytes
}

// canStartCold says why names cannot be given to loopback addresses here. Otherwise it makes
// a program of the function that knows such names: in a mount namespace with an /etc/hosts of
// its own, those of WeChat's API and of COS lead to the sink.
func (b *bench) canStartCold() error {
	for _, host := range []string{apiHost, cosHost} {
		l, err := net.Listen("tcp", host+":443")
		if err != nil {
			return err
		}
		l.Close()
	}
	hosts := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", apiHost, apiName, cosHost, cosName)
	if err := os.WriteFile(b.file("hosts"), []byte(hosts), 0o644); err != nil {
		return err
	}
	script := func(program string) error {
		text := fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s /etc/hosts && exec %s'\n", b.file("hosts"), program)
		return os.WriteFile(b.file(named), []byte(text), 0o755)
	}
	if err := script("true"); err != nil {
		return err
	}
	if out, err := exec.Command(b.file(named)).CombinedOutput(); err != nil {
		return fmt.Errorf("no mount namespace can be made here: %w: %s", err, out)
	}
	b.binaries[named] = b.file(named)
	return script(b.binaries[tcbferry])
}

// measureColdStarts needs a control group; without one it notes that it was skipped.
func (b *bench) measureColdStarts(ctx context.Context, w *world) error {
	group, err := newGroup()
	if err != nil {
		b.skipped = append(b.skipped, "cold starts: "+err.Error())
		return nil
	}
	defer group.remove()
	runs := 25
	if b.quick {
		runs = 2
	}
	for range runs {
		if err := b.coldStart(ctx, w, group); err != nil {
			return err
		}
	}
	log.Printf("cold start: first file %v", median(b.cold.first))
	return nil
}

func (b *bench) coldStart(ctx context.Context, w *world, group group) error {
	c := b.contestant(w, named, smallestMemory, 1)
	defer c.Close()
	poll, err := c.Init(ctx)
	if err != nil {
		return err
	}
	b.cold.poll = append(b.cold.poll, poll)
	if err := setting(filepath.Join(string(group), "cgroup.procs"), strconv.Itoa(c.PID())); err != nil {
		return err
	}
	for i, took := range []*[]time.Duration{&b.cold.first, &b.cold.second} {
		began := time.Now()
		if err := c.deliver(ctx, []string{fmt.Sprintf("small/%d", i)}); err != nil {
			return err
		}
		*took = append(*took, time.Since(began))
	}
	b.cold.peak = max(b.cold.peak, c.PeakRSS())
	return w.check(2, 2*smallSize)
}

// A group is the directory of a control group with smallestShare of a CPU.
type group string

// period is how often the kernel gives out CPU time, in microseconds. Lambda uses 20 ms.
const period = 20_000

// newGroup makes a control group, of version 2 or 1, where the machine permits it.
func newGroup() (group, error) {
	quota := strconv.Itoa(int(smallestShare * period))
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

func (g group) remove() {
	for range 100 { // the last process may still be ending
		if os.Remove(string(g)) == nil {
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
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
