package doctor

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
	"slices"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// A destinationCheck checks one destination.
type destinationCheck struct {
	*doctor
	app.Destination
	uploader transfer.Uploader
	parts    *multipart.Uploader // nil where no file goes in parts
	receipts []config.Receipt
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
	if slices.ContainsFunc(v.receipts, func(r config.Receipt) bool { return r.Kind != config.ReceiptWebhook }) {
		v.step(ctx, "receivers", v.receivers)
	}
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
	return fmt.Sprintf("%d B, verified by ", obj.Size) + strings.Join(verified, " "), err
}

const unreadable = "COS took the file, but CloudBase cannot read it. That happens to files without x-cos-meta-fileid: look for a proxy between here and COS that drops form fields"

func (v *destinationCheck) download(ctx context.Context) (string, error) {
	address, waited, err := v.untilReadable(ctx, v.ticket)
	switch {
	case isNotFound(err):
		return "", fmt.Errorf("%s (asked for %v)", unreadable, waited)
	case err != nil:
		return "", err
	}
	link, err := transfer.Link{URL: address}.Parse()
	if err != nil {
		return "", err
	}
	req := (&http.Request{Method: http.MethodGet, URL: link, Host: link.Host, Header: http.Header{}}).WithContext(ctx)
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
		return "", fmt.Errorf("what came back (%d B) is not what was sent (%d B): a cache holds an older file, or something between here and the storage changes files; COS's own checksums at the upload were right", len(got), len(v.content))
	}
	if waited > 0 {
		return fmt.Sprintf("the same %d B; CloudBase knew the file %v after its upload", len(got), waited), nil
	}
	return fmt.Sprintf("the same %d B", len(got)), nil
}

// pauses are those between two questions for a file that CloudBase does not know: it may
// learn of a file only after COS has answered (wire-cloudbase.md D). How long that takes is not
// known; 31.5 s in all are a guess.
var pauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}

// untilKnown asks until CloudBase knows the file, and returns how long it waited.
func (v *destinationCheck) untilKnown(ctx context.Context, ask func() error) (waited time.Duration, err error) {
	for _, pause := range pauses {
		if err = ask(); !isNotFound(err) {
			return waited, err
		}
		if err := v.wait(ctx, pause); err != nil {
			return waited, err
		}
		waited += pause
	}
	return waited, ask()
}

// untilReadable asks for a URL of the file that was uploaded with t, until CloudBase knows it.
func (v *destinationCheck) untilReadable(ctx context.Context, t transfer.Ticket) (address string, waited time.Duration, err error) {
	waited, err = v.untilKnown(ctx, func() (err error) {
		address, err = v.Tickets.Download(ctx, v.Dest.Env, t.FileID, 10*time.Minute) // a guess: ample for one small file
		return err
	})
	return address, waited, err
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*transfer.Error](err)
	return ok && e.Kind == transfer.KindNotFound
}

// remove deletes the file. After an upload that failed there may be none.
func (v *destinationCheck) remove(ctx context.Context, uploaded bool) (string, error) {
	remove := func() error { return v.Tickets.Delete(ctx, v.Dest.Env, v.ticket.FileID) }
	err := remove()
	if uploaded && isNotFound(err) {
		_, err = v.untilKnown(ctx, remove)
	}
	switch {
	case err == nil:
		return "nothing is left", nil
	case isNotFound(err) && !uploaded:
		return "nothing was stored", nil
	}
	e := transfer.AsError(ctx, transfer.StageTicket, err)
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
