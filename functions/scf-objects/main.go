// Command scf-objects delivers the files that COS events name. It runs on Tencent
// SCF as an event function.
package main

import (
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/host/scfhost"
)

func main() {
	app.TuneRuntime()
	scfhost.Abort(scfhost.Run(func(ctx context.Context) (scfhost.Handler, error) {
		return app.Events(ctx, app.SCF, os.Getenv, os.Stdout)
	}, "CLOUDBASE_ENV", "ROUTES"))
}
