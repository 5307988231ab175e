// Package lambdahost runs a handler on AWS Lambda: events as bytes, or the four
// kinds of HTTP front as net/http requests.
package lambdahost

import (
	"context"
	"fmt"
	"os"
	"runtime"
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

// TuneRuntime fits the Go runtime to a function before anything is built. With less
// than one CPU two threads do not run at the same time: they take turns, and each
// turn costs CPU time (docs/benchmarks.md). The variable GOMAXPROCS overrules it.
func TuneRuntime() {
	mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err == nil && mb < wholeCPU && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// Abort ends a start that cannot succeed with one clear message.
func Abort(err error) {
	fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
	os.Exit(1)
}
