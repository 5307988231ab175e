package delivery_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A big is a source of size zeros, an uploader in one piece at a rate, and one in parts.
type big struct {
	size   int64
	ranges bool
	rate   int64 // bytes a second of an upload in one piece; 0 is no limit
	parts  func() (transfer.Receipt, error)
	pauses func(context.Context) // before that

	posts int
}

func (b *big) Open(context.Context, transfer.Ref) (*transfer.Object, error) {
	obj := &transfer.Object{Body: io.NopCloser(io.LimitReader(zeros{}, b.size)), Size: b.size, ETag: "e"}
	if b.ranges {
		obj.OpenRange = func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, errors.New("not read here") }
	}
	return obj, nil
}

func (b *big) Stat(context.Context, transfer.Ref) (string, error) { return "e", nil }

func (b *big) Ticket(context.Context, transfer.Dest) (transfer.Ticket, error) {
	return transfer.Ticket{FileID: "cloud://e.b/p", Expires: time.Now().Add(time.Hour)}, nil
}

func (b *big) Upload(ctx context.Context, _ transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	b.posts++
	piece := make([]byte, 64<<10)
	for {
		n, err := obj.Body.Read(piece)
		if b.rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(b.rate))
		}
		switch {
		case err == io.EOF:
			return transfer.Receipt{Status: 204}, nil
		case err != nil:
			return transfer.Receipt{}, err
		case ctx.Err() != nil:
			return transfer.Receipt{}, ctx.Err()
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type partUploader struct{ *big }

func (p partUploader) Upload(ctx context.Context, _ transfer.Ticket, _ *transfer.Object) (transfer.Receipt, error) {
	if p.pauses != nil {
		p.pauses(ctx)
	}
	return p.parts()
}

func (b *big) deliverer(threshold int64) *delivery.Deliverer {
	d := &delivery.Deliverer{Sources: map[string]transfer.Source{"s3": b}, Tickets: b, Uploader: b}
	if threshold > 0 {
		d.PartUploader, d.PartThreshold = partUploader{b}, threshold
	}
	return d
}

// Which files go in parts, and which are too large for what there is.
func TestWhatGoesInParts(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for name, c := range map[string]struct {
		size, threshold int64
		ranges          bool
		want            string // parts, post, or what the message says
	}{
		"no threshold":          {8 * mib, 0, true, "post"},
		"below":                 {8*mib - 1, 8 * mib, true, "post"},
		"at":                    {8 * mib, 8 * mib, true, "parts"},
		"no ranges":             {9 * mib, 8 * mib, false, "post"},
		"huge":                  {6 * gib, 8 * mib, true, "parts"},
		"huge, no threshold":    {6 * gib, 0, true, "set MULTIPART_THRESHOLD"},
		"huge, but no ranges":   {6 * gib, 8 * mib, false, "cannot be read by ranges"},
		"huge, below threshold": {6 * gib, 7 * gib, true, "split it"},
	} {
		b := &big{size: c.size, ranges: c.ranges, parts: func() (transfer.Receipt, error) {
			return transfer.Receipt{Status: 200, ETag: "x-9", CRC64: "7", Parts: 9, ResumedParts: 4}, nil
		}}
		o := b.deliverer(c.threshold).Deliver(t.Context(), plan("k"), func() {})
		switch {
		case c.want == "post":
			if o.Err != nil || o.Parts != 0 || b.posts != 1 {
				t.Errorf("%s: %v, %d parts, %d posts", name, o.Err, o.Parts, b.posts)
			}
		case c.want == "parts":
			if o.Err != nil || o.Parts != 9 || o.ResumedParts != 4 || b.posts != 0 || o.Size != c.size || !o.Proved() || !slices.Equal(o.Verified, []string{"size", "crc64"}) {
				t.Errorf("%s: %+v after %d posts", name, o, b.posts)
			}
		case o.Err == nil || o.Err.Kind != transfer.KindRefused || !strings.Contains(o.Err.What, c.want):
			t.Errorf("%s: %v, want %q", name, o.Err, c.want)
		}
	}
}

// Waits of the parts and of the delivery share one bound.
func TestMaxRetryWaitOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []bool
		b := &big{size: 9 << 20, ranges: true}
		b.pauses = func(ctx context.Context) {
			waits = append(waits, transfer.MayPause(ctx, 15*time.Second) && transfer.Pause(ctx, 15*time.Second))
		}
		b.parts = func() (transfer.Receipt, error) {
			return transfer.Receipt{}, newError(transfer.KindUnavailable, transfer.StageUpload)
		}
		d := b.deliverer(8 << 20)
		d.MaxRetryWait = 20 * time.Second
		start := time.Now()
		o := d.Deliver(t.Context(), plan("k"), func() {})
		if took := time.Since(start); o.Err == nil || took > 20*time.Second || len(waits) < 2 || !waits[0] || slices.Contains(waits[1:], true) {
			t.Errorf("%v after %v: %v", o.Err, took, waits)
		}
	})
}

