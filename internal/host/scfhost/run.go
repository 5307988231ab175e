// Package scfhost runs an event handler on Tencent SCF, over the Go1 runtime's
// net/rpc.
package scfhost

import (
	"context"
	"sync"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"

	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// A Handler answers one payload. Its error's Go type name becomes the error
// type that SCF reports.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Run serves invocations, one at a time as SCF sends them, and never returns.
// The handler is built with the first invocation, because the environment may
// arrive only then; while it cannot be built, each invocation fails with the
// reason.
func Run(build func(context.Context) (Handler, error)) {
	cloudfunction.StartHandler(&runner{build: build})
}

type runner struct {
	build   func(context.Context) (Handler, error)
	mu      sync.Mutex
	handler Handler
}

// Invoke implements cloudfunction.Handler.
func (r *runner) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fc, ok := functioncontext.FromContext(ctx); ok {
		ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: fc.RequestID, Trace: fc.FunctionTrace})
	}
	if r.handler == nil {
		h, err := r.build(ctx)
		if err != nil {
			return nil, err
		}
		r.handler = h
	}
	return r.handler(ctx, payload)
}
