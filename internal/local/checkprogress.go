package local

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// tickEvery is how often progress is shown on a terminal. Elsewhere it is shown every
	// logEvery ticks: a line each half a minute.
	tickEvery = time.Second
	logEvery  = 30
	// countAfter spares a check that ends soon the second listing.
	countAfter = 5 * time.Second
)

// counted adds to n for each item that is taken.
func counted(items check.Items, n *atomic.Int64) check.Items {
	return func(ctx context.Context) iter.Seq2[transfer.Item, error] {
		return func(yield func(transfer.Item, error) bool) {
			for item, err := range items(ctx) {
				n.Add(1)
				if !yield(item, err) {
					return
				}
			}
		}
	}
}

// countItems sets n to the number of items, which tells how long the check will take. It
// leaves n alone where they cannot all be listed.
func countItems(ctx context.Context, items check.Items, n *atomic.Int64) {
	select {
	case <-time.After(countAfter):
	case <-ctx.Done():
		return
	}
	total := int64(0)
	for _, err := range items(ctx) {
		if err != nil {
			return
		}
		total++
	}
	n.Store(total)
}

// showProgress shows how far the check is until stop is called.
func (c *checking) showProgress() (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(tickEvery)
		defer ticker.Stop()
		for n := 1; ; n++ {
			select {
			case <-quit:
				return
			case <-ticker.C:
			}
			c.mu.Lock()
			c.draw(n)
			c.mu.Unlock()
		}
	}()
	return func() {
		close(quit)
		<-ended
		c.clearLine()
	}
}

// draw shows the progress at the nth tick.
func (c *checking) draw(n int) {
	switch {
	case c.live:
		c.flush()
		c.redraw(c.progressText())
	case n%logEvery == 0:
		c.flush()
		c.say("%s", c.progressText())
	}
}

// flush writes the lines so far where the moving line was: both may go to one terminal.
func (c *checking) flush() {
	c.clearLine()
	_ = c.lines.Flush() // an error shows when the next line is written
}

// progressText says how many files are done, how fast, and how long the rest will take.
func (c *checking) progressText() string {
	took := time.Since(c.start)
	text := fmt.Sprintf("%d files checked, %.0f/s", c.summary.Checked(), float64(c.summary.Checked())/took.Seconds())
	if f := c.fraction(); f > 0 {
		left := time.Duration(float64(took) * (1 - min(f, 1)) / f)
		text += fmt.Sprintf(", %.1f %%, about %v left", 100*min(f, 1), left.Round(time.Second))
	}
	return text + "; " + counts(&c.summary)
}

// counts names the numbers that are not the same.
func counts(s *check.Summary) string {
	return fmt.Sprintf("%d missing, %d different, %d not compared", s.Missing, s.Different, s.Failed)
}

// clearLine removes the moving line.
func (c *checking) clearLine() {
	if c.live {
		fmt.Fprint(c, "\r\x1b[K")
	}
}

// conclude writes the summary of a check that err ended; nil: it is complete.
func (c *checking) conclude(s check.Summary, err error) {
	took := time.Since(c.start)
	c.say("%d files checked in %v, %.0f/s: %d the same, %s; %d keys skipped",
		s.Checked(), took.Round(100*time.Millisecond), float64(s.Checked())/max(took.Seconds(), 0.001), s.Same, counts(&s), s.Skipped)
	if err == nil && s.Checked()+s.Skipped == 0 {
		c.say("There is nothing under %s. If that is a surprise, look at the prefix.", check.Shown(strings.TrimSpace(c.Source)))
	}
	if c.Manifest != "" && s.Missing+s.Different > 0 {
		c.say("%s holds what is to be delivered again; see docs/check.md.", c.Manifest)
	}
}
