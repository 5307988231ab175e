package transfer

import (
	"time"
)

// Reason says why a file was skipped.
type Reason string

const (
	ReasonFolder     Reason = "folder"
	ReasonExcluded   Reason = "excluded"
	ReasonNoRoute    Reason = "no-route"
	ReasonGone       Reason = "gone"
	ReasonTestEvent  Reason = "test-event"
	ReasonNotCreated Reason = "not-created"
)

// Comparisons that Outcome.Verified may list.
const (
	VerifiedSize  = "size"
	VerifiedMD5   = "md5"
	VerifiedCRC64 = "crc64"
)

// An Outcome is how one file ended: failed when Err is set, skipped when Reason
// is, delivered otherwise.
type Outcome struct {
	Plan     Plan
	Reason   Reason
	Err      *Error
	FileID   string
	Size     int64
	ETag     string // what COS reported
	CRC64    string // what COS reported
	Verified []string
	Warning  string

	ContentType string    // what the file was stored with; "" none
	DeliveredAt time.Time // when it was verified
	Receipts    []string  // receivers that were told
	Untold      []string  // receivers that could not be told
	Unsettled   bool      // what ON_DELIVERED asks for could not be done; Warning says why

	Attempts int // uploads to COS
	Resumes  int // reopenings of a source that broke off
	Tickets  int // tickets asked for

	Parts        int // of a file that went in parts
	ResumedParts int // of them, those that an earlier invocation had sent
	Took         time.Duration
}

// Statuses of an Outcome.
const (
	StatusDelivered = "delivered"
	StatusSkipped   = "skipped"
	StatusFailed    = "failed"
)

// Status is StatusDelivered, StatusSkipped or StatusFailed.
func (o *Outcome) Status() string {
	switch {
	case o.Err != nil:
		return StatusFailed
	case o.Reason != "":
		return StatusSkipped
	}
	return StatusDelivered
}

// Proved reports whether the delivery was verified by a checksum, not by size alone.
func (o *Outcome) Proved() bool {
	for _, v := range o.Verified {
		if v == VerifiedMD5 || v == VerifiedCRC64 {
			return o.Status() == StatusDelivered
		}
	}
	return false
}

// MarshalJSON writes the entry that answers show for a file.
func (o *Outcome) MarshalJSON() ([]byte, error) {
	type errorJSON struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Retryable bool   `json:"retryable"`
	}
	entry := struct {
		Source     string     `json:"source,omitempty"`
		Status     string     `json:"status"`
		Reason     Reason     `json:"reason,omitempty"`
		Path       string     `json:"path,omitempty"`
		FileID     string     `json:"fileId,omitempty"`
		Size       *int64     `json:"size,omitempty"`
		ETag       string     `json:"etag,omitempty"`
		CRC64      string     `json:"crc64,omitempty"`
		Attempts   *int       `json:"attempts,omitempty"`
		DurationMs *int64     `json:"durationMs,omitempty"`
		Verified   []string   `json:"verified,omitempty"`
		Parts      int        `json:"parts,omitempty"`
		Resumed    int        `json:"resumedParts,omitempty"`
		Receipts   []string   `json:"receipts,omitempty"`
		Warning    string     `json:"warning,omitempty"`
		Error      *errorJSON `json:"error,omitempty"`
	}{
		Status:   o.Status(),
		Reason:   o.Reason,
		Path:     o.Plan.Dest.Path,
		Receipts: o.Receipts,
		Warning:  o.Warning,
	}
	if o.Plan.Item.Ref != (Ref{}) {
		entry.Source = o.Plan.Item.Ref.String()
	}
	if entry.Status != StatusSkipped {
		ms := o.Took.Milliseconds()
		entry.Attempts, entry.DurationMs = &o.Attempts, &ms
	}
	switch entry.Status {
	case StatusDelivered:
		entry.FileID, entry.Size, entry.ETag, entry.CRC64, entry.Verified = o.FileID, &o.Size, o.ETag, o.CRC64, o.Verified
		entry.Parts, entry.Resumed = o.Parts, o.ResumedParts
	case StatusFailed:
		if o.Err.Stage == StageNotify {
			entry.FileID = o.FileID // the file is stored, but not every receiver knows of it
		}
		entry.Error = &errorJSON{o.Err.Label(), o.Err.Error(), o.Err.Kind.Retryable()}
	}
	return JSON(entry)
}
