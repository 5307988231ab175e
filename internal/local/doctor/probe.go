package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A prober asks the live service what its documentation leaves open (docs/wire.md H). All
// that it stores has a path of its own below folder.
type prober struct {
	destinationCheck
	transport http.RoundTripper
	asked     map[string]string // cloud path by file ID: what may have been stored
	taken     map[string]bool   // by cloud path: COS said that it took the file
}

// A question is one open point. Its answer is what the service did, in words, and in brief
// for the table of docs/wire.md H.
type question struct {
	name  string
	point string // the first column of docs/wire.md H
	limit time.Duration
	ask   func(context.Context) (answer, error)
}

type answer struct{ did, brief string }

// probe asks all questions of one destination, and removes the files.
func (d *doctor) probe(ctx context.Context, p *app.Probe, dest app.Destination, t http.RoundTripper) {
	v := &prober{destinationCheck{doctor: d, Destination: dest, uploader: p.Uploader, parts: p.Parts}, t, map[string]string{}, map[string]bool{}}
	d.say("\nquestions to environment %s; all files go to %s", dest.Dest.Env, folder)
	for _, q := range v.questions() {
		d.stepWithin(ctx, q.limit, q.name, func(ctx context.Context) (string, error) {
			a, err := q.ask(ctx)
			switch {
			case err != nil:
				return "", err
			case a.brief == "":
				return a.did, nil
			}
			return fmt.Sprintf("%s\nwire.md H: | %s | %s [O %s] |", a.did, q.point, a.brief, time.Now().UTC().Format(time.DateOnly)), nil
		})
	}
	d.stepWithin(context.WithoutCancel(ctx), 5*time.Minute, "removal", v.removeAll) // several files may have to be waited for
}

func (v *prober) questions() []question {
	all := []question{
		{"signed path", "1. which path a ticket's signature covers (B.4)", stepTimeout, v.signedPath},
		{"another key", "3. what happens when `key` differs from the URL's key", stepTimeout, v.anotherKey},
		{"chunked", "4. whether a chunked POST is really refused (B.1)", stepTimeout, v.chunked},
		{"look-ahead", "5. the look-ahead of 8 KiB (B.1)", stepTimeout, v.lookAhead},
		{"long path", "8. whether 850 bytes count before or after percent-encoding (E)", stepTimeout, v.longPath},
		{"parts", "9. whether the account's key may write CloudBase's bucket in parts, and the file can be read (B.5)", stepTimeout, v.inParts},
		{"acceleration", "10. whether a ticket is good at the acceleration address", stepTimeout, v.acceleration},
		{"readable", "11. how long CloudBase does not know a file that COS has taken (D.3)", 2 * time.Minute, v.readable},
	}
	if v.Slow {
		// A ticket's life and a minute more.
		all = append(all, question{"expiry", "2. whether the expiry is checked once or until the end (B.4)", 16 * time.Minute, v.expiry})
	}
	return all
}

var notAsked = answer{did: "not asked: the ticket of an API key is for a PUT, which has no form"}

// get fetches a ticket for a path of this run, and notes what has to be removed.
func (v *prober) get(ctx context.Context, name string) (transfer.Ticket, error) {
	dest := v.Dest
	dest.Path = strings.TrimSuffix(v.path, ".txt") + "-" + name
	t, err := v.Tickets.Ticket(ctx, dest)
	if err == nil {
		v.asked[t.FileID] = dest.Path
	}
	return t, err
}

// send uploads a small file with a ticket. An answer of COS, a refusal too, is no error.
func (v *prober) send(ctx context.Context, u transfer.Uploader, t transfer.Ticket) (answer, error) {
	content := "tcbferry -doctor -probe, " + rand.Text() + "\n"
	return v.sendBody(ctx, u, t, strings.NewReader(content), len(content))
}

func (v *prober) sendBody(ctx context.Context, u transfer.Uploader, t transfer.Ticket, body io.Reader, size int) (answer, error) {
	receipt, err := u.Upload(ctx, t, &transfer.Object{Body: io.NopCloser(body), Size: int64(size)})
	if err == nil {
		v.taken[t.Key] = true
		return answer{fmt.Sprintf("COS took the file (HTTP %d)", receipt.Status), "taken"}, nil
	}
	return refusal(err)
}

// refusal is the answer of a service that said no with a code of its own.
func refusal(err error) (answer, error) {
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok || e.Code == "" {
		return answer{}, err
	}
	brief := "`" + e.Code + "`"
	if e.Kind == transfer.KindStale {
		brief += ", expired or not valid"
	}
	return answer{e.What, brief}, nil
}

// removeAll deletes every file that may have been stored. CloudBase may never know one that
// COS took: then a person must look for it.
func (v *prober) removeAll(ctx context.Context) (string, error) {
	removed := 0
	var left []string
	for id, path := range v.asked {
		remove := func() error { return v.Tickets.Delete(ctx, v.Dest.Env, id) }
		err := remove()
		if isNotFound(err) && v.taken[path] {
			_, err = v.untilKnown(ctx, remove)
		}
		switch {
		case err == nil:
			removed++
		case !isNotFound(err) || v.taken[path]:
			left = append(left, path)
		}
	}
	if left != nil {
		slices.Sort(left)
		return "", fmt.Errorf("files that may be left, %d; remove them from the environment's storage by hand:\n%s", len(left), strings.Join(left, "\n"))
	}
	return fmt.Sprintf("%d files removed; the others were not stored", removed), nil
}
