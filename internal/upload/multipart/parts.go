package multipart

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// parts are a file's parts under way.
type parts struct {
	*job
	start time.Time

	mu      sync.Mutex
	next    int  // the part to begin next
	stopped bool // no further part is begun
	failure *transfer.Error
	late    bool          // stopped for the deadline
	longest time.Duration // of the parts that were sent
	done    int
	resumed int
	sent    int64 // bytes
	etag    []string
	sums    []sums
}

func newParts(j *job) *parts {
	n := j.plan.count()
	return &parts{job: j, start: time.Now(), etag: make([]string, n), sums: make([]sums, n)}
}

// send brings all parts to COS. The first failure stops the beginning of others; what
// is under way goes on, so that it need not be sent again.
func (p *parts) send(ctx context.Context) *transfer.Error {
	var wg sync.WaitGroup
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(p.concurrency, p.plan.count()) {
		wg.Go(func() {
			for i, ok := p.take(ctx); ok; i, ok = p.take(ctx) {
				if err := p.bring(working, i); err != nil {
					p.fail(err)
					if !err.Kind.Retryable() || err.Code == noSuchUpload {
						cancel()
					}
				}
			}
		})
	}
	wg.Wait()
	switch {
	case p.done == len(p.etag):
		return nil
	case p.failure != nil && !p.failure.Kind.Retryable(), !p.late && ctx.Err() == nil:
		return p.failure
	}
	return p.outOfTime()
}

// take returns the part to begin next. None is begun that would not end in time, as
// long as the longest one took and a quarter more (large-files.md, Measured).
func (p *parts) take(ctx context.Context) (i int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || p.next == len(p.etag) || !p.inTime(ctx) {
		return 0, false
	}
	p.next++
	return p.next - 1, true
}

func (p *parts) fail(err *transfer.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	// What is final outranks what is not, and the first outranks what it broke off.
	if err.Kind == transfer.KindOutOfTime {
		return
	}
	if p.failure == nil || p.failure.Kind.Retryable() && !err.Kind.Retryable() {
		p.failure = err
	}
}

// outOfTime says how far the upload has come.
func (p *parts) outOfTime() *transfer.Error {
	rate := float64(p.sent) / 1e6 / max(time.Since(p.start).Seconds(), 0.001)
	what := fmt.Sprintf("ran out of time with %d of %d parts sent and checked, at %.2f MB/s; ", p.done, len(p.etag), rate)
	if p.unlisted {
		what += "they are lost, because COS refuses to list them; grant name/cos:ListMultipartUploads and name/cos:ListParts, so that the next try goes on from here"
	} else {
		what += "the next try goes on from there; a longer timeout or a greater MULTIPART_CONCURRENCY makes fewer tries do"
	}
	if p.failure != nil {
		what += "; the failure before that: " + p.failure.What
	}
	return transfer.Errorf(transfer.StageUpload, transfer.KindOutOfTime, "%s", what)
}

// bring makes part i be at COS: it keeps the one that is there if it is of the same
// content, else it sends it.
func (p *parts) bring(ctx context.Context, i int) *transfer.Error {
	if there, ok := p.have[i+1]; ok {
		kept := false
		if err := again(ctx, func() (err *transfer.Error) { kept, err = p.keep(ctx, i, there); return err }); err != nil || kept {
			return err
		}
	}
	return again(ctx, func() *transfer.Error { return p.put(ctx, i) })
}

// keep reads a part that is there from the source, which is near, and keeps it if it is
// the same: a part's ETag is its MD5.
func (p *parts) keep(ctx context.Context, i int, there part) (kept bool, failure *transfer.Error) {
	offset, length := p.plan.span(i)
	if there.Size != length {
		return false, nil
	}
	src, err := p.obj.OpenRange(ctx, offset, length)
	if err != nil {
		return false, transfer.AsError(ctx, transfer.StageOpen, err)
	}
	defer src.Close()
	h := md5.New()
	b := &partBody{src: io.TeeReader(src, h), left: length, withNVME: p.obj.CRC64NVME != ""}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return false, transfer.AsError(ctx, transfer.StageOpen, err)
	}
	if !strings.EqualFold(hex.EncodeToString(h.Sum(nil)), there.ETag) {
		return false, nil
	}
	p.arrived(i, there.ETag, b.sums, 0, 0)
	return true, nil
}

// put sends part i.
func (p *parts) put(ctx context.Context, i int) *transfer.Error {
	if !p.begins(ctx) { // a second try may be too late
		return transfer.Errorf(transfer.StageUpload, transfer.KindOutOfTime, "ran out of time")
	}
	start := time.Now()
	offset, length := p.plan.span(i)
	src, err := p.obj.OpenRange(ctx, offset, length)
	if err != nil {
		return transfer.AsError(ctx, transfer.StageOpen, err)
	}
	defer src.Close()
	b := &partBody{src: src, left: length, withNVME: p.obj.CRC64NVME != ""}
	a, failure := p.client.put(ctx, p.id, i+1, b, length)
	if failure != nil {
		return failure
	}
	etag := a.etag()
	if etag == "" || strings.ContainsAny(etag, `<>&"`) {
		return transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable, "COS took a part without naming its ETag; try again later (COS request ID %s)", a.id())
	}
	if a.crc64() != "" && !is(a.crc64(), b.sums.crc) {
		return transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt, "COS stored part %d with CRC64 %q, but what was sent has %d; try again", i+1, a.crc64(), b.sums.crc)
	}
	p.arrived(i, etag, b.sums, length, time.Since(start))
	return nil
}

// begins tells whether a part that is begun now would end before the deadline, and
// leave the time of two calls, one of them Complete. If not, no further one is begun.
func (p *parts) begins(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inTime(ctx)
}

func (p *parts) inTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	if ok && time.Until(deadline) < p.longest*5/4+2*p.call {
		p.stopped, p.late = true, true
	}
	return !p.late
}

// arrived notes that part i is at COS. sent is 0 for one that was there already.
func (p *parts) arrived(i int, etag string, s sums, sent int64, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.etag[i], p.sums[i] = etag, s
	p.done++
	p.sent += sent
	p.longest = max(p.longest, took)
	if sent == 0 {
		p.resumed++
	}
}

// whole combines the parts' checksums.
func (p *parts) whole() (all sums) {
	for i, s := range p.sums {
		_, length := p.plan.span(i)
		all.add(s, length)
	}
	return all
}
