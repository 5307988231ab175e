package event_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
)

// order returns the Order of an event with this sequencer.
func order(t *testing.T, sequencer string) string {
	payload := strings.Replace(s3Event(`"k"`), `"key"`, `"sequencer":`+quote(sequencer)+`,"key"`, 1)
	return mustDecode(t, payload, event.HostLambda)[0].Order
}

// FuzzOrder compares with the rule that S3 documents: fill up the shorter one
// with zeros on the right, then compare as text.
func FuzzOrder(f *testing.F) {
	f.Add("0055AED6DCD90281E5", "0055AED6DCD90281E6")
	f.Add("617f08299329d189", "617F08299329D189")
	f.Add("006A6EF6F74389E300", "006A6EF6F74389E3")
	f.Add("1", "10")
	f.Add("", "0")
	f.Add("not", "hexadecimal")
	f.Fuzz(func(t *testing.T, a, b string) {
		const digits = "0123456789abcdefABCDEF"
		if strings.Trim(a, digits) != "" || strings.Trim(b, digits) != "" {
			if got := order(t, "x"+a); got != "" {
				t.Errorf("a sequencer that is not hexadecimal has order %q", got)
			}
			return
		}
		width := max(len(a), len(b))
		fill := func(s string) string { return strings.ToUpper(s) + strings.Repeat("0", width-len(s)) }
		if got, want := strings.Compare(order(t, a), order(t, b)), strings.Compare(fill(a), fill(b)); got != want {
			t.Errorf("%q and %q: got %d, want %d", a, b, got, want)
		}
	})
}
