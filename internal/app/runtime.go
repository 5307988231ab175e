package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

const (
	// wholeCPU is the memory, in MB, with which a function on Lambda has one CPU
	// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
	wholeCPU = 1769

	// memoryLimit is where the garbage collector turns eager. The smallest function
	// has 128 MB, and a long event that nobody wrote by hand must not end it.
	memoryLimit = 96 << 20
)

// TuneRuntime fits the Go runtime to a function before anything is built. With less
// than one CPU two threads do not run at the same time: they take turns, and each
// turn costs CPU time (docs/benchmarks.md). The variables GOMAXPROCS and GOMEMLIMIT
// overrule it.
func TuneRuntime() {
	mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err == nil && mb < wholeCPU && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
