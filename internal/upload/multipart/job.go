package multipart

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// A job is one file's upload, from finding or beginning it to its end.
type job struct {
	client      *client
	ticket      transfer.Ticket
	obj         *transfer.Object
	plan        plan
	concurrency int

	id       string
	have     map[int]part  // what COS has, by number; not yet compared
	unlisted bool          // listing is refused: no later try finds this upload
	call     time.Duration // how long the listing took
	start    time.Time

	mu      sync.Mutex // for all below
	next    int        // the part to begin next
	stopped bool       // no further part is begun
	late    bool       // stopped for the deadline
	failure *transfer.Error
	longest time.Duration // of the parts that were sent
	done    int
	resumed int
	sent    int64 // bytes
	etag    []string
	sums    []sums
}

func newJob(c *client, t transfer.Ticket, obj *transfer.Object, concurrency int) *job {
	p := cut(obj.Size)
	return &job{client: c, ticket: t, obj: obj, plan: p, concurrency: max(1, concurrency), start: time.Now(),
		etag: make([]string, p.count()), sums: make([]sums, p.count())}
}

// run makes the upload. Its error has left the upload in a state that another run goes
// on from, or has aborted it.
func (j *job) run(ctx context.Context) (receipt transfer.Receipt, err *transfer.Error) {
	for _, step := range []func(context.Context) *transfer.Error{j.find, j.begin, j.send} {
		if err = step(ctx); err != nil {
			break
		}
	}
	if err == nil {
		receipt, err = j.finish(ctx)
	}
	receipt.Parts, receipt.ResumedParts = j.plan.count(), j.resumed
	if err == nil {
		return receipt, nil
	}
	if j.id != "" && err.Code != noSuchUpload && (!err.Kind.Retryable() || j.unlisted || err.Code == transfer.CodeNoRanges) {
		j.client.abort(ctx, j.id)
	}
	if err.Kind == transfer.KindOutOfTime {
		err = j.outOfTime()
	}
	return receipt, err
}

// describe writes what became of the parts.
func (j *job) describe(ctx context.Context, log *slog.Logger) {
	found := "no unfinished upload"
	switch {
	case j.unlisted:
		found = "unknown: COS refuses to list uploads"
	case j.have != nil:
		found = fmt.Sprintf("an unfinished upload with %d parts", len(j.have))
	}
	log.LogAttrs(ctx, slog.LevelDebug, "parts", slog.String("found", found), slog.Int("parts", j.plan.count()), slog.Int64("partSize", j.plan.part),
		slog.Int("kept", j.resumed), slog.Int("sent", j.done-j.resumed), slog.Int64("bytesSent", j.sent),
		slog.Int64("durationMs", time.Since(j.start).Milliseconds()), slog.String("path", j.client.to.key))
}

// find looks for an unfinished upload of the same key, the one that was begun last, and
// for its parts. Where listing is refused there is none.
func (j *job) find(ctx context.Context) *transfer.Error {
	var all []upload
	start := time.Now()
	err := again(ctx, func() (err *transfer.Error) {
		all, err = j.client.uploads(ctx, j.client.to.key)
		return err
	})
	j.call = time.Since(start)
	if err == nil {
		all = slices.DeleteFunc(all, func(u upload) bool { return u.Key != j.client.to.key })
		if len(all) == 0 {
			return nil
		}
		j.id = slices.MaxFunc(all, older).UploadId
		err = again(ctx, func() (err *transfer.Error) {
			j.have, err = j.client.parts(ctx, j.id)
			return err
		})
	}
	switch {
	case err == nil:
	case err.Code == noSuchUpload: // it ended meanwhile
		j.id, j.have = "", nil
	case err.Kind == transfer.KindDenied:
		j.id, j.have, j.unlisted = "", nil, true
	default:
		return err
	}
	return nil
}

// older compares by the time of the beginning.
func older(a, b upload) int {
	x, errX := time.Parse(time.RFC3339, a.Initiated)
	y, errY := time.Parse(time.RFC3339, b.Initiated)
	if errX == nil && errY == nil && !x.Equal(y) {
		return x.Compare(y)
	}
	return strings.Compare(a.Initiated+a.UploadId, b.Initiated+b.UploadId)
}

// begin starts an upload unless one was found.
func (j *job) begin(ctx context.Context) *transfer.Error {
	if j.id != "" {
		return nil
	}
	return again(ctx, func() (err *transfer.Error) {
		j.id, err = j.client.initiate(ctx, j.ticket, j.obj)
		return err
	})
}

// finish completes the upload and compares the whole.
func (j *job) finish(ctx context.Context) (transfer.Receipt, *transfer.Error) {
	whole := j.whole()
	if err := j.agrees(whole); err != nil {
		return transfer.Receipt{}, err
	}
	var a answer
	err := again(ctx, func() (err *transfer.Error) {
		if a, err = j.client.complete(ctx, j.id, j.etag); err == nil {
			return nil
		}
		return j.lost(ctx, err, whole, &a)
	})
	if err != nil {
		return transfer.Receipt{}, err
	}
	if a.crc64 == "" { // Complete names it only where each part has one
		if h, err := j.client.head(ctx); err == nil && h.etag == a.etag {
			a.crc64 = h.crc64
		}
	}
	if a.crc64 != "" && !is(a.crc64, whole.crc) {
		return transfer.Receipt{}, transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt,
			"COS stored a file with CRC64 %q, but what was sent has %d; try again", a.crc64, whole.crc)
	}
	return transfer.Receipt{Status: a.status, ETag: a.etag, CRC64: a.crc64, RequestID: a.id, ContentType: cospost.StoredType(j.obj)}, nil
}

// agrees compares what was sent with what the source states of the whole.
func (j *job) agrees(whole sums) *transfer.Error {
	if want := j.obj.CRC64; want != "" && !is(want, whole.crc) {
		return transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt, "the source gives its CRC64 as %q, but what it sent has %d; try again", want, whole.crc)
	}
	if want := j.obj.CRC64NVME; want != "" {
		if got := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, whole.nvme)); got != want {
			return transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt, "the source gives its CRC64NVME as %q, but what it sent has %s; try again", want, got)
		}
	}
	return nil
}

// lost decides about a Complete that failed. COS may have completed the upload all the
// same: the answer was lost, or another invocation did it. A HEAD tells by the CRC64,
// and what it answers goes to a. An object of the same content that was there before
// counts too, because it is what was to be stored; its mini program can read it if it
// has a file ID. A refusal is final whatever is stored.
func (j *job) lost(ctx context.Context, failed *transfer.Error, whole sums, a *answer) *transfer.Error {
	if failed.Kind == transfer.KindDenied || failed.Kind == transfer.KindRefused || ctx.Err() != nil {
		return failed
	}
	h, err := j.client.head(ctx)
	if err != nil || !is(h.crc64, whole.crc) || h.header.Get("Content-Length") != strconv.FormatInt(j.obj.Size, 10) || h.header.Get("X-Cos-Meta-Fileid") == "" {
		return failed
	}
	if failed.Code != noSuchUpload {
		j.client.abort(ctx, j.id) // if it is still there, no try needs it
	}
	*a = h
	return nil
}

// is compares numbers, not text: leading zeros do not make a difference.
func is(decimal string, sum uint64) bool {
	n, err := strconv.ParseUint(decimal, 10, 64)
	return err == nil && n == sum
}
