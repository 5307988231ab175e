// Package multipart uploads a large file to CloudBase storage in parts, by COS's own
// multipart upload with the configuration's credentials (wire.md B.5). The parts are
// read from the source by ranges, several at once, and streamed: none is held in
// memory.
//
// An upload that did not end is found again by COS's lists and goes on from what is
// there. Nothing is remembered anywhere else:
//
//	ListMultipartUploads -> ListParts      or      InitiateMultipartUpload
//	for each part: read it and compare its MD5     or      UploadPart, compare its CRC64
//	CompleteMultipartUpload, compare the CRC64 of the whole (HeadObject where its answer is lost)
//
// Tencent's cos-go-sdk-v5 is not used: it adds 1.05 MB and five modules to a binary,
// repeats calls three times at once by itself, and reads answers of any length into
// memory. What is needed of it is the signature (sign.go).
package multipart

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Options are what New needs.
type Options struct {
	// Requests carries all requests but one; it is to give up on an answer that does
	// not come. Completions carries CompleteMultipartUpload, whose answer may take long.
	// Neither follows redirects.
	Requests, Completions http.RoundTripper
	// Credentials are asked for at each upload. Their error is the upload's.
	Credentials func(context.Context) (Credentials, error)
	// URL is where parts go, DefaultURL if empty; {bucket} and {region} in it are
	// replaced. Where {bucket} is missing, /BUCKET comes before the key.
	URL string
	// Concurrency is how many parts of one file travel at once.
	Concurrency int
	// Log takes lines of the level debug: what was found and what was sent. nil: none.
	Log *slog.Logger
}

// An Uploader uploads files in parts. It is safe for concurrent use.
type Uploader struct{ options Options }

var _ transfer.Uploader = (*Uploader)(nil)

// New returns an Uploader.
func New(o Options) *Uploader {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	return &Uploader{o}
}

// maxRounds is how often an upload is begun: another invocation for the same file may
// complete or abort the one that this invocation found.
const maxRounds = 3

// Upload sends obj, which must have OpenRange, to the bucket and key of t. It does not
// read obj.Body. A CRC64 in the receipt is one that was compared and held.
//
// An upload whose failure is final is aborted; any other one is left for the next call
// to find. The error of a deadline is OutOfTime and says how many parts are there: no
// part is begun that would not end before ctx's deadline.
func (u *Uploader) Upload(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	if obj.OpenRange == nil || obj.Size <= 0 || obj.Size > MaxSize {
		return transfer.Receipt{}, transfer.Errorf(transfer.StageUpload, transfer.KindRefused, "the file cannot be sent in parts: its source has no ranges, or COS does not take a file of %d bytes", obj.Size)
	}
	if t.MetaFileID == "" {
		// Without x-cos-meta-fileid COS would store a file that no mini program can read.
		return transfer.Receipt{}, transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable, "WeChat's upload ticket lacks cos_file_id; try again later")
	}
	c, failure := u.client(ctx, t)
	if failure != nil {
		return transfer.Receipt{}, failure
	}
	for round := 1; ; round++ {
		j := newJob(c, t, obj, u.options.Concurrency)
		receipt, failure := j.run(ctx)
		if log := u.options.Log; log != nil {
			j.describe(ctx, log)
		}
		switch {
		case failure == nil:
			return receipt, nil
		case failure.Code != noSuchUpload || round == maxRounds || ctx.Err() != nil:
			return receipt, failure
		}
	}
}
