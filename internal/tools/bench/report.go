package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A bound is a promise with the value that was measured.
type bound struct {
	what, unit   string
	limit, value float64
	least        bool // the limit is the least value, not the most
}

func (b bound) holds() bool { return b.value == b.limit || b.value > b.limit == b.least }

// rowBounds must hold on any processor. Ratios are against the reference in the same
// round. Memory is what a small function can spare besides the Go runtime.
var rowBounds = []struct {
	load string
	bound
	value func(b *bench, r *row) float64
}{
	{large, bound{what: "CPU per GB", unit: " × reference", limit: 1.05}, func(b *bench, r *row) float64 { return b.ratio(r, reference, cpuPerGB) }},
	{large, bound{what: "peak memory", unit: " MiB", limit: 20}, peakMiB},
	{large16, bound{what: "peak memory", unit: " MiB", limit: 28}, peakMiB},
	{small1, bound{what: "files/s", unit: " × reference", limit: 0.75, least: true}, filesRatio},
	{small16, bound{what: "files/s", unit: " × reference", limit: 0.75, least: true}, filesRatio},
}

// receiptBound is what a receipt may cost.
var receiptBound = bound{what: "files/s with a receipt, " + small16, unit: " × tcbferry without", limit: 0.7, least: true}

func peakMiB(_ *bench, r *row) float64    { return float64(r.peak) / mib }
func filesRatio(b *bench, r *row) float64 { return b.ratio(r, reference, filesPerS) }

// bounds are the promises of which something was measured.
func (b *bench) bounds() []bound {
	all := []bound{{what: "stripped Lambda binary", unit: " MB", limit: 14, value: float64(b.size) / 1e6}}
	for _, x := range rowBounds {
		if r := b.row(x.load, tcbferry); r != nil {
			x.bound.what, x.bound.value = x.what+", "+x.load, x.value(b, r)
			all = append(all, x.bound)
		}
	}
	if r := b.row(small16, telling); r != nil {
		x := receiptBound
		x.value = b.ratio(r, tcbferry, filesPerS)
		all = append(all, x)
	}
	if len(b.cold.first) > 0 {
		all = append(all, bound{what: fmt.Sprintf("first file after a cold start, in %g of a CPU", smallestShare), unit: " ms", limit: 40, value: ms(median(b.cold.first))})
	}
	return append(all, b.long.bounds()...)
}

// ratio is the median, over the rounds, of a figure divided by another contestant's.
func (b *bench) ratio(r *row, to string, of func(load, sample) float64) float64 {
	ref := b.row(r.load.name, to)
	if ref == nil {
		return 0
	}
	var all []float64
	for i, s := range r.samples {
		all = append(all, of(r.load, s)/of(ref.load, ref.samples[i]))
	}
	return median(all)
}

func (r *row) figure(of func(load, sample) float64) float64 {
	var all []float64
	for _, s := range r.samples {
		all = append(all, of(r.load, s))
	}
	return median(all)
}

// A GB is 10^9 bytes.
func (l load) gigabytes() float64 { return float64(l.size) * float64(l.files) / 1e9 }

func cpuPerGB(l load, s sample) float64  { return s.cpu.Seconds() / l.gigabytes() }
func filesPerS(l load, s sample) float64 { return float64(l.files) / s.wall.Seconds() }
func ms(d time.Duration) float64         { return float64(d) / float64(time.Millisecond) }

// report is the measured part of the page.
func (b *bench) report() string {
	var s strings.Builder
	fmt.Fprintf(&s, "Measured on %s.\n\n| what must hold | bound | measured | |\n|---|---|---|---|\n", machine())
	for _, x := range b.bounds() {
		atMost := map[bool]string{false: "at most", true: "at least"}[x.least]
		holds := map[bool]string{false: "**does not hold**", true: "holds"}[x.holds()]
		fmt.Fprintf(&s, "| %s | %s %g%s | %.3g%s | %s |\n", x.what, atMost, x.limit, x.unit, x.value, x.unit, holds)
	}
	s.WriteString("\n| load | files | told it has | rounds | | files/s | ratio | CPU s/GB | ratio | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range b.rows {
		ratios := [2]string{"1", "1"}
		for i, of := range []func(load, sample) float64{filesPerS, cpuPerGB} {
			if b.row(r.load.name, reference) == nil {
				ratios[i] = ""
			} else if r.who != reference {
				ratios[i] = fmt.Sprintf("%.2f", b.ratio(r, reference, of))
			}
		}
		fmt.Fprintf(&s, "| %s | %d × %.4g MB | %d MB | %d | %s | %.4g | %s | %.2f | %s | %.1f |\n", r.load.name, r.load.files, float64(r.load.size)/1e6,
			r.load.memory, r.load.rounds, r.who, r.figure(filesPerS), ratios[0], r.figure(cpuPerGB), ratios[1], float64(r.peak)/mib)
	}
	if c := b.cold; len(c.first) > 0 {
		fmt.Fprintf(&s, "\n| %d cold starts over HTTPS in %g of a CPU | |\n|---|---|\n", len(c.first), smallestShare)
		fmt.Fprintf(&s, "| exec to first poll, whole CPU | %.1f ms |\n| first file of 10 kB | %.1f ms |\n| second file | %.1f ms |\n| peak memory | %.1f MiB |\n",
			ms(median(c.poll)), ms(median(c.first)), ms(median(c.second)), float64(c.peak)/mib)
	}
	s.WriteString(b.long.report())
	for _, line := range b.skipped {
		s.WriteString("\nSkipped: " + line + "\n")
	}
	return s.String()
}

// machine names the processor, the system and the day.
func machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // empty elsewhere than on Linux
	return fmt.Sprintf("%s: %d CPUs (%s), Linux %s, %s, %s", time.Now().Format(time.DateOnly),
		runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version(), runtime.GOARCH)
}

const (
	page  = "docs/benchmarks.md"
	begin = "<!-- measured by make bench -->\n"
	end   = "<!-- end -->"
)

// write replaces the measured part of the page; the rest of it is written by people.
func write(report string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no measured part, between %q and %q", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(before+begin+report+end+after), 0o644)
}
