package blackbox_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// Small files of one event travel many at once, each request 200 ms away, within 40 MiB
// of memory.
func TestManySmallFiles(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"10 kB": 10_000, "1 MiB": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			content := strings.Repeat("x", size)
			var keys []string
			for i := range 100 {
				keys = append(keys, fmt.Sprint("in/", i))
				kit.Put(t, w, keys[i], content)
			}
			var now, most atomic.Int64
			w.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(200 * time.Millisecond)
				now.Add(-1)
				return nil
			})
			f := lambda(t, w)
			start := time.Now()
			for _, e := range f.deliver(s3Event(keys...)) {
				kit.Delivered(t, w.Cloud, devstack.Env, e, content)
			}
			rss := f.program.PeakRSS()
			t.Logf("100 files in %v, %d requests at once, resident %d MiB", time.Since(start), most.Load(), rss>>20)
			if most.Load() <= 8 || most.Load() > 32 || rss >= 40<<20 {
				t.Errorf("%d requests at once, %d MiB are resident", most.Load(), rss>>20)
			}
		})
	}
}
