// Command scf-http delivers files that HTTP requests carry or name. It runs on
// Tencent SCF as a web function, and anywhere else as a plain HTTP server.
package main

import (
	"cmp"
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/host/webhost"
)

func main() {
	app.TuneRuntime()
	handler, err := app.HTTP(context.Background(), app.SCF, os.Getenv, os.Stdout)
	if err == nil {
		err = webhost.Serve(handler, "0.0.0.0:"+cmp.Or(os.Getenv("PORT"), "9000"))
	}
	if err != nil {
		webhost.Abort(err)
	}
}
