package local

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// usualWidth is how many columns most terminals open with.
const usualWidth = 80

// A screen writes for people: colours and a moving progress line only on a
// terminal, and neither where NO_COLOR or TERM=dumb say so. Several goroutines may write
// lines.
type screen struct {
	io.Writer
	live  bool // a line can be drawn again
	plain bool // no colours
	width int  // in columns
}

func newScreen(out io.Writer) screen {
	s := screen{Writer: &lockedWriter{w: out}, plain: os.Getenv("NO_COLOR") != "", width: usualWidth}
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		s.live = err == nil && info.Mode()&os.ModeCharDevice != 0
		if w := terminalWidth(f); s.live && w > 0 {
			s.width = w
		}
	}
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (s screen) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s screen) green(text string) string { return s.paint("32", text) }
func (s screen) red(text string) string   { return s.paint("31", text) }
func (s screen) faint(text string) string { return s.paint("2", text) }

func (s screen) paint(colour, text string) string {
	if !s.live || s.plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// redraw replaces the line of a terminal that the cursor is on, cut to fit.
func (s screen) redraw(text string) {
	fmt.Fprint(s, "\r\x1b[K"+cut(text, s.width-1))
}

// smooth is how often a moving line is drawn.
const smooth = 50 * time.Millisecond

// every calls do now, once in each interval, and when stop is called. stop waits for
// the last call.
func every(interval time.Duration, do func()) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			do()
			select {
			case <-quit:
				do()
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// busy says what takes a while until stop is called; on a terminal, with the seconds.
func (s screen) busy(what string) (stop func()) {
	if !s.live {
		s.say("%s ...", what)
		return func() {}
	}
	start, last := time.Now(), -1
	end := every(smooth, func() {
		if seconds := int(time.Since(start).Seconds()); seconds != last {
			s.redraw(fmt.Sprintf("%s ... %d s", what, seconds))
			last = seconds
		}
	})
	return func() {
		end()
		fmt.Fprint(s, "\r\x1b[K")
	}
}

// progress shows how far a transfer of total bytes is until stop is called. On a
// terminal it is one line that moves; elsewhere a line for each quarter.
func (s screen) progress(name string, total int64, done func() int64) (stop func()) {
	const bar = 24
	start, quarter := time.Now(), int64(1)
	end := every(smooth, func() {
		n := min(done(), total)
		switch {
		case s.live:
			filled := int(n * bar / max(total, 1))
			s.redraw(fmt.Sprintf("  %s%s %s of %s  %.0f MB/s  %s", strings.Repeat("█", filled), strings.Repeat("░", bar-filled),
				size(n), size(total), float64(n)/1e6/max(time.Since(start).Seconds(), 1e-3), shown(name)))
		case n*4 >= quarter*total && quarter <= 4:
			quarter = min(n*4/max(total, 1), 4)
			s.say("  %3d %%  %s of %s  %s", quarter*25, size(n), size(total), shown(name))
			quarter++
		}
	})
	return func() {
		end()
		if s.live {
			fmt.Fprint(s, "\r\x1b[K")
		}
	}
}

// table writes rows in columns; those whose heading begins with a space are
// aligned to the right. The first column is cut where the rows would not fit.
func (s screen) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], display(cell))
		}
	}
	total := 0
	for _, w := range widths {
		total += 2 + w
	}
	widths[0] = max(min(widths[0], widths[0]-(total-s.width)), 8)
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = cut(cell, widths[i])
			pad := strings.Repeat(" ", widths[i]-display(cell))
			if strings.HasPrefix(rows[0][i], " ") {
				cell = pad + cell
			} else {
				cell += pad
			}
			line.WriteString("  " + cell)
		}
		s.say("%s", strings.TrimRight(line.String(), " "))
	}
}

// cut shortens a text to some columns. It counts no colours.
func cut(text string, columns int) string {
	if display(text) <= columns {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if display(b.String())+display(string(r)) > columns-1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// display is how many columns of a terminal a text takes: wide characters, such
// as CJK ones, take two (Unicode Standard Annex 11), and colours none.
func display(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], "\x1b[") {
			i += strings.IndexByte(text[i:], 'm') + 1
			continue
		}
		r, length := utf8.DecodeRuneInString(text[i:])
		i += length
		n++
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n++
		}
	}
	return n
}

// shown is a text whose control characters, and those that change the direction of a
// line, are written out, so that an object key cannot drive the terminal.
func shown(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, length := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && length == 1, r < ' ', r >= 0x7f && r < 0xa0:
			for _, c := range []byte(text[i : i+length]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		case unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += length
	}
	return b.String()
}

// size is a number of bytes for people, to two digits or more.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1024, next
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

// shownLines is shown for several lines.
func shownLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = shown(strings.TrimRight(line, "\r"))
	}
	return strings.Join(lines, "\n")
}
