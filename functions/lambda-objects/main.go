// Command lambda-objects delivers the files that object-created events name. It
// runs on AWS Lambda.
package main

import (
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
)

func main() {
	app.TuneRuntime()
	handler, err := app.Events(context.Background(), app.Lambda, os.Getenv, os.Stdout)
	if err != nil {
		lambdahost.Abort(err)
	}
	lambdahost.Run(handler)
}