// A source that does not send the ranges that it has promised goes by POST. Above 5 GiB it
// fails, because a POST cannot carry it.
func TestRangesOnlyByTheSourcesWord(t *testing.T) {
	b := &big{size: 9 << 20, ranges: true, parts: func() (transfer.Receipt, error) {
		err := newError(transfer.KindCorrupt, transfer.StageOpen)
		err.Code = transfer.CodeNoRanges
		return transfer.Receipt{Parts: 9}, err
	}}
	if o := b.deliverer(8<<20).Deliver(t.Context(), plan("k"), func() {}); o.Err != nil || b.posts != 1 || o.Parts != 0 || o.Attempts != 2 {
		t.Errorf("%+v after %d posts", o, b.posts)
	}
	b.size = 6 << 30
	if o := b.deliverer(8<<20).Deliver(t.Context(), plan("k"), func() {}); o.Err == nil || !strings.Contains(o.Err.What, "cannot be read by ranges") {
		t.Errorf("%+v", o)
	}
}

// The entry tells of the last upload, which went by POST.
func TestFileShrinksBelowTheThreshold(t *testing.T) {
	b := &big{size: 9 << 20, ranges: true}
	b.parts = func() (transfer.Receipt, error) {
		b.size = 1 << 20
		return transfer.Receipt{Parts: 9, ResumedParts: 2}, newError(transfer.KindCorrupt, transfer.StageOpen)
	}
	if o := b.deliverer(8<<20).Deliver(t.Context(), plan("k"), func() {}); o.Err != nil || o.Parts != 0 || o.ResumedParts != 0 {
		t.Errorf("%+v", o)
	}
}

// A failure of the parts is tried again like that of a POST, unless it is final. Without
// a CRC64 nothing is proved.
func TestFailureOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		b := &big{size: 1 << 20, ranges: true, parts: func() (transfer.Receipt, error) {
			if tries++; tries < 3 {
				return transfer.Receipt{Parts: 2}, newError(transfer.KindUnavailable, transfer.StageUpload)
			}
			return transfer.Receipt{Status: 200, Parts: 2, ResumedParts: 1}, nil
		}}
		o := b.deliverer(1).Deliver(t.Context(), plan("k"), func() {})
		if o.Err != nil || o.Attempts != 3 || o.ResumedParts != 1 || o.Proved() {
			t.Errorf("%+v", o)
		}
		tries = 0
		b.parts = func() (transfer.Receipt, error) {
			tries++
			return transfer.Receipt{}, newError(transfer.KindDenied, transfer.StageUpload)
		}
		if o := b.deliverer(1).Deliver(t.Context(), plan("k"), func() {}); o.Err == nil || tries != 1 || b.posts != 0 {
			t.Errorf("%v after %d tries and %d posts", o.Err, tries, b.posts)
		}
	})
}

// An upload in one piece that cannot end in time ends early, with advice.
func TestHopelessUploadEndsEarly(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		size, rate int64
		ranges     bool
		limit      time.Duration
		within     time.Duration // at most; 0 is delivered
		advice     string
	}{
		"in time":              {300 * mib, mib, true, 15 * time.Minute, 0, ""},
		"three times too much": {2700 * mib, mib, true, 15 * time.Minute, time.Minute + time.Second, "MULTIPART_THRESHOLD"},
		"half too much":        {1350 * mib, mib, true, 15 * time.Minute, 8 * time.Minute, "MULTIPART_THRESHOLD"},
		"no ranges":            {2700 * mib, mib, false, 15 * time.Minute, time.Minute + time.Second, "a longer timeout"},
		"short limit":          {90 * mib, mib, true, 28 * time.Second, 8 * time.Second, "MULTIPART_THRESHOLD"},
		"small files end late": {7 * mib, mib / 16, true, 28 * time.Second, 28 * time.Second, "ran out of time"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			start := time.Now()
			b := &big{size: c.size, rate: c.rate, ranges: c.ranges}
			o := b.deliverer(0).Deliver(ctx, plan("k"), func() {})
			took := time.Since(start)
			switch {
			case c.within == 0:
				if o.Err != nil {
					t.Errorf("%s: %v", name, o.Err)
				}
			case o.Err == nil || o.Err.Kind != transfer.KindOutOfTime || took > c.within+time.Second || !strings.Contains(o.Err.What, c.advice):
				t.Errorf("%s: %v after %v, want within %v and %q", name, o.Err, took, c.within, c.advice)
			}
			if b.posts != 1 {
				t.Errorf("%s: %d posts", name, b.posts)
			}
		})
	}
}
