package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// The bounds that must hold on any processor. Ratios are against the reference in the
// same round. Memory is what a small function can spare beside the Go runtime.
const (
	mostCPUPerGB   = 1.05
	leastFilesPerS = 0.75
	mostPeakOne    = 20 // MiB
	mostPeak16     = 28 // MiB
	mostFirstFile  = 40 // ms, in smallestShare of a CPU
	mostBinary     = 14 // MB
)

// A bound is a promise with the value that was measured.
type bound struct {
	what, limit, value string
	ok                 bool
}

func (b bound) result(ok, failed string) string {
	if b.ok {
		return ok
	}
	return failed
}

// bounds are the promises of which something was measured.
func (b *bench) bounds() (all []bound) {
	atMost := func(what, unit string, v, limit float64) {
		all = append(all, bound{what, fmt.Sprintf("at most %g%s", limit, unit), fmt.Sprintf("%.3g%s", v, unit), v <= limit})
	}
	if r := b.row("large", tcbferry); r != nil {
		atMost("CPU per GB, one large file", " × reference", b.ratio(r, cpuPerGB), mostCPUPerGB)
		atMost("peak memory, one large file", " MiB", float64(r.peak)/mib, mostPeakOne)
	}
	if r := b.row("large16", tcbferry); r != nil {
		atMost("peak memory, 16 large files at once", " MiB", float64(r.peak)/mib, mostPeak16)
	}
	for _, name := range []string{"small1", "small16"} {
		if r := b.row(name, tcbferry); r != nil {
			v := b.ratio(r, filesPerS)
			all = append(all, bound{fmt.Sprintf("files/s, 10 kB, %d at once", r.load.atOnce),
				fmt.Sprintf("at least %g × reference", leastFilesPerS), fmt.Sprintf("%.3g × reference", v), v >= leastFilesPerS})
		}
	}
	if len(b.cold.first) > 0 {
		atMost(fmt.Sprintf("first file after a cold start, in %g of a CPU", smallestShare), " ms", ms(median(b.cold.first)), mostFirstFile)
	}
	atMost("stripped Lambda binary", " MB", float64(b.size)/1e6, mostBinary)
	return all
}

// ratio is the median, over the rounds, of a figure divided by the reference's.
func (b *bench) ratio(r *row, of func(load, sample) float64) float64 {
	ref := b.row(r.load.name, reference)
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
		fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", x.what, x.limit, x.value, x.result("holds", "**does not hold**"))
	}
	s.WriteString("\n| load | told it has | rounds | | files/s | ratio | CPU s/GB | ratio | peak MiB |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range b.rows {
		ratios := [2]string{"1", "1"}
		for i, of := range []func(load, sample) float64{filesPerS, cpuPerGB} {
			if b.row(r.load.name, reference) == nil {
				ratios[i] = ""
			} else if r.who != reference {
				ratios[i] = fmt.Sprintf("%.2f", b.ratio(r, of))
			}
		}
		fmt.Fprintf(&s, "| %d × %s over %s, %d at once | %d MB | %d | %s | %s | %s | %.2f | %s | %.1f |\n", r.load.files, sizeName(r.load.size), r.load.kind,
			r.load.atOnce, r.load.memory, r.load.rounds, r.who, number(r.figure(filesPerS)), ratios[0], r.figure(cpuPerGB), ratios[1], float64(r.peak)/mib)
	}
	if c := b.cold; len(c.first) > 0 {
		fmt.Fprintf(&s, "\n| %d cold starts over HTTPS in %g of a CPU | |\n|---|---|\n", len(c.first), smallestShare)
		fmt.Fprintf(&s, "| exec to first poll, whole CPU | %.1f ms |\n| first file of 10 kB | %.1f ms |\n| second file | %.1f ms |\n| peak memory | %.1f MiB |\n",
			ms(median(c.poll)), ms(median(c.first)), ms(median(c.second)), float64(c.peak)/mib)
	}
	for _, line := range b.skipped {
		s.WriteString("\nSkipped: " + line + "\n")
	}
	return s.String()
}

// number shows a figure of any size with three digits or its whole part.
func number(f float64) string {
	if f >= 100 {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
}

func sizeName(size int64) string {
	switch {
	case size < mib:
		return fmt.Sprintf("%d kB", size/1000)
	case size < 1024*mib:
		return fmt.Sprintf("%d MiB", size/mib)
	}
	return fmt.Sprintf("%d GiB", size/(1024*mib))
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
	begin = "<!-- measured by make bench -->\n"
	end   = "<!-- end -->"
)

// write replaces the measured part of the page; the rest of it is written by people.
func (b *bench) write(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no measured part, between %q and %q", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(before+begin+b.report()+end+after), 0o644)
}
