// Command lambda-http delivers files that HTTP requests carry or name. It runs on
// AWS Lambda behind a function URL, an HTTP or REST API, or an ALB.
package main

import (
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
)

func main() {
	app.TuneRuntime()
	lambdahost.Run(func() (lambdahost.Handler, error) {
		handler, err := app.HTTP(context.Background(), app.Lambda, os.Getenv, os.Stdout)
		return lambdahost.HTTP(handler), err
	})
}
