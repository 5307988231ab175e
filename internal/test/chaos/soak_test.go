package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// windows is how many parts a soak has. The first is the warm-up: the heap, the
// connections and their buffers grow to what the work takes.
const windows = 10

// TestSoak has one process of the built function deliver small and large files
// for a long time, and compares the memory at the end with that at the beginning.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("TestSoak runs in make soak")
	}
	w := newWorld(t)
	function := platform.NewLambda(functions.Path(t, "lambda-objects"), devstack.With(w.vars, "WECHAT_APP_ID", appID(0), "AWS_LAMBDA_MAX_CONCURRENCY", "4"))
	defer function.Close()
	invoke := remote(function)
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("%d.bin", i))
		put(t, w, keys[i], int64(i)*1000)
	}
	if err := w.s3.Synthesize(bucket, "big.bin", 64<<20, 1); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), *soak)
	defer cancel()
	var invocations atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				event := plainEvent(keys...)
				if invocations.Add(1)%20 == 0 {
					event = plainEvent("big.bin")
				}
				within, stop := context.WithTimeout(t.Context(), time.Minute)
				if _, err := invoke(within, event); err != nil {
					t.Error(err)
				}
				stop()
			}
		})
	}
	samples := sample(ctx, t, function, *soak/windows/20)
	wg.Wait()
	table, first, last := summary(samples, *soak)
	text := fmt.Sprintf("%d invocations in %v; resident memory in the second window %.1f MiB, in the last %.1f MiB\n\n%s",
		invocations.Load(), *soak, mib(first), mib(last), table)
	t.Log("\n" + text)
	if last > first+first/10+4<<20 {
		t.Errorf("resident memory grew from %.1f to %.1f MiB", mib(first), mib(last))
	}
	if *docFile != "" && !t.Failed() {
		if err := write(*docFile, "soak", "```text\n"+text+"```\n"); err != nil {
			t.Error(err)
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// sample reads the resident memory of the process at every tick until ctx ends.
func sample(ctx context.Context, t *testing.T, function *platform.Lambda, every time.Duration) (all []int64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if n := platform.Memory(function.PID(), "VmRSS"); n > 0 {
				all = append(all, n)
			}
		case <-ctx.Done():
			if len(all) < 2*windows {
				t.Fatalf("only %d samples of the process's memory: is there no /proc?", len(all))
			}
			return all
		}
	}
}

// summary is a table of the windows, and the medians of the second and the last.
func summary(samples []int64, took time.Duration) (table string, first, last int64) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "until\tleast MiB\tmedian MiB\tmost MiB\t")
	for i := range windows {
		part := slices.Sorted(slices.Values(samples[i*len(samples)/windows : (i+1)*len(samples)/windows]))
		median := part[len(part)/2]
		if i == 1 {
			first = median
		}
		last = median
		fmt.Fprintf(w, "%v\t%.1f\t%.1f\t%.1f\t\n", took*time.Duration(i+1)/windows, mib(part[0]), mib(median), mib(part[len(part)-1]))
	}
	w.Flush()
	return b.String(), first, last
}
