// Package scfhost runs an event handler on Tencent SCF, whose Go1 runtime speaks
// net/rpc.
//
// The platform authenticates no call. The loop of scf-go-lib lets every caller set
// any variable of the environment, and listens on a random port where none is given.
// So the receiving loop is our own: a call brings credentials, and it brings settings
// only while there are none.
package scfhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction/messages"

	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// A Handler answers one payload. Its error's Go type name becomes the error
// type that SCF reports.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// portVariable names the port that the platform calls (scf-go-lib,
// cloudfunction/entry.go).
const portVariable = "_LAMBDA_SERVER_PORT"

// Run serves invocations, one at a time as SCF sends them. It returns only if it
// cannot listen.
//
// settings name the variables of which a usable environment has at least one. If
// the process has one, build gets the environment of the process, and calls bring
// nothing but credentials. Otherwise the platform sends the environment with the
// first invocation. What that brings is set, except variables that the process has.
// The handler is built with the first invocation. While it cannot be built, each
// invocation fails with the reason, and what it brought is forgotten.
func Run(build func(context.Context) (Handler, error), settings ...string) error {
	port := os.Getenv(portVariable)
	if port == "" {
		return errors.New(portVariable + " is not set; this program is started by Tencent SCF's Go1 runtime")
	}
	l, err := net.Listen("tcp", net.JoinHostPort("0.0.0.0", port))
	if err != nil {
		return err
	}
	f := &Function{build: build}
	for _, name := range settings {
		f.complete = f.complete || os.Getenv(name) != ""
	}
	server := rpc.NewServer()
	if err := server.Register(f); err != nil {
		return err
	}
	server.Accept(l)
	return errors.New("the port was closed")
}

// Function is the service that the platform calls, by this name.
type Function struct {
	build    func(context.Context) (Handler, error)
	mu       sync.Mutex
	complete bool // the process has its settings: calls bring only credentials
	handler  Handler
}

// Ping says that the process serves.
func (f *Function) Ping(*messages.PingRequest, *messages.PingResponse) error { return nil }

// Invoke answers one invocation. Its failure is part of the response; the error
// that it returns is always nil.
func (f *Function) Invoke(req *messages.InvokeRequest, resp *messages.InvokeResponse) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			// Of the value only the type is told, because the rest might hold a secret.
			fmt.Fprintf(os.Stderr, "panic: %T\n%s", v, debug.Stack())
			resp.Error = &messages.InvokeResponse_Error{Type: "Panic", Message: fmt.Sprintf("the function failed by a bug of its own (%T); please report it", v), ShouldExit: true}
		}
	}()
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(req.Deadline.Seconds, req.Deadline.Nanos))
	defer cancel()
	ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: req.RequestId, Trace: req.FunctionTrace})
	payload, err := f.invoke(ctx, req)
	if err != nil {
		resp.Error = &messages.InvokeResponse_Error{Type: typeName(err), Message: err.Error()}
		return nil
	}
	resp.Payload = payload
	return nil
}

func (f *Function) invoke(ctx context.Context, req *messages.InvokeRequest) ([]byte, error) {
	forget, err := f.setEnvironment(req.Environment)
	if err != nil {
		return nil, err
	}
	if f.handler == nil {
		h, err := f.build(ctx)
		if err != nil {
			forget()
			return nil, err
		}
		f.handler, f.complete = h, true
	}
	return f.handler(ctx, req.Payload)
}

// credentials is how the names of the variables begin that the platform renews
// with every invocation.
const credentials = "TENCENTCLOUD_"

// setEnvironment takes over what an invocation may bring. forget takes the
// settings among it back.
func (f *Function) setEnvironment(text string) (forget func(), err error) {
	var vars map[string]string
	if text != "" && json.Unmarshal([]byte(text), &vars) != nil {
		return nil, errors.New("the environment of the invocation is no JSON object of texts")
	}
	var added []string
	for name, value := range vars {
		if strings.HasPrefix(name, credentials) {
			os.Setenv(name, value)
		} else if _, set := os.LookupEnv(name); !set && !f.complete {
			os.Setenv(name, value)
			added = append(added, name)
		}
	}
	return func() {
		for _, name := range added {
			os.Unsetenv(name)
		}
	}, nil
}

// typeName is what SCF shows as the error type.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// Abort ends a start that cannot succeed with one clear message.
func Abort(err error) {
	fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
	os.Exit(1)
}
