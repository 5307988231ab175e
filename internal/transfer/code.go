package transfer

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Code is what an error code of another party means to us. Each party's package
// has a table of them.
type Code struct {
	Code    string // as the other party writes it
	At      string // where it has this meaning; "" everywhere
	Name    string // what the party's documentation calls a numbered code; "" when it has no name
	Kind    Kind
	Meaning string // plain English, no full stop
	Advice  string // what to do about it
}

// String is the meaning and the advice in one sentence.
func (c Code) String() string { return c.Meaning + "; " + c.Advice }

// Errorf returns an error whose What is formatted. It wraps nothing: an argument
// that is an error is printed, so it must be safe to show.
func Errorf(stage Stage, kind Kind, format string, args ...any) *Error {
	return &Error{Stage: stage, Kind: kind, What: fmt.Sprintf(format, args...)}
}

// maxRetryAfter is the longest wait that RetryAfter returns. A day is the longest
// quota that an API counts by (wire.md C.2, 45009).
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads the header Retry-After (RFC 9110, 10.2.3): seconds, or a date
// that is compared with the answer's own Date and, without one, with now. It is
// between 0, which means that the answer says nothing usable, and a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(t.Sub(now).Round(time.Second), 0), maxRetryAfter)
}
