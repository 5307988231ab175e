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

// send brings all parts to COS. The first failure stops the beginning of others; what
// is under way goes on, so that it need not be sent again.
func (j *job) send(ctx context.Context) *transfer.Error {
	var wg sync.WaitGroup
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(j.concurrency, j.plan.count()) {
		wg.Go(func() {
			for i, ok := j.take(ctx); ok; i, ok = j.take(ctx) {
				if err := j.bring(working, i); err != nil {
					j.fail(err)
					if !err.Kind.Retryable() || err.Code == noSuchUpload {
						cancel()
					}
				}
			}
		})
	}
	wg.Wait()
	switch {
	case j.done == len(j.etag):
		return nil
	case j.failure != nil && !j.failure.Kind.Retryable(), !j.late && ctx.Err() == nil:
		return j.failure
	}
	return errLate
}

// take returns the part to begin next. None is begun that would not end in time, as
// long as the longest one took and a quarter more (large-files.md, Measured).
func (j *job) take(ctx context.Context) (i int, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped || j.next == len(j.etag) || !j.inTime(ctx) {
		return 0, false
	}
	j.next++
	return j.next - 1, true
}

func (j *job) fail(err *transfer.Error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped = true
	// What is final outranks what is not, and the first outranks what it broke off.
	if err.Kind == transfer.KindOutOfTime {
		return
	}
	if j.failure == nil || j.failure.Kind.Retryable() && !err.Kind.Retryable() {
		j.failure = err
	}
}

// outOfTime says how far the upload has come.
func (j *job) outOfTime() *transfer.Error {
	rate := float64(j.sent) / 1e6 / max(time.Since(j.start).Seconds(), 0.001)
	what := fmt.Sprintf("ran out of time with %d of %d parts sent and checked, at %.2f MB/s; ", j.done, len(j.etag), rate)
	if j.unlisted {
		what += "they are lost, because COS refuses to list them; grant name/cos:ListMultipartUploads and name/cos:ListParts, so that the next try goes on from here"
	} else {
		what += "the next try goes on from there; a longer timeout or a greater MULTIPART_CONCURRENCY makes fewer tries do"
	}
	if j.failure != nil {
		what += "; the failure before that: " + j.failure.What
	}
	return transfer.Errorf(transfer.StageUpload, transfer.KindOutOfTime, "%s", what)
}

// bring makes part i be at COS: it keeps the one that is there if it is of the same
// content, else it sends it.
func (j *job) bring(ctx context.Context, i int) *transfer.Error {
	if there, ok := j.have[i+1]; ok {
		kept := false
		if err := again(ctx, func() (err *transfer.Error) { kept, err = j.keep(ctx, i, there); return err }); err != nil || kept {
			return err
		}
	}
	return again(ctx, func() *transfer.Error { return j.put(ctx, i) })
}

// keep reads a part that is there from the source, which is near, and keeps it if it is
// the same: a part's ETag is its MD5.
func (j *job) keep(ctx context.Context, i int, there part) (kept bool, failure *transfer.Error) {
	offset, length := j.plan.span(i)
	if there.Size != length {
		return false, nil
	}
	src, err := j.obj.OpenRange(ctx, offset, length)
	if err != nil {
		return false, transfer.AsError(ctx, transfer.StageOpen, err)
	}
	defer src.Close()
	h := md5.New()
	b := &partBody{src: io.TeeReader(src, h), left: length, withNVME: j.obj.CRC64NVME != ""}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return false, transfer.AsError(ctx, transfer.StageOpen, err)
	}
	if !strings.EqualFold(hex.EncodeToString(h.Sum(nil)), there.ETag) {
		return false, nil
	}
	j.arrived(i, there.ETag, b.sums, 0, 0)
	return true, nil
}

// put sends part i.
func (j *job) put(ctx context.Context, i int) *transfer.Error {
	j.mu.Lock()
	inTime := j.inTime(ctx) // a second try may be too late
	j.mu.Unlock()
	if !inTime {
		return errLate
	}
	start := time.Now()
	offset, length := j.plan.span(i)
	src, err := j.obj.OpenRange(ctx, offset, length)
	if err != nil {
		return transfer.AsError(ctx, transfer.StageOpen, err)
	}
	defer src.Close()
	b := &partBody{src: src, left: length, withNVME: j.obj.CRC64NVME != ""}
	a, failure := j.client.put(ctx, j.id, i+1, b, length)
	if failure != nil {
		return failure
	}
	etag := a.etag
	if etag == "" || strings.ContainsAny(etag, `<>&"`) {
		return transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable, "COS took a part without naming its ETag; try again later (COS request ID %s)", a.id)
	}
	if a.crc64 != "" && !is(a.crc64, b.sums.crc) {
		return transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt, "COS stored part %d with CRC64 %q, but what was sent has %d; try again", i+1, a.crc64, b.sums.crc)
	}
	j.arrived(i, etag, b.sums, length, time.Since(start))
	return nil
}

// errLate stands for what outOfTime says at the end.
var errLate = transfer.Errorf(transfer.StageUpload, transfer.KindOutOfTime, "ran out of time")

// inTime tells whether a part that is begun now would end before the deadline, and
// leave the time of two calls, one of them Complete. If not, no further one is begun. j.mu
// is held.
func (j *job) inTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	if ok && time.Until(deadline) < j.longest*5/4+2*j.call {
		j.stopped, j.late = true, true
	}
	return !j.late
}

// arrived notes that part i is at COS. sent is 0 for one that was there already.
func (j *job) arrived(i int, etag string, s sums, sent int64, took time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.etag[i], j.sums[i] = etag, s
	j.done++
	j.sent += sent
	j.longest = max(j.longest, took)
	if sent == 0 {
		j.resumed++
	}
}

// whole combines the parts' checksums.
func (j *job) whole() (all sums) {
	for i, s := range j.sums {
		_, length := j.plan.span(i)
		all.add(s, length)
	}
	return all
}
