// Command scf-objects ferries the files that COS events name. It runs on Tencent
// SCF as an event function.
package main

import (
	"context"
	"os"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/host/scfhost"
)

func main() {
	scfhost.Run(func(ctx context.Context) (scfhost.Handler, error) {
		return app.Events(ctx, app.SCF, os.Getenv, os.Stdout)
	})
}
