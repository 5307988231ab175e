// Command lambda-check compares a source with what CloudBase's storage has, piece by piece.
// It runs on AWS Lambda, in a state machine.
package main

import (
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/check/scheduled"
	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
)

func main() {
	app.TuneRuntime()
	lambdahost.Run(func() (lambdahost.Handler, error) {
		return scheduled.Function(context.Background(), os.Getenv, os.Stdout)
	})
}
