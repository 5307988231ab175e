package local

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// stepTimeout is how long one step of a check may take. A minute is a guess: a step
// sends a few small requests, and some are repeated.
const stepTimeout = time.Minute

// Doctor tries a real installation step by step with one small file for each
// destination of the configuration, and removes the file again. It prints a tick
// or what to do for each step. The error is nil only if every step passed.
func Doctor(ctx context.Context, out io.Writer, getenv func(string) string) error {
	return diagnose(ctx, newScreen(out), getenv, "tcbferry-doctor/"+strings.ToLower(rand.Text())+".txt")
}

// diagnose is Doctor with the cloud path of the small file given.
func diagnose(ctx context.Context, s screen, getenv func(string) string, path string) error {
	d := &doctor{screen: s, skew: newClockSkew()}
	client := transport.NewClient()
	client.Transport = d.skew.wrap(client.Transport)
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
	d.skew.track(probe.API)
	// The download URL leads through a CDN, which may redirect; tickets and the API may not.
	d.reader = &http.Client{Transport: client.Transport}
	for _, dest := range probe.Destinations {
		v := &destinationCheck{doctor: d, Destination: dest, uploader: probe.Uploader, parts: probe.Parts}
		v.Dest.Path = path
		v.run(ctx)
	}
	if d.wrong > 0 {
		return fmt.Errorf("%d of %d steps failed", d.wrong, d.steps)
	}
	s.say("\nAll %d steps passed from this machine. A deployed function calls WeChat from another address:\n"+
		"if the app has an IP allow-list, that address must be on it too (docs/operations.md).", d.steps)
	return nil
}

// A doctor prints steps and counts them.
type doctor struct {
	screen
	skew         *clockSkew
	reader       *http.Client
	steps, wrong int
	clockRead    bool
}

// step runs one step and prints how it went.
func (d *doctor) step(ctx context.Context, name string, do func(context.Context) (note string, err error)) bool {
	limited, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	note, err := do(limited)
	d.steps++
	if err == nil {
		d.say("%s %-13s  %s", d.green("✓"), name, note)
		return true
	}
	d.wrong++
	what := err.Error()
	switch e, ok := errors.AsType[*transfer.Error](err); {
	case ctx.Err() != nil:
		what = "interrupted"
	case limited.Err() != nil:
		what = "not done within a minute; check the network between here and WeChat, then try again"
	case ok:
		what = e.What
	}
	d.say("%s %-13s  %s", d.red("✗"), name, strings.ReplaceAll(what, "\n", "\n"+strings.Repeat(" ", 17)))
	return false
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
			return "", fmt.Errorf("this machine's clock is about %v %s WeChat's; set it (NTP), for S3 and COS refuse requests that are signed at another time", off.Round(time.Minute), side)
		}
		return fmt.Sprintf("%v from WeChat's", off.Round(time.Second)), nil
	})
}

// A destinationCheck checks one destination.
type destinationCheck struct {
	*doctor
	app.Destination
	uploader transfer.Uploader
	parts    *multipart.Uploader // nil where no file goes in parts
	content  []byte
	ticket   transfer.Ticket
}

// run takes the steps in order up to the first that fails. Whatever may have been
// stored is removed.
func (v *destinationCheck) run(ctx context.Context) {
	id := v.AppID
	credential := "access token"
	switch {
	case v.Tokens == nil:
		id, credential = "(by an API key)", "API key"
	case id == "":
		id = "(by its token)"
	}
	v.say("\napp %s, environment %s", id, v.Dest.Env)
	asked := v.step(ctx, credential, v.token)
	v.checkClock(ctx)
	if !asked || !v.step(ctx, "upload ticket", v.admit) {
		v.checkClock(ctx)
		return
	}
	v.checkClock(ctx)
	if v.parts != nil {
		v.step(ctx, "large files", v.stale)
	}
	uploaded := v.step(ctx, "upload", v.upload)
	if uploaded {
		v.step(ctx, "download", v.download)
	}
	v.step(context.WithoutCancel(ctx), "removal", func(ctx context.Context) (string, error) { return v.remove(ctx, uploaded) })
}

