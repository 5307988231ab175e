package scheduled

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A report is what a piece has found that is not the same.
type report struct {
	lines, manifest bytes.Buffer
	queue           Queue // may be nil
	most            int   // bytes of lines
	waiting         []string
	sent            int64
}

// add notes a result. Only one goroutine calls it.
func (r *report) add(ctx context.Context, result check.Result) error {
	if result.State == check.StateSame {
		return nil
	}
	if r.lines.Len() >= r.most { // not of this piece: a result whose report fails counts as not found
		return errUnfinished
	}
	r.lines.WriteString(result.String() + "\n")
	if line := result.ManifestLine(); line != "" {
		r.manifest.WriteString(line + "\n")
		if r.queue != nil {
			r.waiting = append(r.waiting, created(result.Item))
		}
	}
	if len(r.waiting) == MaxBatch {
		return r.flush(ctx)
	}
	return nil
}

// flush sends what waits.
func (r *report) flush(ctx context.Context) error {
	if len(r.waiting) == 0 {
		return nil
	}
	if err := r.queue.Send(ctx, r.waiting); err != nil {
		return fmt.Errorf("what is to be delivered again could not be sent to the queue: %w", err)
	}
	r.sent += int64(len(r.waiting))
	r.waiting = nil
	return nil
}

// created is the event by which S3 tells EventBridge of an object
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html).
func created(item transfer.Item) string {
	at := item.Time // {yyyy}, {mm} and {dd} of a cloud path come from it
	if at.IsZero() {
		at = time.Now()
	}
	bucket, _ := json.Marshal(item.Ref.Bucket) // strings are always encoded
	key, _ := json.Marshal(item.Ref.Key)
	return fmt.Sprintf(`{"version":"0","detail-type":"Object Created","source":"aws.s3","time":%q,"detail":{"bucket":{"name":%s},"object":{"key":%s},"reason":"tcbferry check"}}`,
		at.UTC().Format(time.RFC3339), bucket, key)
}

// put writes what there is to write.
func (r *report) put(ctx context.Context, to Bucket, name string) error {
	if r.lines.Len() > 0 {
		if err := to.Put(ctx, name+".txt", "text/plain; charset=utf-8", r.lines.Bytes()); err != nil {
			return err
		}
	}
	if r.manifest.Len() > 0 {
		return to.Put(ctx, name+".csv", "text/csv", r.manifest.Bytes())
	}
	return nil
}

// batchName is the same for the same batch, so that a second try replaces its report.
func batchName(first transfer.Item) string {
	sum := sha256.Sum256([]byte(first.Ref.String()))
	return hex.EncodeToString(sum[:8])
}
