package main

import (
	"fmt"
	"time"
)

// ratios are this cell's figures divided by the reference's of the same round.
func (b *bench) ratio(c *cell, of func(*cell, sample) float64) (float64, bool) {
	ref := b.cell(c.load.name, c.scheme, reference)
	if ref == nil || ref == c {
		return 1, ref != nil
	}
	var all []float64
	for i := range c.samples {
		if i < len(ref.samples) {
			all = append(all, of(c, c.samples[i])/of(ref, ref.samples[i]))
		}
	}
	return median(all), len(all) > 0
}

// figure is the median of a figure over the rounds.
func (c *cell) figure(of func(*cell, sample) float64) float64 {
	var all []float64
	for _, s := range c.samples {
		all = append(all, of(c, s))
	}
	return median(all)
}

// GB, as everywhere in the document, are 10^9 bytes.
func (c *cell) gigabytes() float64 { return float64(c.load.size) * float64(c.load.files) / 1e9 }

func speed(c *cell, s sample) float64      { return c.gigabytes() / s.wall.Seconds() }
func cpuPerGB(c *cell, s sample) float64   { return s.cpu.Seconds() / c.gigabytes() }
func filesPerS(c *cell, s sample) float64  { return float64(c.load.files) / s.wall.Seconds() }
func cpuPerFile(c *cell, s sample) float64 { return ms(s.cpu) / float64(c.load.files) }

func ms(d time.Duration) float64          { return float64(d) / float64(time.Millisecond) }
func inMiB(bytes int64) float64           { return float64(bytes) / mib }
func number(f float64) string             { return fmt.Sprintf("%.*f", digits(f), f) }
func withUnit(f float64, u string) string { return number(f) + " " + u }

// digits shows three figures and no more than two places.
func digits(f float64) int {
	switch {
	case f >= 100:
		return 0
	case f >= 10:
		return 1
	}
	return 2
}

// A bound is a promise with the value that was measured.
type bound struct {
	what  string
	limit string
	value string
	ok    bool
}

// bounds are the promises of which something was measured.
func (b *bench) bounds() (all []bound) {
	ratio := func(name, scheme, what string, of func(*cell, sample) float64, limit float64, most bool) {
		c := b.cell(name, scheme, tcbferry)
		if c == nil {
			return
		}
		v, _ := b.ratio(c, of)
		word := "at least"
		if most {
			word = "at most"
		}
		all = append(all, bound{what, fmt.Sprintf("%s %.2f × reference", word, limit), fmt.Sprintf("%.2f ×", v), most == (v <= limit) || v == limit})
	}
	most := func(what string, v, limit float64, unit string) {
		all = append(all, bound{what, fmt.Sprintf("at most %g %s", limit, unit), withUnit(v, unit), v <= limit})
	}
	ratio("large", "http", "CPU per GB, 1 GiB over HTTP", cpuPerGB, 0.65, true)
	ratio("large", "http", "GB/s, 1 GiB over HTTP", speed, 1.3, false)
	ratio("large", "https", "CPU per GB, 1 GiB over HTTPS", cpuPerGB, 1, true)
	for _, scheme := range []string{"http", "https"} {
		b.memoryBounds(scheme, most)
	}
	for _, scheme := range []string{"http", "https"} {
		on := " over " + upper(scheme)
		ratio("small1", scheme, "files/s, 10 kB, one at a time"+on, filesPerS, 0.7, false)
		ratio("small16", scheme, "files/s, 10 kB, 16 at once"+on, filesPerS, 0.7, false)
	}
	for _, c := range b.cold {
		switch {
		case c.share == 0 && c.kind == overHTTP:
			most("exec to first poll (connections opened over HTTP)", ms(median(c.poll)), 8, "ms")
		case c.share > 0 && c.kind == byName:
			most("first HTTPS file after initialisation, 0.072 of a CPU", ms(median(c.first)), 30, "ms")
		}
	}
	if b.size > 0 {
		most("stripped Lambda binary", float64(b.size)/1e6, 13, "MB")
	}
	return all
}

func (b *bench) memoryBounds(scheme string, most func(what string, v, limit float64, unit string)) {
	one, sixteen := int64(0), int64(0)
	bySize := map[int64]int64{}
	for _, m := range b.memory {
		switch {
		case m.scheme != scheme:
		case m.files == 1:
			one, bySize[m.size] = max(one, m.peak), m.peak
		case m.files == 16:
			sixteen = m.peak
		}
	}
	on := " over " + upper(scheme)
	if one > 0 {
		most("peak memory, one file of any size"+on, inMiB(one), 20, "MiB")
	}
	if sixteen > 0 {
		most("peak memory, 16 files at once"+on, inMiB(sixteen), 28, "MiB")
	}
	if huge, large := bySize[4096*mib], bySize[1024*mib]; huge > 0 && large > 0 {
		most("memory for 4 GiB more than for 1 GiB"+on, inMiB(huge-large), 2, "MiB")
	}
}

func upper(scheme string) string {
	if scheme == "https" {
		return "HTTPS"
	}
	return "HTTP"
}
