// Package lambdahost runs a handler on AWS Lambda: events as bytes, or the four
// kinds of HTTP front as net/http requests.
package lambdahost

import (
	"context"
	"fmt"
	"os"
	"runtime"

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

// Run serves invocations and never returns. The garbage of the start is collected
// before the first one, while Lambda lends a whole CPU: in a fourteenth of one that is
// worth 20 ms of the first file (docs/benchmarks.md).
func Run(h Handler) {
	runtime.GC()
	lambda.Start(h)
}

// Abort ends a start that cannot succeed with one clear message.
func Abort(err error) {
	fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
	os.Exit(1)
}
