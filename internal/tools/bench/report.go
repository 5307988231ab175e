package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// report is the whole document.
func (b *bench) report() string {
	var s strings.Builder
	s.WriteString(`# Benchmarks

Written by ` + "`make bench`" + `. A source, a sink and the contestants are processes of their own on loopback. In every round each contestant
does the same job in turn, in a new process with its connections open; ratios are taken inside a round against the reference, and the tables show medians over
the rounds. CPU time and memory (VmHWM, the most of all rounds) are the contestant's alone, GB are 10⁹ bytes. Differences under 10 % mean nothing.

`)
	s.WriteString(machine())
	s.WriteString(`
- **tcbferry** is the real Lambda binary behind a Runtime API, verification and logging on. It is told what to carry in events of up to ` + fmt.Sprint(perEvent) + ` files: SQS events of a FIFO queue
  with one message group where files go one at a time, else plain requests, two at once where 16 files go at once. The others get the same list beforehand.
  It believes to have 4096 MB of memory, so two CPUs, which the others may use too; where small files go one at a time, where memory is
  measured and in cold starts it is 256 MB, so a part of a CPU.
  It makes four requests for a file (ticket, GET, POST, and a HEAD that makes sure that the newest content won), the others three.
- **` + reference + `** is a GET whose body goes on in a POST, with a form made by hand and its exact length; no signature, no verification.
- **` + limit + `** has the kernel move the bytes between the two connections; it can do nothing else with them.
- The source is the project's emulated staging bucket. The sink checks a form's framing and computes its CRC64, which tcbferry compares.

## What must hold

| | bound | measured | |
|---|---|---|---|
`)
	for _, p := range b.bounds() {
		fmt.Fprintf(&s, "| %s | %s | %s | %s |\n", p.what, p.limit, p.value, map[bool]string{true: "holds", false: "**does not hold**"}[p.ok])
	}
	s.WriteString(notes)
	b.largeTables(&s)
	b.smallTables(&s)
	b.peerTables(&s)
	b.growth(&s)
	b.coldTable(&s)
	if len(b.skipped) > 0 {
		slices.Sort(b.skipped)
		s.WriteString("\n## Skipped\n\n")
		for _, line := range slices.Compact(b.skipped) {
			s.WriteString("- " + line + "\n")
		}
	}
	return s.String()
}

