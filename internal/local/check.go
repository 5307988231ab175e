package local

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// CheckOptions are the flags of -check.
type CheckOptions struct {
	Source   string // what to check: s3://bucket/prefix or cos://bucket/prefix?region=…
	From     string // a file with a list of its objects, in place of a listing; "" none
	After    string // the key after which to go on; "" from the first
	Manifest string // where to write what is to be delivered again; "" nowhere
	Quick    bool   // ask only whether each file exists
}

// checkFlags declares them.
func checkFlags(flags *flag.FlagSet) *CheckOptions {
	o := new(CheckOptions)
	flags.StringVar(&o.Source, "check", "", "check that every file of `s3://BUCKET/PREFIX` (or cos://…) has arrived; exit code 0: all are the same, 1: differences, 2: it could not be done")
	flags.StringVar(&o.Manifest, "manifest", "", "with -check: write what is missing or different to this `file`, as a manifest for S3 Batch Operations")
	flags.StringVar(&o.From, "from", "", "with -check: the objects are those in this `file`, the manifest.json or a CSV of an inventory, or a manifest for S3 Batch Operations")
	flags.StringVar(&o.After, "after", "", "with -check: go on after this `key`")
	flags.BoolVar(&o.Quick, "quick", false, "with -check: ask only whether each file exists")
	return o
}

// given reports whether any of them stands in the command line. An empty -check is no
// source, and not a wish to start the emulators.
func (o *CheckOptions) given(flags *flag.FlagSet) bool {
	checks := *o != CheckOptions{}
	flags.Visit(func(f *flag.Flag) { checks = checks || f.Name == "check" })
	return checks
}

// Exit codes of Check (docs/check.md).
const (
	exitSame = iota
	exitDifferent
	exitFailed
)

// Check compares a source with what has arrived, by the environment variables of the
// deployed function. stdout gets one line for each file and nothing else; progress, reasons
// and a summary go to stderr. It returns the exit code.
func Check(ctx context.Context, o CheckOptions, stdout, stderr io.Writer, getenv func(string) string) int {
	c := &checking{CheckOptions: o, screen: newScreen(stderr), lines: bufio.NewWriter(stdout)}
	summary, err := c.run(ctx, getenv)
	switch {
	case err != nil:
		c.failed(ctx, err, summary)
		return exitFailed
	case summary.Clean():
		return exitSame
	}
	return exitDifferent
}

// A checking is one run of Check.
type checking struct {
	CheckOptions
	screen

	seen     atomic.Int64   // items that the check has begun with
	fraction func() float64 // how much of the source that is; 0 unknown

	mu       sync.Mutex // guards what follows: lines come while progress is drawn
	lines    *bufio.Writer
	manifest *bufio.Writer // nil for none
	summary  check.Summary // so far
	start    time.Time
}

func (c *checking) run(ctx context.Context, getenv func(string) string) (check.Summary, error) {
	source, err := parseSource(c.Source)
	if err != nil {
		return check.Summary{}, err
	}
	checker, lister, err := app.NewChecker(ctx, getenv, source.Scheme)
	if err != nil {
		return check.Summary{}, err
	}
	checker.Quick, checker.Confirm = c.Quick, c.From != ""
	items, err := c.items(ctx, lister, source)
	if err != nil {
		return check.Summary{}, err
	}
	closeManifest, err := c.openManifest()
	if err != nil {
		return check.Summary{}, err
	}
	c.start = time.Now()
	stop := c.showProgress()
	summary, err := checker.Check(ctx, counted(items, &c.seen), c.report)
	stop()
	if lost := errors.Join(c.lines.Flush(), closeManifest()); lost != nil {
		summary.After = "" // lines before it are lost
		err = fmt.Errorf("not all lines could be written: %w", lost)
	}
	c.conclude(summary, err)
	return summary, err
}

