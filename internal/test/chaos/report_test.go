package chaos_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figures are what a run counted.
type figures struct {
	seed        uint64
	files       int
	bytes       int64
	invocations int
	applied     map[*kind]int
	attempts    int
	inParts     int // lines of the log about files that went in parts
	resumes     int
	failures    int           // files answered as failed, while there were faults
	unexplained int           // of them, those that no planned fault explains
	replayed    int           // files sent again without faults
	delivered   int           // files that are in the cloud byte by byte at the end
	gone        int           // files whose source was removed on the way
	lost        int           // files that are neither in the bucket nor in the cloud
	wrong       int           // files whose newest content is not in the cloud
	untrue      int           // files reported delivered that were not there
	margin      time.Duration // the least time between an answer and its deadline
	took        time.Duration
}

// rows are the figures as names and values.
func (g *figures) rows() [][2]string {
	n := strconv.Itoa
	applied := 0
	for _, c := range g.applied {
		applied += c
	}
	return [][2]string{
		{"seed", strconv.FormatUint(g.seed, 10)},
		{"files", n(g.files)},
		{"bytes", fmt.Sprintf("%.1f MiB", float64(g.bytes)/(1<<20))},
		{"invocations", n(g.invocations)},
		{"kinds of fault", n(len(g.applied))},
		{"faults applied", n(applied)},
		{"uploads to COS", n(g.attempts)},
		{"of them in parts, at least", n(g.inParts)},
		{"sources reopened", n(g.resumes)},
		{"answered as failed", n(g.failures)},
		{"failed without a reason", n(g.unexplained)},
		{"replayed", n(g.replayed)},
		{"delivered in the end", n(g.delivered)},
		{"removed at the source", n(g.gone)},
		{"lost", n(g.lost)},
		{"wrong", n(g.wrong)},
		{"reported delivered, not there", n(g.untrue)},
		{"least time left at an answer", g.margin.Round(time.Millisecond).String()},
		{"schedule took", g.took.Round(100 * time.Millisecond).String()},
	}
}

// byPlace lists the faults that applied at a place, by name.
func (g *figures) byPlace(at string) (kinds, applied int, list string) {
	var parts []string
	for _, k := range slices.SortedFunc(maps.Keys(g.applied), func(a, b *kind) int { return cmp.Compare(a.name, b.name) }) {
		if k.at == at {
			kinds++
			applied += g.applied[k]
			parts = append(parts, strings.TrimPrefix(k.name, at+" ")+" ×"+times(g.applied[k]))
		}
	}
	return kinds, applied, strings.Join(parts, ", ")
}

// markdown is a table of the rows, and a list of the faults by place.
func (g *figures) markdown() string {
	var b strings.Builder
	b.WriteString(table(g.rows()))
	b.WriteByte('\n')
	for _, at := range []string{atSource, atToken, atTicket, atUpload, atParts, atConfirm, atFunction} {
		kinds, applied, list := g.byPlace(at)
		fmt.Fprintf(&b, "- **%s**, %d kinds of fault, applied %d times: %s\n", at, kinds, applied, list)
	}
	return b.String()
}

// table is a table of names and values for a document.
func table(rows [][2]string) string {
	text := "| | |\n|---|---:|\n"
	for _, row := range rows {
		text += "| " + row[0] + " | " + row[1] + " |\n"
	}
	return text
}

func times(n int) string {
	if n < 0 {
		return "∞"
	}
	return strconv.Itoa(n)
}

// write replaces what stands between the markers of a section in a document.
func write(path, section, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->"
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no markers %q", path, section)
	}
	return os.WriteFile(path, []byte(head+begin+text+end+tail), 0o644)
}
