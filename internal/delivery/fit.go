package delivery

import (
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// fits says why an open object cannot be what is to be uploaded; nil if it can.
//
// The size that the event states is compared only if the event's ETag shows that
// it speaks of this content, or if the object has no ETag at all. The second is
// no object store's answer: a login page or a proxy's page looks like that.
func (j *job) fits(obj *transfer.Object) *transfer.Error {
	if err := j.tooLarge(obj); err != nil {
		return err
	}
	item := j.out.Plan.Item
	same := item.ETag != "" && (obj.ETag == item.ETag || obj.ETag == "")
	if same && item.Size >= 0 && item.Size != obj.Size {
		return transfer.Errorf(transfer.StageOpen, transfer.KindCorrupt,
			"the source offers %d bytes of a file that has %d by its event; try again", obj.Size, item.Size)
	}
	return nil
}

// usable says why an upload with this ticket cannot be begun; nil if it can.
func usable(t transfer.Ticket, source transfer.Ref) *transfer.Error {
	if expired(t) {
		err := transfer.Errorf(transfer.StageTicket, transfer.KindStale,
			"WeChat gave an upload ticket that has already expired; check the clock of this machine")
		err.Code = "ExpiredTicket"
		return err
	}
	// Each upload into the bucket that events come from would be the next event.
	if store := source.Scheme == transfer.SchemeCOS || source.Scheme == transfer.SchemeS3; store && source.Bucket == bucketOf(t.FileID) {
		err := transfer.Errorf(transfer.StageTicket, transfer.KindRefused,
			"the file lies in %s, the bucket that CloudBase would store it in, so it would be delivered again and again; use another bucket as the source", source.Bucket)
		err.Code = "SameBucket"
		return err
	}
	return nil
}

func expired(t transfer.Ticket) bool { return !time.Now().Before(t.Expires) }

// bucketOf returns the bucket in a file ID, cloud://ENV.BUCKET/PATH (wire.md
// section 0); "" if there is none.
func bucketOf(fileID string) string {
	_, rest, _ := strings.Cut(fileID, "://")
	host, _, _ := strings.Cut(rest, "/")
	_, bucket, _ := strings.Cut(host, ".")
	return bucket
}
