package local

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A terminal is a VT screen of 80 columns: what the emulators on people's desks make of
// what is written. It knows what a screen writes.
type terminal struct {
	lines   [][]rune
	column  int
	wrapped []string // lines that went over the edge
	bars    int      // how often a progress bar was drawn
	unknown []string // control characters and sequences that nobody asked for
}

const columns = 80

func render(output string) *terminal {
	t := &terminal{lines: [][]rune{nil}}
	for len(output) > 0 {
		r, n := utf8.DecodeRuneInString(output)
		switch {
		case strings.HasPrefix(output, "\x1b["):
			n = 2 + strings.IndexFunc(output[2:], func(r rune) bool { return r >= '@' && r <= '~' }) + 1
			t.sequence(output[2:n])
		case r == '\r':
			t.column = 0
		case r == '\n':
			t.lines, t.column = append(t.lines, nil), 0
		case r < ' ' || r == 0x7f:
			t.unknown = append(t.unknown, output[:n])
		default:
			t.put(r)
		}
		output = output[n:]
	}
	return t
}

func (t *terminal) sequence(s string) {
	switch {
	case s == "K":
		last := len(t.lines) - 1
		t.lines[last] = t.lines[last][:min(t.column, len(t.lines[last]))]
	case !strings.HasSuffix(s, "m"):
		t.unknown = append(t.unknown, s)
	}
}

// put writes a character; a wide one takes two columns, and holds the second as a NUL.
func (t *terminal) put(r rune) {
	last := len(t.lines) - 1
	if t.column+display(string(r)) > columns {
		t.wrapped = append(t.wrapped, string(t.lines[last]))
		t.lines, t.column, last = append(t.lines, nil), 0, last+1
	}
	if t.column == 2 && (r == '█' || r == '░') {
		t.bars++
	}
	for i := range display(string(r)) {
		cell := r
		if i > 0 {
			cell = 0
		}
		if t.column < len(t.lines[last]) {
			t.lines[last][t.column] = cell
		} else {
			t.lines[last] = append(t.lines[last], cell)
		}
		t.column++
	}
}

func (t *terminal) String() string {
	var b strings.Builder
	for _, line := range t.lines {
		b.WriteString(strings.ReplaceAll(string(line), "\x00", "") + "\n")
	}
	return b.String()
}

// A key is shown as it is, but drives nothing: neither the terminal nor the direction
// of the line.
func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"in/红花 a+b é.txt":                       "in/红花 a+b é.txt",
		"esc\x1b[31mRED\x1b]0;title\x07.txt":    `esc\x1b[31mRED\x1b]0;title\x07.txt`,
		"a\r\nb\tc\x00\x7f":                     `a\x0d\x0ab\x09c\x00\x7f`,
		"c1 \u009b31m":                          `c1 \xc2\x9b31m`,
		"bad \xff\xfe":                          `bad \xff\xfe`,
		"rtl \u202egpj.exe, \u2066 and \u2028.": `rtl \u202egpj.exe, \u2066 and \u2028.`,
	} {
		if got := shown(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 27: "27 B", 1023: "1023 B", 1024: "1.0 KiB", 1364: "1.3 KiB", 20 << 20: "20 MiB",
		1023 << 10: "1.0 MiB", 256 << 20: "256 MiB", 3 << 40: "3.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, not %q", n, got, want)
		}
	}
}

// The first column gives way where a table does not fit.
func TestNarrowTable(t *testing.T) {
	var b strings.Builder
	s := screen{Writer: &b, width: 40}
	s.table([][]string{{"file", " size"}, {"in/红花红花红花红花红花红花红花红花红花红花.txt", "1.3 KiB"}})
	for line := range strings.Lines(b.String()) {
		if n := display(strings.TrimSuffix(line, "\n")); n > 40 {
			t.Errorf("a line takes %d columns: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "…") {
		t.Errorf("nothing says that the name goes on:\n%s", b.String())
	}
}

// What is said while Go compiles fits, and is gone afterwards.
func TestBusy(t *testing.T) {
	var b strings.Builder
	s := screen{Writer: &b, live: true, width: columns}
	s.busy("compiling lambda-objects and lambda-http (once: a minute or two)")()
	if screen := render(b.String()); len(screen.wrapped) > 0 || strings.TrimSpace(screen.String()) != "" || !strings.Contains(b.String(), "two) ... 0 s") {
		t.Errorf("%q", b.String())
	}
}
