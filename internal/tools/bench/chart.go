package main

import (
	"fmt"
	"html"
	"strings"
)

// A bar is a row of a chart.
type bar struct {
	label string
	value float64
	text  string // what stands beside it
	ours  bool
}

// chart draws horizontal bars as an SVG picture that can be read on light and on
// dark pages.
func chart(title string, bars []bar) string {
	const width, left, right, row, top = 760, 210, 110, 26, 44
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	var s strings.Builder
	height := top + row*len(bars) + 10
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="13">
<style>
text { fill: #24292f } .title { font-weight: 600; font-size: 15px } .bar { fill: #9aa4b0 } .ours { fill: #1a7f4b }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #3fb970 } }
</style>
<text class="title" x="8" y="22">%s</text>
`, width, height, html.EscapeString(title), html.EscapeString(title))
	for i, b := range bars {
		y := top + row*i
		class := "bar"
		if b.ours {
			class = "ours"
		}
		length := 1.0
		if most > 0 {
			length = max(1, b.value/most*(width-left-right))
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="3"/><text x="%.1f" y="%d">%s</text>
`, left-8, y+13, html.EscapeString(b.label), class, left, y, length, row-8, left+length+8, y+13, html.EscapeString(b.text))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// charts are the pictures of the document, by file name.
func (b *bench) charts() map[string]string {
	all := map[string]string{}
	cells := func(file, title, load, scheme string, of func(*cell, sample) float64, unit string) {
		var bars []bar
		for _, c := range b.cells {
			if c.load.name == load && c.scheme == scheme {
				v := c.figure(of)
				bars = append(bars, bar{c.who, v, withUnit(v, unit), c.who == tcbferry})
			}
		}
		if len(bars) > 0 {
			all[file] = chart(title, bars)
		}
	}
	for _, scheme := range []string{"http", "https"} {
		on := " over " + upper(scheme)
		cells("bench-large-"+scheme+".svg", "1 GiB"+on+": CPU seconds per GB (less is better)", "large", scheme, cpuPerGB, "s/GB")
		cells("bench-speed-"+scheme+".svg", "1 GiB"+on+": GB/s (more is better)", "large", scheme, speed, "GB/s")
		cells("bench-peers-"+scheme+".svg", "256 MiB"+on+": CPU seconds per GB (less is better)", "peers-large", scheme, cpuPerGB, "s/GB")
		cells("bench-peers-small-"+scheme+".svg", "10 kB files"+on+", one at a time: CPU milliseconds per file (less is better)", "peers-small", scheme, cpuPerFile, "ms")
		var peaks, sizes []bar
		for _, c := range b.cells {
			if c.load.name == "peers-large" && c.scheme == scheme {
				peaks = append(peaks, bar{c.who, inMiB(c.peak), withUnit(inMiB(c.peak), "MiB"), c.who == tcbferry})
			}
		}
		for _, m := range b.memory {
			if m.scheme == scheme {
				sizes = append(sizes, bar{fmt.Sprintf("%d × %s", m.files, sizeName(m.size)), inMiB(m.peak), withUnit(inMiB(m.peak), "MiB"), true})
			}
		}
		if len(peaks) > 0 {
			all["bench-peers-memory-"+scheme+".svg"] = chart("256 MiB"+on+": peak memory (less is better)", peaks)
		}
		if len(sizes) > 0 {
			all["bench-memory-"+scheme+".svg"] = chart("tcbferry"+on+": peak memory by size and number of files at once", sizes)
		}
	}
	return all
}

func sizeName(bytes int64) string {
	if bytes >= 1024*mib {
		return fmt.Sprintf("%d GiB", bytes/(1024*mib))
	}
	return fmt.Sprintf("%d MiB", bytes/mib)
}
