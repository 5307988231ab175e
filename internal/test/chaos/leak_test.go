package chaos_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// TestLeaks invokes one instance thousands of times, with broken connections,
// refusals and deadlines among them. TestMain wants every goroutine gone at the end. The key
// says which fault a file has. Only a file whose fault outlasts any time has a short
// limit, so no other result depends on the speed of the machine.
func TestLeaks(t *testing.T) {
	parallel(t)
	n := 250
	if *long {
		n = 10_000
	}
	w := newWorld(t)
	w.s3.OnGet = func(_, key string, nth int) *staging.Fault {
		switch {
		case key == "source breaks" && nth%2 == 1:
			return &staging.Fault{After: 10, Break: true}
		case key == "source crawls":
			return &staging.Fault{Rate: 1}
		}
		return nil
	}
	var heads atomic.Int64
	w.onHead = func(key string, _ http.ResponseWriter) bool {
		if key == "confirmation breaks" && heads.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	for _, name := range []string{"upload reset middle", "upload early refusal", "upload answer lost", "upload huge xml", "upload 503 SlowDown", "upload hang"} {
		w.cloud.Inject(kit.Always(kit.Final(tcb.FaultNamed(name)), name))
	}
	// One file in eight has a fault, and one in some dozens fails at its limit.
	keys := []string{"source breaks", "source crawls", "confirmation breaks", "upload early refusal", "upload huge xml", "upload 503 SlowDown",
		"upload reset middle", "upload answer lost", "upload hang"}
	const untilEnd = 6 // the keys from here on, and the source that crawls, are tried again until the limit
	for _, key := range append(keys, "none") {
		put(t, w, key, 200)
	}
	invoke := w.function(t, 0, &fileLog{})
	var delivered, failed atomic.Int64
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	each(numbers, 64, func(i int) {
		key, limit := "none", unhurried
		if i%8 == 0 {
			at := i / 8 % len(keys)
			if key = keys[at]; at >= untilEnd || key == "source crawls" {
				limit = 1500 * time.Millisecond
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := invoke(ctx, plainEvent(key))
		mayFail := limit < unhurried || strings.HasPrefix(key, "upload")
		switch {
		case err == nil:
			delivered.Add(1)
		case mayFail:
			failed.Add(1)
		default:
			t.Errorf("%s: %v", key, err)
		}
	})
	t.Logf("%d invocations: %d delivered, %d failed", n, delivered.Load(), failed.Load())
	if failed.Load() == 0 {
		t.Error("no fault applied")
	}
}

// put stores a file of so many bytes in the S3 bucket.
func put(t *testing.T, w *world, key string, size int64) {
	t.Helper()
	content := staging.Synthetic{Size: size, Seed: uint64(len(key))}
	if err := w.s3.Put(bucket, key, "image/png", read(content.Reader(), size)); err != nil {
		t.Fatal(err)
	}
}

// plainEvent names files of the S3 bucket.
func plainEvent(keys ...string) []byte {
	var event struct {
		Files []string `json:"files"`
	}
	for _, key := range keys {
		event.Files = append(event.Files, "s3://"+bucket+"/"+key)
	}
	doc, _ := json.Marshal(event) // texts always marshal
	return doc
}
