package event_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
)

// batchOf returns an SQS event of n messages of about 1.1 KB.
func batchOf(n int) []byte {
	body := s3Event(quote("in/" + strings.Repeat("k", 900)))
	return []byte(sqsEvent(slices.Repeat([]string{body}, n)...))
}

// Reading an event takes memory in proportion to its size. The test counts the
// memory of the whole process, so it is not parallel.
func TestLargeEvent(t *testing.T) {
	var before, after runtime.MemStats
	payload := batchOf(800)
	runtime.ReadMemStats(&before)
	e, err := event.Decode(payload, event.HostLambda)
	runtime.ReadMemStats(&after)
	if err != nil || len(e.Items) != 800 {
		t.Fatalf("got %v", err)
	}
	if times := (after.TotalAlloc - before.TotalAlloc) / uint64(len(payload)); times > 25 {
		t.Errorf("it took %d times its size", times)
	}
}