// notes are what the numbers do not say themselves. The effects in it were measured
// when the code was written, one change at a time, both builds in turn in every round.
const notes = `
The bounds of memory are for files alone. An event of 250 messages, its answer and its log lines need some more: see the tables of small files.

## What is in the code for speed

| | effect |
|---|---|
| the ticket is asked for while the source opens | where every answer takes 40 ms, one at a time: 6.1 → 8.1 files/s, as many as the reference, which asks for no HEAD |
| 64 idle connections are kept for each host, where net/http keeps 2 | 10 kB files, 16 at once over HTTP: 1.7 times the files/s |
| TLS sessions are kept for connections that are made again | a handshake, both sides of it: 1.8 → 0.7 ms of CPU |
| GET and HEAD of a file made out of the SDK's parts, not by its client | CPU of a 10 kB file, 16 at once: 0.70 → 0.39 ms |
| … and signed by what these two need of Signature Version 4 | 0.39 → 0.34 ms |
| an event keeps its goroutines, and their stacks, from file to file; requests to WeChat carry one trace, not two | 0.46 → 0.42 ms |
| requests to WeChat without http.Client; the attributes of a log line in one piece | garbage: 9.5 → 8.9 kB for a ticket, 1.4 → 0.3 kB for a line |
| answers of the source over plain HTTP are read 16 KiB at once | 0.30 → 0.28 ms |
| buffers of forms and the keyed HMAC are kept, no compression is asked for, the answer of an event grows once | garbage of a 10 kB file: 39.7 → 33.9 kB, 411 → 379 objects |
| the header of an upload leaves with the first piece of its body | 10 kB files, 16 at once over HTTP: 1.06 times the files/s, 0.93 times the CPU |
| CRC64 by carry-less multiplication, 64 bytes at once with AVX-512 | 53 GB/s, 14 GB/s without AVX-512, 1 GB/s with hash/crc64; 1 GiB over HTTP with AVX-512 and without: CPU 0.63 and 0.76 times the reference's |
| CRC64NVME of the S3 objects that have one, by minio/crc64nvme | 30 GB/s: 0.03 s of CPU for a GB, which takes some 0.5 s over HTTP and 1.3 s over HTTPS |
| uploads over HTTP leave a MiB at once | CPU of 1 GiB: 1.3 times the reference's with 64 KiB, 0.72 with 256 KiB, 0.63 with 512 KiB, 0.53 with 1 MiB |
| … all but four of them half a MiB, and small files what they need | peak memory of 16 files at once over HTTP: 31 → 25 MiB |
| the TLS records of 64 KiB leave together | 1 GiB over HTTPS: CPU from 1.2 to 1.0 times the reference's |
| … of 256 KiB for two uploads at once | 0.90 → 0.83 times the reference's; if it were for four, 16 at once would take 30 MiB and not 26 |
| the SDK's modules for SSM and Secrets Manager from before they had schemas | peak memory 15.3 → 12.1 MiB, first poll 5.1 → 4.0 ms, binary 12.7 → 11.6 MB |
| root certificates read and connections opened before the first poll | first HTTPS file in 0.072 of a CPU: 401 → 29 ms; first poll 19 ms later |
| one thread at a time (GOMAXPROCS) for a function with less than a CPU, which is less than 1769 MB of memory | the same: 29 → 18 ms; CPU of a 10 kB file, one at a time: 0.73 → 0.54 ms; of 1 GiB: 0.58 → 0.68 times the reference's over HTTP, 0.95 → 0.97 over HTTPS |
| what is left of reading the certificates collected meanwhile | the same: 18 → 14 ms, and 73 → 40 ms where the upload host is unknown (see below) |
| GOGC=200, with a part of a CPU 150 | 10 kB files, 16 at once: 1.12 times the files/s of GOGC=100, for 3 MiB more |
`

// rows writes the cells of a load as a table.
func (b *bench) rows(s *strings.Builder, load string, columns string, row func(c *cell) string) {
	for _, scheme := range []string{"http", "https"} {
		if b.cell(load, scheme, tcbferry) == nil {
			continue
		}
		title := b.cell(load, scheme, tcbferry).load
		fmt.Fprintf(s, "\n| %s, %s (%d rounds) | %s |\n|---|%s\n", title.title, upper(scheme), title.rounds, columns, strings.Repeat("---|", strings.Count(columns, "|")+1))
		for _, c := range b.cells {
			if c.load.name == load && c.scheme == scheme {
				fmt.Fprintf(s, "| %s | %s |\n", bold(c.who), row(c))
			}
		}
	}
}

func bold(who string) string {
	if who == tcbferry {
		return "**" + who + "**"
	}
	return strings.ReplaceAll(who, "|", "\\|")
}

func (b *bench) times(c *cell, of func(*cell, sample) float64) string {
	v, ok := b.ratio(c, of)
	if !ok {
		return ""
	}
	return number(v)
}

func (b *bench) throughput(c *cell) string {
	return strings.Join([]string{number(c.figure(speed)), b.times(c, speed), number(c.figure(cpuPerGB)), b.times(c, cpuPerGB), number(inMiB(c.peak))}, " | ")
}

func (b *bench) small(c *cell) string {
	return strings.Join([]string{number(c.figure(filesPerS)), b.times(c, filesPerS), number(c.figure(cpuPerFile)), b.times(c, cpuPerFile), number(inMiB(c.peak))}, " | ")
}

const (
	largeColumns = "GB/s | ratio | CPU s/GB | ratio | peak RSS MiB"
	smallColumns = "files/s | ratio | CPU ms/file | ratio | peak RSS MiB"
)

func (b *bench) largeTables(s *strings.Builder) {
	s.WriteString("\n## Large files\n\n![](bench-large-http.svg)\n![](bench-speed-http.svg)\n![](bench-large-https.svg)\n")
	b.rows(s, "large", largeColumns, b.throughput)
	b.rows(s, "huge", largeColumns, b.throughput)
	s.WriteString("\nOver HTTPS source, sink and contestant share the machine's cores with AES on all four ends: GB/s say little there, CPU per GB says it.\n")
}

