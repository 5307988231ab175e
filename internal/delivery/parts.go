package delivery

import (
	"context"
	"io"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// goesInParts tells whether an object is uploaded in parts.
func (j *job) goesInParts(obj *transfer.Object) bool {
	return j.PartUploader != nil && obj.Size >= j.PartThreshold && obj.OpenRange != nil && !j.noRanges
}

// tooLarge says why an object is too large to be uploaded; nil if it is not.
func (j *job) tooLarge(obj *transfer.Object) *transfer.Error {
	if obj.Size <= transfer.MaxSize || j.goesInParts(obj) {
		return nil
	}
	why := "set MULTIPART_THRESHOLD, so that it goes in parts, or split it"
	if j.PartUploader != nil {
		why = "its source cannot be read by ranges, so that it cannot go in parts: split it"
	}
	err := transfer.Errorf(transfer.StageOpen, transfer.KindRefused,
		"the file has %d bytes; one upload carries at most %d (5 GiB); %s", obj.Size, int64(transfer.MaxSize), why)
	err.Code = "EntityTooLarge"
	return err
}

// uploadParts is one attempt in parts. The body is not read: each part is opened by
// itself.
func (j *job) uploadParts(ctx context.Context, ticket transfer.Ticket, obj *transfer.Object) *transfer.Error {
	obj.Body.Close()
	j.out.Attempts++
	receipt, err := j.PartUploader.Upload(ctx, ticket, obj)
	j.out.Parts, j.out.ResumedParts = receipt.Parts, receipt.ResumedParts
	if err != nil {
		e := transfer.AsError(ctx, transfer.StageUpload, err)
		if e.Code == transfer.CodeNoRanges {
			j.noRanges = true
			return j.upload(ctx)
		}
		return e
	}
	j.etag = obj.ETag
	j.out.FileID, j.out.Size = ticket.FileID, obj.Size
	j.out.ETag, j.out.CRC64 = receipt.ETag, receipt.CRC64
	j.out.ContentType, j.out.DeliveredAt = receipt.ContentType, time.Now()
	j.out.Verified = []string{transfer.VerifiedSize}
	if receipt.CRC64 != "" {
		j.out.Verified = append(j.out.Verified, transfer.VerifiedCRC64)
	}
	return nil
}

const (
	// paceAfter is how long an upload is watched before it may be ended as too slow,
	// where the deadline is far: the first seconds say little, because they fill
	// buffers, and a line gets slower after them (large-files.md, Measured).
	paceAfter = time.Minute
	// worthParts is the size from which parts are faster than one piece on a long line
	// (large-files.md, Measured). Smaller files are never ended early.
	worthParts = 8 << 20
	// paceMargin is how many times as fast the rest would have to be (a guess).
	paceMargin = 2
)

// paced ends an upload in one piece early when it cannot end before the deadline even
// if it became twice as fast, because each try of it would end the same way.
func (j *job) paced(ctx context.Context, body io.ReadCloser, obj *transfer.Object) io.ReadCloser {
	deadline, ok := ctx.Deadline()
	if !ok || obj.Size < worthParts {
		return body
	}
	now := time.Now()
	p := &pacer{ReadCloser: body, size: obj.Size, start: now, deadline: deadline, from: now.Add(min(paceAfter, deadline.Sub(now)/4)),
		advice: "give the function a longer timeout or send smaller files"}
	if obj.OpenRange != nil {
		p.advice = "set MULTIPART_THRESHOLD to at most the file's size, so that it goes in parts that are sent at once and kept from one try to the next"
	}
	return p
}

// A pacer compares an upload's rate with the time that is left.
type pacer struct {
	io.ReadCloser
	size, read            int64
	start, from, deadline time.Time
	advice                string
}

func (p *pacer) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.read += int64(n)
	now := time.Now()
	if err != nil || now.Before(p.from) {
		return n, err
	}
	rate := float64(p.read) / now.Sub(p.start).Seconds()
	if left := p.deadline.Sub(now).Seconds(); float64(p.size-p.read) > paceMargin*rate*max(left, 0) {
		return n, transfer.Errorf(transfer.StageUpload, transfer.KindOutOfTime,
			"the upload was ended early: it went at %.2f MB/s, and with %d of %d bytes sent it could not end within the %.0f s that were left; %s",
			rate/1e6, p.read, p.size, left, p.advice)
	}
	return n, nil
}