// parseSource reads where the check begins. A bucket alone is the whole bucket.
func parseSource(given string) (transfer.Ref, error) {
	s := given
	scheme, rest, _ := strings.Cut(s, "://")
	if bucket, query, asked := strings.Cut(rest, "?"); !strings.Contains(bucket, "/") && scheme != transfer.SchemeHTTPS {
		if s = scheme + "://" + bucket + "/"; asked {
			s += "?" + query
		}
	}
	ref, err := transfer.Parse(s)
	if err != nil || ref.Scheme == transfer.SchemeHTTPS {
		return ref, fmt.Errorf("-check %q is no source that can be listed; write s3://bucket/prefix or cos://bucket-appid/prefix?region=ap-shanghai", transfer.Clip(given))
	}
	return ref, nil
}

// items are what is to be checked. A listing is counted beside the check.
func (c *checking) items(ctx context.Context, lister check.Lister, source transfer.Ref) (check.Items, error) {
	if c.From != "" {
		m, err := check.OpenManifest(c.From, source, c.After)
		if err != nil {
			return nil, err
		}
		c.fraction = m.Progress
		return m.Items(), nil
	}
	total := new(atomic.Int64)
	c.fraction = func() float64 {
		if n := total.Load(); n > 0 {
			return float64(c.seen.Load()) / float64(n)
		}
		return 0
	}
	go countItems(ctx, check.List(lister, source, c.After), total)
	return check.List(lister, source, c.After), nil
}

// openManifest opens the file of -manifest. A check that goes on adds to it.
func (c *checking) openManifest() (closeIt func() error, err error) {
	if c.Manifest == "" {
		return func() error { return nil }, nil
	}
	from, err := os.Stat(c.From)
	if to, toErr := os.Stat(c.Manifest); err == nil && toErr == nil && os.SameFile(from, to) {
		return nil, errors.New("-manifest and -from name the same file, which would be emptied before it is read; name another")
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if c.After != "" {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(c.Manifest, flags, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the manifest cannot be written: %w", err)
	}
	c.manifest = bufio.NewWriter(f)
	return func() error { return errors.Join(c.manifest.Flush(), f.Close()) }, nil
}

// report writes a result's line, and to stderr why it is no good.
func (c *checking) report(r check.Result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.summary.Count(r)
	text := r.String() + "\n"
	if len(text) > c.lines.Available() { // it would be written in two pieces
		c.flush()
	}
	if _, err := c.lines.WriteString(text); err != nil {
		return fmt.Errorf("the report cannot be written: %w", err)
	}
	if line := r.ManifestLine(); line != "" && c.manifest != nil {
		if _, err := c.manifest.WriteString(line + "\n"); err != nil {
			return fmt.Errorf("the manifest cannot be written: %w", err)
		}
	}
	if r.State == check.StateFailed || r.State == check.StateDifferent {
		c.flush()
		c.say("%s: %s", check.Shown(r.Item.Ref.String()), r.Why)
	}
	return nil
}

// failed says why the check did not end, and how to go on with it.
func (c *checking) failed(ctx context.Context, err error, s check.Summary) {
	what := err.Error()
	if e, ok := errors.AsType[*transfer.Error](err); ok {
		what = e.What
	}
	if ctx.Err() != nil {
		what = "interrupted"
	}
	c.say("local: %s", what)
	after := s.After
	if after == "" {
		after = c.After
	}
	if after != "" && !c.start.IsZero() {
		c.say("To go on, add -after %s", quoted(after))
	}
}

// quoted is a key as a shell reads it. With control characters it has the form $'…', which
// the shells bash, zsh and ksh read.
func quoted(key string) string {
	if check.Shown(key) == key {
		return "'" + strings.ReplaceAll(key, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for i := range len(key) {
		switch ch := key[i]; {
		case ch == '\'' || ch == '\\':
			b.WriteString(`\` + string(rune(ch)))
		case ch < ' ' || ch >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	return "$'" + b.String() + "'"
}