func (b *bench) smallTables(s *strings.Builder) {
	s.WriteString("\n## Small files\n")
	b.rows(s, "small1", smallColumns, b.small)
	b.rows(s, "small16", smallColumns, b.small)
}

func (b *bench) peerTables(s *strings.Builder) {
	s.WriteString(`
## What people use today

tcb-admin-node streams; @cloudbase/node-sdk takes a Buffer or a file on disk, so the file is held in memory here; curl reads its standard input into
memory to learn its length and refuses 1 GiB. None of them compares what arrived with what was sent.

![](bench-peers-http.svg)
![](bench-peers-memory-http.svg)
![](bench-peers-small-http.svg)
`)
	b.rows(s, "peers-naive", largeColumns, b.throughput)
	b.rows(s, "peers-large", largeColumns, b.throughput)
	b.rows(s, "peers-small", smallColumns, b.small)
	b.rows(s, "peers-small16", smallColumns, b.small)
}

func (b *bench) growth(s *strings.Builder) {
	s.WriteString(`
## How cost grows

With the size of a file time and CPU grow, memory does not. With the number of files at once memory grows by the buffers of a transfer.

![](bench-memory-http.svg)
![](bench-memory-https.svg)

| files at once | over | seconds | CPU seconds | CPU s/GB | peak RSS MiB |
|---|---|---|---|---|---|
`)
	for _, m := range b.memory {
		perGB := m.cpu.Seconds() / (float64(m.size) * float64(m.files) / 1e9)
		fmt.Fprintf(s, "| %d × %s | %s | %.3f | %.3f | %s | %s |\n", m.files, sizeName(m.size), upper(m.scheme), m.wall.Seconds(), m.cpu.Seconds(), number(perGB), number(inMiB(m.peak)))
	}
}

var coldKinds = map[kind]string{overHTTP: "HTTP", overHTTPS: "HTTPS, upload host unknown", byName: "HTTPS"}

func (b *bench) coldTable(s *strings.Builder) {
	fmt.Fprintf(s, `
## Cold start

From exec to the first poll, then the first file of 10 kB and the second, medians of fresh processes. Roots are the machine's whole bundle.
The binary has %.1f MB. The share of 0.072 of a CPU (128 MB of memory) begins after the first poll, as on Lambda, where it is not limited before.

Over HTTPS WeChat's API and COS go by their own names here (an /etc/hosts that the function alone sees leads them to the sink), so that the start knows them and opens
connections to them. Where the upload host is unknown, WECHAT_API_URL names the sink and the ticket leads to a host that the start has not heard of: the first file shakes hands with it.

| | poll ms | first file ms | second file ms | RSS at poll MiB | peak MiB |
|---|---|---|---|---|---|
`, float64(b.size)/1e6)
	for _, c := range b.cold {
		share := "whole CPU"
		if c.share > 0 {
			share = fmt.Sprintf("%.3f of a CPU", c.share)
		}
		fmt.Fprintf(s, "| %s, %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n", coldKinds[c.kind], share, ms(median(c.poll)), ms(median(c.first)), ms(median(c.second)), inMiB(c.atPoll), inMiB(c.peak))
	}
}

// machine describes where it was measured.
func machine() string {
	model, kernel, memory := "unknown processor", "", ""
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = ", Linux " + strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf(", %.0f GiB of memory", float64(kib)/(1<<20))
		}
	}
	return fmt.Sprintf("The machine: %d CPUs (%s)%s%s, %s, %s. Nothing but loopback was measured: no real S3, COS or Lambda.\n",
		runtime.NumCPU(), model, memory, kernel, runtime.Version(), runtime.GOARCH)
}

// verdicts is what the terminal shows in the end.
func (b *bench) verdicts() string {
	var s strings.Builder
	for _, p := range b.bounds() {
		fmt.Fprintf(&s, "%-5s %s: %s (%s)\n", map[bool]string{true: "ok", false: "FAILS"}[p.ok], p.what, p.value, p.limit)
	}
	return s.String()
}

// write replaces the document and its charts.
func (b *bench) write(dir, text string) error {
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(text), 0o644); err != nil {
		return err
	}
	for name, svg := range b.charts() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}
