package local

import (
	"context"
	"os"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

const limit = 15 * time.Minute // of one invocation, as on Lambda

// A stack is the emulated world and the real function in it.
type stack struct {
	*devstack.World
	lambda *platform.Lambda
	dir    string // of the binaries
}

// newStack builds the function and starts everything but its process. The
// staging bucket listens at addr.
func newStack(ctx context.Context, addr string) (*stack, error) {
	world, err := devstack.Start(addr)
	if err != nil {
		return nil, err
	}
	s := &stack{World: world}
	if s.dir, err = os.MkdirTemp("", "tcbferry-"); err != nil {
		s.close()
		return nil, err
	}
	binary, err := devstack.Build(ctx, s.dir, "lambda-objects")
	if err != nil {
		s.close()
		return nil, err
	}
	s.lambda = platform.NewLambda(binary, devstack.With(s.Vars(), "MULTIPART_THRESHOLD", "64MiB", "RECEIPTS", "db:"+devstack.Collection))
	return s, nil
}

func (w *stack) close() {
	if w.lambda != nil {
		w.lambda.Close()
	}
	w.World.Close()
	os.RemoveAll(w.dir)
}
