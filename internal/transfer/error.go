package transfer

import (
	"context"
	"errors"
	"time"
)

// Kind says what to do about an error. Act on the Kind, never on the message.
type Kind string

const (
	KindMalformed   Kind = "Malformed"   // cannot be understood
	KindRefused     Kind = "Refused"     // against policy: path rules, size, not allowed
	KindNotFound    Kind = "NotFound"    // the source object is gone
	KindDenied      Kind = "Denied"      // no good until a person acts
	KindStale       Kind = "Stale"       // token or ticket ran out: renew once
	KindThrottled   Kind = "Throttled"   // wait, then again
	KindUnavailable Kind = "Unavailable" // network, 5xx, a gateway: wait, then again
	KindCorrupt     Kind = "Corrupt"     // size or checksum mismatch: again, from Open
	KindOutOfTime   Kind = "OutOfTime"   // the deadline less a reserve
)

// Retryable reports whether a later invocation may succeed where this one failed
// without anybody doing anything about it.
func (k Kind) Retryable() bool {
	switch k {
	case KindStale, KindThrottled, KindUnavailable, KindCorrupt, KindOutOfTime:
		return true
	}
	return false
}

// A Stage says where an error came from.
type Stage string

const (
	StageDecode Stage = "decode"
	StageRoute  Stage = "route"
	StageOpen   Stage = "open"
	StageTicket Stage = "ticket"
	StageUpload Stage = "upload"
	StageCheck  Stage = "check"
	StageNotify Stage = "notify"
)

// Error is the one error type of the project. It never wraps another error, so
// that no secret inside one can be printed: What is plain English, says what to
// do next and is safe to show to anybody.
type Error struct {
	Stage Stage
	Kind  Kind
	Code  string // WeChat's errcode, COS's or S3's Code; "" when the error has only a name of ours
	What  string
	After time.Duration // how long the other side asked us to wait; 0 when it did not
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.What }

// Label is the code that answers and metrics show: the other side's where there
// is one, else the Kind.
func (e *Error) Label() string {
	if e.Code != "" {
		return e.Code
	}
	return string(e.Kind)
}

// AsError returns err as an *Error. The context comes first: once ctx is done,
// every error is OutOfTime; one that is so already keeps what it says. Anything unknown
// becomes Unavailable, described by Cause alone, because its own text may hold a URL with
// a token in it.
func AsError(ctx context.Context, stage Stage, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if ok && e.Kind == KindOutOfTime {
		return e
	}
	if ctx.Err() != nil {
		return &Error{Stage: stage, Kind: KindOutOfTime, What: "ran out of time; give the function a longer timeout or send smaller files"}
	}
	if ok {
		return e
	}
	return &Error{Stage: stage, Kind: KindUnavailable, What: "the connection failed (" + Cause(err) + "); try again later"}
}
