// Package lambdahost runs a handler on AWS Lambda: events as bytes, or the four
// kinds of HTTP front as net/http requests.
package lambdahost

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

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

// startPercent is GOGC while a function starts. The heap of the start is its largest:
// that it grows by half between two collections, not to twice its size, takes half a MiB
// from the peak memory (docs/benchmarks.md).
const startPercent = 50

// Run starts a function, serves its invocations and never returns. A start that fails
// ends the process with one clear message. The garbage of the start is collected before
// the first invocation, while Lambda lends a whole CPU: in a fourteenth of one that is
// worth 20 ms of the first file (docs/benchmarks.md).
func Run(start func() (Handler, error)) {
	percent := debug.SetGCPercent(startPercent)
	h, err := start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
		os.Exit(1)
	}
	runtime.GC()
	debug.SetGCPercent(percent)
	lambda.Start(h)
}
