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
	lambdahost.Run(func() (lambdahost.Handler, error) {
		return app.Events(context.Background(), app.Lambda, os.Getenv, os.Stdout)
	})
}
