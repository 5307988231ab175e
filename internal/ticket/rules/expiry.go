package rules

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ticketLife is how long a ticket lives when it does not say (wire.md 0).
const ticketLife = 900 * time.Second

// Expires reads the end of q-sign-time=start;end in a ticket's authorization, which is
// on the server's clock, and places it on ours: what is left of the ticket counts from
// the Date of the answer or, when that is missing or past the end, from our own time,
// and is no more than the whole span. asked is when the request left, on the wall clock.
func Expires(authorization string, h http.Header, asked time.Time) time.Time {
	start, end, ok := signTime(authorization)
	if !ok {
		return asked.Add(ticketLife)
	}
	now := asked
	if date, err := http.ParseTime(h.Get("Date")); err == nil && date.Before(end) {
		now = date
	}
	return asked.Add(min(end.Sub(now), end.Sub(start)))
}

func signTime(authorization string) (start, end time.Time, ok bool) {
	for field := range strings.SplitSeq(authorization, "&") {
		span, found := strings.CutPrefix(field, "q-sign-time=")
		if !found {
			continue
		}
		from, to, _ := strings.Cut(span, ";")
		// 33 bits reach beyond the year 2200 and keep every difference a Duration.
		a, errA := strconv.ParseUint(from, 10, 33)
		b, errB := strconv.ParseUint(to, 10, 33)
		return time.Unix(int64(a), 0), time.Unix(int64(b), 0), errA == nil && errB == nil && a < b
	}
	return time.Time{}, time.Time{}, false
}
