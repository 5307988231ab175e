// Package lambdahost runs a handler on AWS Lambda: events as bytes, or the four
// kinds of HTTP front as net/http requests.
package lambdahost

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// A Handler answers one payload. Its error's Go type name becomes Lambda's
// errorType, its text the errorMessage.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke implements lambda.Handler.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ids := telemetry.IDs{}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		ids.Request = lc.AwsRequestID
	}
	ids.Trace, _ = ctx.Value("x-amzn-trace-id").(string)
	return h(telemetry.WithIDs(ctx, ids), payload)
}

// Run serves invocations and never returns.
func Run(h Handler) { lambda.Start(h) }

// wholeCPU is the memory, in MB, with which a function has one CPU
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
const wholeCPU = 1769

// TuneRuntime fits the Go runtime to a function, before anything is built; GOMAXPROCS
// and GOGC overrule it. With a part of a CPU a second thread only waits for the
// first. There is so little in memory that more garbage may lie there than Go allows by
// itself: half as much again, or twice as much where there is a CPU to make it and
// more than a GB to put it (docs/benchmarks.md).
func TuneRuntime() {
	mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	part := err == nil && mb < wholeCPU
	if part && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	if part {
		debug.SetGCPercent(150)
	} else {
		debug.SetGCPercent(200)
	}
}

// Abort ends a start that cannot succeed with one clear message.
func Abort(err error) {
	fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
	os.Exit(1)
}
