package app_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/tcbferry/tcbferry/internal/app"
)

// Not parallel: what is set is the whole process's.
func TestTuneRuntime(t *testing.T) {
	procs := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(procs)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, tc := range []struct {
		memory, gomaxprocs string
		want               int
	}{{"128", "", 1}, {"1768", "", 1}, {"1769", "", 2}, {"", "", 2}, {"128", "2", 2}} {
		runtime.GOMAXPROCS(2)
		t.Setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", tc.memory)
		t.Setenv("GOMAXPROCS", tc.gomaxprocs)
		app.TuneRuntime()
		if got := runtime.GOMAXPROCS(0); got != tc.want {
			t.Errorf("%+v: GOMAXPROCS %d", tc, got)
		}
	}
}
