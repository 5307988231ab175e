// Package doctor checks a real installation by the environment variables of the deployed
// function: the configuration, one object of a source, and for each destination the
// credentials, a ticket, an upload, a download and a removal. Each step prints a tick, or
// what is wrong and what to do about it. What it stores lies under tcbferry-doctor/ and is
// removed.
package doctor

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// stepTimeout is how long one step may take. A minute is a guess: a step sends a few small
// requests, some are repeated, and one waits up to 31.5 s.
const stepTimeout = time.Minute

// folder holds all that is stored.
const folder = "tcbferry-doctor/"

// Options are what Run checks besides the destinations, and how it prints.
type Options struct {
	// Source is a reference of an object that is read as well; "" for none.
	Source string
	// Probe asks the live service the open questions of docs/wire.md H as well, with Slow also
	// the one that takes 15 minutes.
	Probe, Slow bool
	// Pass and Fail begin the line of a step.
	Pass, Fail string
}

// Run tries the installation step by step with one small file for each destination of
// the configuration. Its error is nil only if every step passed.
func Run(ctx context.Context, out io.Writer, getenv func(string) string, o Options) error {
	d := &doctor{Options: o, out: out, path: folder + strings.ToLower(rand.Text()) + ".txt", wait: wait}
	return d.run(ctx, getenv)
}

// A doctor prints steps and counts them.
type doctor struct {
	Options
	out          io.Writer
	path         string // the cloud path of the small file
	skew         *clockSkew
	reader       *http.Client
	roots        *x509.CertPool    // for webhooks; nil: the system's
	network      http.RoundTripper // nil: the network
	wait         func(context.Context, time.Duration) error
	steps, wrong int
	clockRead    bool
}

func (d *doctor) run(ctx context.Context, getenv func(string) string) error {
	client := transport.NewClient()
	if d.network != nil {
		client.Transport = d.network
	}
	d.skew = &clockSkew{RoundTripper: client.Transport, hosts: map[string]bool{}}
	client.Transport = d.skew
	var probe *app.Probe
	d.step(ctx, "configuration", func(ctx context.Context) (note string, err error) {
		if probe, err = app.NewProbe(ctx, getenv, client); err != nil {
			return "", err
		}
		return fmt.Sprintf("%d to try", len(probe.Destinations)), nil
	})
	if probe == nil {
		return errors.New("the configuration cannot be used; a function with these variables does not start")
	}
	d.skew.track(probe.APIs)
	// The download URL leads through a CDN, which may redirect; tickets and the API may not.
	d.reader = &http.Client{Transport: client.Transport}
	if d.Source != "" {
		d.checkSource(ctx, probe, d.Source)
	}
	d.checkWebhooks(ctx, probe)
	for _, dest := range probe.Destinations {
		v := &destinationCheck{doctor: d, Destination: dest, uploader: probe.Uploader, parts: probe.Parts, receipts: probe.Receipts}
		v.Dest.Path = d.path
		v.run(ctx)
	}
	if d.Probe && d.wrong == 0 {
		d.probe(ctx, probe, probe.Destinations[0], client.Transport)
	}
	if d.wrong > 0 {
		return fmt.Errorf("%d of %d steps failed", d.wrong, d.steps)
	}
	d.say("\nAll %d steps passed from this machine.", d.steps)
	if slices.ContainsFunc(probe.Destinations, func(dest app.Destination) bool { return dest.Tokens != nil }) {
		d.say("A deployed function calls WeChat from another address:\n" +
			"if the app has an IP allow-list, that address must be on it too (docs/operations.md).")
	}
	return nil
}

// wait returns after a pause, or with the context's error before.
func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *doctor) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// column is where the text of a step's line begins.
const column = 17

// step runs one step and prints how it went.
func (d *doctor) step(ctx context.Context, name string, do func(context.Context) (note string, err error)) bool {
	return d.stepWithin(ctx, stepTimeout, name, do)
}

// stepWithin is step with another limit.
func (d *doctor) stepWithin(ctx context.Context, limit time.Duration, name string, do func(context.Context) (note string, err error)) bool {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	note, err := do(limited)
	d.steps++
	if err == nil {
		d.line(d.Pass, name, note)
		return true
	}
	d.wrong++
	what := err.Error()
	switch e, ok := errors.AsType[*transfer.Error](err); {
	case ctx.Err() != nil:
		what = "interrupted"
	case limited.Err() != nil:
		what = fmt.Sprintf("not done within %v; check the network, then try again", limit)
	case ok:
		what = e.What
	}
	d.line(d.Fail, name, what)
	return false
}

func (d *doctor) line(mark, name, text string) {
	d.say("%s %-13s  %s", mark, name, strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", column)))
}

// checkClock compares the clocks once, as soon as the API has answered anything.
func (d *doctor) checkClock(ctx context.Context) {
	ahead, known := d.skew.offset()
	if !known || d.clockRead {
		return
	}
	d.clockRead = true
	d.step(ctx, "clock", func(context.Context) (string, error) {
		off, side := ahead.Abs(), "ahead of"
		if ahead < 0 {
			side = "behind"
		}
		if off > time.Minute {
			return "", fmt.Errorf("this machine's clock is about %v %s the API's; set it (NTP), because S3 and COS refuse requests that are signed at another time", off.Round(time.Minute), side)
		}
		return fmt.Sprintf("%v from the API's", off.Round(time.Second)), nil
	})
}
