package blackbox_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// Small files of one event travel 32 at once, within 40 MiB of memory.
func TestManySmallFiles(t *testing.T) {
	t.Parallel()
	const atOnce = 32
	w := kit.NewWorld(t)
	w.Cloud.CRC64Only = true
	content := body(1, 0)
	var keys []string
	for i := range atOnce + 8 {
		keys = append(keys, fmt.Sprint("in/", i))
		if err := w.Staging.Put(devstack.Bucket, keys[i], "text/plain", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	var uploads atomic.Int64
	all := make(chan struct{})
	w.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
		if op == tcb.OpUpload { // the first ones wait for each other
			if uploads.Add(1) == atOnce {
				close(all)
			}
			<-all
		}
		return nil
	})
	f := lambda(t, w)
	for _, e := range f.deliver(s3Event(keys...)) {
		kit.Delivered(t, w.Cloud, devstack.Env, e, content)
	}
	if rss := f.program.PeakRSS(); rss >= 40<<20 {
		t.Errorf("%d MiB are resident", rss>>20)
	}
}
