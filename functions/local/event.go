package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/tcbferry/tcbferry/internal/devstack/host"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// runEvent invokes the function with one event file, after it has put a small
// file under every key that the event names, and prints the answer. A COS event
// goes to scf-objects, as it does on Tencent SCF.
func runEvent(ctx context.Context, out io.Writer, file string) error {
	payload, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer w.close()
	invoke := func() (host.Result, error) { return w.lambda.Invoke(ctx, payload, limit) }
	envelope, derr := event.Decode(payload, event.Lambda)
	if derr != nil {
		if cos, err := event.Decode(payload, event.SCF); err == nil {
			envelope, invoke = cos, func() (host.Result, error) { return w.invokeSCF(ctx, payload) }
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

// provide puts a small file under every key that is to be ferried.
func (w *world) provide(ctx context.Context, items []transfer.Item) error {
	for _, item := range items {
		if item.Err != nil || item.Reason != "" {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, w.s3URL+"/"+item.Ref.Bucket, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req) // a bucket that is there already is as good as a new one
		if err != nil {
			return err
		}
		resp.Body.Close()
		if err := w.staging.Put(item.Ref.Bucket, item.Ref.Key, "text/plain", []byte("a sample of tcbferry\n")); err != nil {
			return err
		}
	}
	return nil
}

// invokeSCF runs the event on the Tencent function.
func (w *world) invokeSCF(ctx context.Context, payload []byte) (host.Result, error) {
	binary, err := w.build(ctx, "scf-objects")
	if err != nil {
		return host.Result{}, err
	}
	scf := host.NewSCF(binary, nil)
	defer scf.Close()
	return scf.Invoke(ctx, payload, limit, with(w.vars, map[string]string{
		"TENCENTCLOUD_SECRETID": "local", "TENCENTCLOUD_SECRETKEY": "local",
	}))
}
