package event_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestNewest(t *testing.T) {
	t.Parallel()
	item := func(key, order string, seconds int64) transfer.Item {
		return transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: key}, Order: order, Time: time.Unix(seconds, 0)}
	}
	because := func(it transfer.Item, r transfer.Reason) transfer.Item { it.Reason = r; return it }
	broken := func(it transfer.Item) transfer.Item { it.Err = busy; return it }
	elsewhere := func(it transfer.Item) transfer.Item { it.Ref.Region = "eu-west-1"; return it }
	for _, test := range []struct {
		name  string
		items []transfer.Item
		want  []int
	}{
		{"none", nil, []int{}},
		{"different keys", []transfer.Item{item("a", "1", 0), item("b", "2", 0)}, []int{0, 1}},
		{"greatest order", []transfer.Item{item("a", "1", 9), item("a", "3", 0), item("a", "2", 9)}, []int{1, 1, 1}},
		{"order before none", []transfer.Item{item("a", "1", 0), item("a", "", 9)}, []int{0, 0}},
		{"then time", []transfer.Item{item("a", "", 2), item("a", "", 3), item("a", "", 1)}, []int{1, 1, 1}},
		{"then position", []transfer.Item{item("a", "1", 1), item("a", "1", 1)}, []int{1, 1}},
		{"another region", []transfer.Item{item("a", "1", 0), elsewhere(item("a", "2", 0))}, []int{0, 1}},
		{"skipped and broken", []transfer.Item{
			item("a", "1", 0), because(item("a", "9", 0), transfer.ReasonNotCreated), broken(item("a", "9", 0)), item("a", "2", 0),
		}, []int{3, 1, 2, 3}},
	} {
		if got := event.Dedupe(test.items); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// order returns the Order of an event with this sequencer.
func order(t *testing.T, sequencer string) string {
	payload := strings.Replace(s3Event(`"k"`), `"key"`, `"sequencer":`+quote(sequencer)+`,"key"`, 1)
	return mustDecode(t, payload, event.Lambda)[0].Order
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