func (v *destinationCheck) token(ctx context.Context) (string, error) {
	if v.Tokens == nil {
		return "at hand; the next step shows what CloudBase thinks of it", nil
	}
	before := v.Tokens.Fetches()
	if _, err := v.Tokens.Get(ctx); err != nil {
		return "", err
	}
	switch fetched := v.Tokens.Fetches() > before; {
	case fetched && v.AppID != "":
		return "WeChat accepts the app secret and the address of this machine", nil
	case fetched:
		return "the token server gives one", nil
	}
	return "at hand; the next step shows what WeChat thinks of it", nil
}

func (v *destinationCheck) admit(ctx context.Context) (note string, err error) {
	v.ticket, err = v.Tickets.Ticket(ctx, v.Dest)
	return "for " + v.Dest.Path, err
}

func (v *destinationCheck) upload(ctx context.Context) (string, error) {
	v.content = fmt.Appendf(nil, "tcbferry -doctor, %s, %s\n", time.Now().UTC().Format(time.RFC3339), rand.Text())
	sum := md5.Sum(v.content)
	obj := &transfer.Object{Body: io.NopCloser(bytes.NewReader(v.content)), Size: int64(len(v.content)), MD5: hex.EncodeToString(sum[:]), ContentType: "text/plain"}
	m := meter.New(obj)
	m.ComputeMD5() // COS's ETag may be none
	metered := *obj
	metered.Body = m
	receipt, err := v.uploader.Upload(ctx, v.ticket, &metered)
	if err != nil {
		return "", err
	}
	verified, err := m.Check(receipt)
	return size(obj.Size) + ", verified by " + strings.Join(verified, " "), err
}

const unreadable = "COS took the file, but CloudBase cannot read it. So it is with files stored without x-cos-meta-fileid: look for a proxy between here and COS that drops form fields"

func (v *destinationCheck) download(ctx context.Context) (string, error) {
	address, err := v.Tickets.Download(ctx, v.Dest.Env, v.ticket.FileID, 10*time.Minute) // a guess: ample for one small file
	if err != nil {
		if e, ok := errors.AsType[*transfer.Error](err); ok && e.Kind == transfer.KindNotFound {
			return "", errors.New(unreadable)
		}
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("CloudBase answered a download URL that cannot be used; try again later")
	}
	resp, err := v.reader.Do(req)
	if err != nil {
		return "", errors.New("the download failed (" + transfer.Cause(err) + "); check that this machine may reach the CDN of the environment")
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, int64(len(v.content))+1<<10))
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return "", errors.New("the download URL answered HTTP 404: " + unreadable)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the download URL answered HTTP %d; check the environment's storage permissions and its CDN settings", resp.StatusCode)
	case err != nil:
		return "", errors.New("the download broke off (" + transfer.Cause(err) + "); try again")
	case !bytes.Equal(got, v.content):
		return "", fmt.Errorf("what came back (%s) is not what was sent (%s): a cache holds an older file, or something between here and the storage changes files; COS's own checksums at the upload were right", size(int64(len(got))), size(int64(len(v.content))))
	}
	return "the same " + size(int64(len(got))), nil
}

// remove deletes the file. After an upload that failed there may be none.
func (v *destinationCheck) remove(ctx context.Context, uploaded bool) (string, error) {
	err := v.Tickets.Delete(ctx, v.Dest.Env, v.ticket.FileID)
	if err == nil {
		return "nothing is left", nil
	}
	e := transfer.AsError(ctx, transfer.StageTicket, err)
	if e.Kind == transfer.KindNotFound && !uploaded {
		return "nothing was stored", nil
	}
	return "", errors.New(e.What + "; remove " + v.Dest.Path + " from the environment's storage by hand")
}

// stale asks COS for unfinished uploads: it shows whether the credentials are
// good, and what takes up storage.
func (v *destinationCheck) stale(ctx context.Context) (string, error) {
	bucket, n, err := v.parts.Stale(ctx, v.ticket, time.Now().Add(-24*time.Hour))
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "no unfinished upload is older than a day", nil
	}
	return fmt.Sprintf("unfinished uploads that are older than a day: %d; they take up storage, remove them in the COS console, bucket %s, Incomplete Multipart Upload", n, bucket), nil
}
