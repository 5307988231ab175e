package transfer_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		retryAfter, date string
		want             time.Duration
	}{
		{"", "", 0},
		{"7", "", 7 * time.Second},
		{"0", "", 0},
		{"-7", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"86401", "", 24 * time.Hour},
		{"99999999999999999999", "", 24 * time.Hour},
		{date(90 * time.Second), "", 90 * time.Second},
		{date(-time.Hour), "", 0},
		{date(48 * time.Hour), "", 24 * time.Hour},
		{date(time.Hour), date(time.Hour - 5*time.Second), 5 * time.Second},
		{date(time.Hour), "no date", time.Hour},
	} {
		h := http.Header{"Retry-After": {tc.retryAfter}, "Date": {tc.date}}
		if got := transfer.RetryAfter(h, now); got != tc.want {
			t.Errorf("Retry-After %q at Date %q is %v, want %v", tc.retryAfter, tc.date, got, tc.want)
		}
	}
}
