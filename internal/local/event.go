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

// Event invokes the function that an event file belongs to, after it has put a small
// file under every key that the event names, and prints the answer and, unless quiet, the
// function's log lines. HTTP events go to lambda-http or scf-http, COS events to
// scf-objects, the rest to lambda-objects.
func Event(ctx context.Context, out, log io.Writer, set Settings, file string, quiet bool) error {
	payload, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-event: %w", err)
	}
	w, err := newStack(newScreen(log), set, "127.0.0.1:0", devstack.Options{})
	if err != nil {
		return err
	}
	defer w.close()
	for _, note := range w.notes {
		w.screen.say("%s", note)
	}
	result, program, err := w.event(ctx, payload)
	if program != nil && !quiet {
		w.screen.say("%s", w.screen.faint(shownLines(program.Output())))
	}
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

// event runs one event on the function that it belongs to. It returns the answer, and the
// program if one ran.
func (w *stack) event(ctx context.Context, payload []byte) (platform.Result, *platform.Program, error) {
	if request, ok := parseHTTPEvent(payload); ok {
		return w.httpEvent(ctx, payload, request)
	}
	function := "lambda-objects"
	envelope, derr := event.Decode(payload, event.HostLambda)
	if derr != nil {
		if cos, err := event.Decode(payload, event.HostSCF); err == nil {
			envelope, function = cos, "scf-objects"
		}
	}
	if envelope != nil {
		if err := w.provide(envelope.Items); err != nil {
			return platform.Result{}, nil, err
		}
	}
	if err := w.build(ctx, function); err != nil {
		return platform.Result{}, nil, err
	}
	if function == "scf-objects" {
		if w.scf == nil {
			w.scf = platform.NewSCF(w.binary[function], nil)
		}
		result, err := w.scf.Invoke(ctx, payload, limit, w.vars)
		return result, w.scf.Program, err
	}
	if w.objects == nil {
		w.objects = w.objectsLambda()
	}
	result, err := w.objects.Invoke(ctx, payload, limit)
	return result, w.objects.Program, err
}

// provide puts a small file under every key that the function delivers.
func (w *stack) provide(items []transfer.Item) error {
	for _, item := range items {
		if item.Err != nil || item.Reason != "" {
			continue
		}
		w.Staging.AddBucket(item.Ref.Bucket)
		if err := w.Staging.Put(item.Ref.Bucket, item.Ref.Key, "text/plain", []byte("a sample of tcbferry\n")); err != nil {
			return err
		}
	}
	return nil
}
