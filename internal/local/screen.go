package local

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// A screen writes for people: colours and a moving progress line only on a
// terminal, and neither where NO_COLOR or TERM=dumb say so.
type screen struct {
	io.Writer
	live bool
}

func newScreen(out io.Writer) screen {
	s := screen{Writer: out}
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		s.live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

func (s screen) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s screen) green(text string) string { return s.paint("32", text) }
func (s screen) red(text string) string   { return s.paint("31", text) }

func (s screen) paint(colour, text string) string {
	if !s.live || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// progress shows how far a transfer of total bytes is until stop is called. On a
// terminal it is one line that moves; elsewhere a line for each quarter.
func (s screen) progress(name string, total int64, done func() int64) (stop func()) {
	const bar = 30
	quit, ended := make(chan struct{}), make(chan struct{})
	start, quarter := time.Now(), int64(1)
	draw := func() {
		n := min(done(), total)
		switch {
		case s.live:
			filled := int(n * bar / max(total, 1))
			fmt.Fprintf(s, "\r\x1b[K  %s%s %s of %s  %.0f MB/s  %s", strings.Repeat("█", filled), strings.Repeat("░", bar-filled),
				size(n), size(total), float64(n)/1e6/time.Since(start).Seconds(), name)
		case n*4 >= quarter*total && quarter <= 4:
			for ; n*4 >= (quarter+1)*total && quarter < 4; quarter++ {
			}
			s.say("  %3d %%  %s of %s  %s", quarter*25, size(n), size(total), name)
			quarter++
		}
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				draw()
				if s.live {
					fmt.Fprint(s, "\r\x1b[K")
				}
				return
			case <-tick.C:
				draw()
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// table writes rows in columns; those whose heading begins with a space are
// aligned to the right.
func (s screen) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], display(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
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

// display is how many columns of a terminal a text takes: wide characters, such
// as CJK ones, take two (Unicode Standard Annex 11).
func display(text string) int {
	n := utf8.RuneCountInString(text)
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n++
		}
	}
	return n
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	return fmt.Sprintf("%.4g %s", value, unit)
}
