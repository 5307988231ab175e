package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Event invokes the function with one event file, after it has put a small
// file under every key that the event names, and prints the answer. A COS event
// goes to scf-objects, as it does on Tencent SCF.
func Event(ctx context.Context, out io.Writer, file string) error {
	payload, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	w, err := newStack(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer w.close()
	invoke := func() (platform.Result, error) { return w.lambda.Invoke(ctx, payload, limit) }
	envelope, derr := event.Decode(payload, event.HostLambda)
	if derr != nil {
		if cos, err := event.Decode(payload, event.HostSCF); err == nil {
			envelope, invoke = cos, func() (platform.Result, error) { return w.invokeSCF(ctx, payload) }
		}
	}
	if envelope != nil {
		if err := w.provide(ctx, envelope.Items); err != nil {
			return err
		}
	}
	result, err := invoke()
	if err != nil {
		return err
	}
	if result.FunctionError {
		fmt.Fprintf(out, "%s:\n%s\n", result.ErrorType, pretty([]byte(result.ErrorMessage)))
		return errors.New("the invocation failed")
	}
	fmt.Fprintln(out, pretty(result.Payload))
	return nil
}

// provide puts a small file under every key that the function delivers.
func (w *stack) provide(ctx context.Context, items []transfer.Item) error {
	for _, item := range items {
		if item.Err != nil || item.Reason != "" {
			continue
		}
		if err := w.Provide(ctx, item.Ref.Bucket); err != nil {
			return err
		}
		if err := w.Staging.Put(item.Ref.Bucket, item.Ref.Key, "text/plain", []byte("a sample of tcbferry\n")); err != nil {
			return err
		}
	}
	return nil
}

// invokeSCF runs the event on the Tencent function.
func (w *stack) invokeSCF(ctx context.Context, payload []byte) (platform.Result, error) {
	binary, err := devstack.Build(ctx, w.dir, "scf-objects")
	if err != nil {
		return platform.Result{}, err
	}
	scf := platform.NewSCF(binary, nil)
	defer scf.Close()
	return scf.Invoke(ctx, payload, limit, w.Vars())
}
