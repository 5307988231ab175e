package blackbox_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// collection is a line of GODEBUG=gctrace=1: the heap before and after, in MiB.
var collection = regexp.MustCompile(`(?m)^gc \d+ .* (\d+)->(\d+)->\d+ MB`)

// The memory of the real process does not depend on the size of the file.
func TestMemory(t *testing.T) {
	t.Parallel()
	const size = 256 << 20 // sixteen times the bound of the heap
	w := kit.NewWorld(t)
	w.Cloud.CRC64Only = true
	content := staging.Synthetic{Size: size, Seed: 1}
	if err := w.Staging.Synthesize(devstack.Bucket, good, content.Size, content.Seed); err != nil {
		t.Fatal(err)
	}
	f := lambda(t, w, "GODEBUG", "gctrace=1", "GOGC", "50") // so that there are collections to look at
	r := f.invoke(s3Event(good), limit)
	e := kit.Entries(t, r)[0]
	if e.Status != "delivered" || e.Size != size || e.Attempts != 1 {
		t.Fatalf("the file is %+v", e)
	}
	peak, found := 0, collection.FindAllStringSubmatch(f.program.Output(), -1)
	for _, m := range found {
		for _, mib := range m[1:] {
			n, _ := strconv.Atoi(mib)
			peak = max(peak, n)
		}
	}
	rss := f.program.PeakRSS()
	t.Logf("%d MiB in %v: heap %d MiB in %d collections, resident %d MiB", size>>20, r.Took, peak, len(found), rss>>20)
	if len(found) == 0 || peak >= 16 {
		t.Errorf("the heap reached %d MiB in %d collections", peak, len(found))
	}
	if rss == 0 || rss >= 40<<20 {
		t.Errorf("%d MiB are resident", rss>>20)
	}
}
