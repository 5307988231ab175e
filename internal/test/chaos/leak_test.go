package chaos_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// TestLeaks invokes one instance thousands of times, with broken connections,
// refusals and deadlines among them, and then wants every goroutine gone.
func TestLeaks(t *testing.T) {
	n := 2000
	switch {
	case *long:
		n = 10_000
	case slowed:
		n = 500
	}
	w := newWorld(t)
	var gets, requests, heads atomic.Int64
	w.s3.OnGet = func(string, string, int) *staging.Fault {
		switch n := gets.Add(1); {
		case n%41 == 0:
			return &staging.Fault{After: 10, Break: true}
		case n%97 == 0:
			return &staging.Fault{Rate: 20} // longer than the invocation
		}
		return nil
	}
	w.onHead = func(string, http.ResponseWriter) bool {
		if heads.Add(1)%53 == 0 {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	faults := []tcb.Fault{
		tcb.FaultNamed("upload reset middle"), tcb.FaultNamed("upload early refusal"), tcb.FaultNamed("upload answer lost"),
		tcb.FaultNamed("upload huge xml"), tcb.FaultNamed("upload 503 SlowDown"), tcb.FaultNamed("upload hang"),
	}
	w.cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
		if n := requests.Add(1); op == tcb.OpUpload && n%37 == 0 {
			return &faults[int(n/37)%len(faults)]
		}
		return nil
	})
	put(t, w, "a.bin", 200)
	invoke := w.function(t, 0, &journal{})
	payload := plainEvent("a.bin")
	var delivered, failed atomic.Int64
	each(make([]struct{}, n), 64, func(struct{}) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := invoke(ctx, payload); err != nil {
			failed.Add(1)
		} else {
			delivered.Add(1)
		}
	})
	t.Logf("%d invocations: %d delivered, %d failed", n, delivered.Load(), failed.Load())
	if failed.Load() == 0 || delivered.Load() < int64(n)*3/4 {
		t.Error("the faults did not strike, or too hard")
	}
	w.close()
	goleak.VerifyNone(t)
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
	return fmt.Appendf(nil, `{"files":["s3://%s/%s"]}`, bucket, strings.Join(keys, `","s3://`+bucket+`/`))
}
