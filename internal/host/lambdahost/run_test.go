package lambdahost_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
)

// Not parallel: what is set is the whole process's.
func TestPrepare(t *testing.T) {
	procs, percent := runtime.GOMAXPROCS(2), debug.SetGCPercent(100)
	defer runtime.GOMAXPROCS(procs)
	defer debug.SetGCPercent(percent)
	for _, tc := range []struct {
		memory, gomaxprocs, gogc string
		procs, percent           int
	}{
		{"128", "", "", 1, 150},
		{"1768", "", "", 1, 150},
		{"1769", "", "", 2, 200},
		{"", "", "", 2, 200},
		{"128", "2", "100", 2, 100},
	} {
		runtime.GOMAXPROCS(2)
		debug.SetGCPercent(100)
		t.Setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", tc.memory)
		t.Setenv("GOMAXPROCS", tc.gomaxprocs)
		t.Setenv("GOGC", tc.gogc)
		lambdahost.TuneRuntime()
		if p, g := runtime.GOMAXPROCS(0), debug.SetGCPercent(100); p != tc.procs || g != tc.percent {
			t.Errorf("%+v: GOMAXPROCS %d, GOGC %d", tc, p, g)
		}
	}
}
