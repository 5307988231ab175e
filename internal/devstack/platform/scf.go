package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/rpc"
	"sync"
	"time"
)

// The messages of SCF's Go runtime: net/rpc with gob, which matches fields by
// name (github.com/tencentyun/scf-go-lib, cloudfunction/messages).
type (
	scfRequest struct {
		Payload                                              []byte
		RequestId, TraceId                                   string
		Deadline                                             scfTime
		InvokedFunctionUnique                                string
		Namespace, FunctionName, FunctionVersion             string
		MemoryLimitInMb, TimeLimitInMs                       int32
		Environment                                          string
		TencentcloudRegion, TencentcloudAppID, FunctionTrace string
	}
	scfTime     struct{ Seconds, Nanos int64 }
	scfResponse struct {
		Payload []byte
		Error   *scfError
	}
	scfError struct {
		Message, Type string
		ShouldExit    bool
	}
	scfPing struct{}
)

// An SCF runs a binary as Tencent SCF runs an event function of runtime Go1.
// One process handles one event at a time; others wait.
type SCF struct {
	*Program

	turn chan struct{} // holds a token while an invocation is under way

	mu     sync.Mutex
	proc   *process
	client *rpc.Client
	closed bool
}

// NewSCF prepares to run the binary at path. The first invocation starts it.
// env is what the process finds in its own environment, besides what SCF sets.
func NewSCF(path string, env map[string]string) *SCF {
	return &SCF{Program: newProgram(path, env), turn: make(chan struct{}, 1)}
}

// Invoke has the function handle one payload within timeout. environment is
// sent along with it, which is how a function in Go gets its variables and its
// role's credentials (TENCENTCLOUD_SECRETID and so on) on the platform. The
// error is not the function's: it says that the payload is too large, that ctx
// ended (the process is killed then) or that the binary cannot be run.
func (s *SCF) Invoke(ctx context.Context, payload []byte, timeout time.Duration, environment map[string]string) (Result, error) {
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("a payload of %d bytes is more than SCF takes (%d)", len(payload), MaxPayload)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("the process did not take the event: %w", ctx.Err())
	}
	proc, client, err := s.boot(ctx)
	if proc == nil {
		return Result{}, err
	}
	if err != nil {
		return Result{FunctionError: true, ErrorType: "InitError", ErrorMessage: s.withOutput("the function failed at start: " + err.Error())}, nil
	}
	request := newSCFRequest(payload, timeout, environment)
	return s.call(ctx, proc, client, request, timeout)
}

func (s *SCF) call(ctx context.Context, proc *process, client *rpc.Client, request scfRequest, timeout time.Duration) (r Result, err error) {
	began := time.Now()
	timer := time.NewTimer(timeout + s.Grace)
	defer timer.Stop()
	defer func() { r.Took = time.Since(began) }()
	defer proc.sample()
	var response scfResponse
	call := client.Go("Function.Invoke", request, &response, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-timer.C:
		proc.kill()
		message := fmt.Sprintf("Invoking task timed out after %g seconds", timeout.Seconds())
		return Result{FunctionError: true, ErrorType: "InvokeTimeout", ErrorMessage: s.withOutput(message)}, nil
	case <-ctx.Done():
		proc.kill()
		return Result{}, fmt.Errorf("the invocation was abandoned: %w", ctx.Err())
	}
	var refused rpc.ServerError
	switch {
	case errors.As(call.Error, &refused):
		return Result{FunctionError: true, ErrorType: "ServerError", ErrorMessage: refused.Error()}, nil
	case call.Error != nil:
		proc.kill() // the connection is lost: it is ending, or of no more use
		message := "Process exited unexpectedly before completing request (" + proc.ending() + ")"
		return Result{FunctionError: true, ErrorType: "ProcessExited", ErrorMessage: s.withOutput(message)}, nil
	case response.Error != nil:
		if response.Error.ShouldExit { // the handler panicked
			proc.kill()
		}
		return Result{FunctionError: true, ErrorType: response.Error.Type, ErrorMessage: response.Error.Message}, nil
	}
	return Result{Payload: response.Payload}, nil
}

func newSCFRequest(payload []byte, timeout time.Duration, environment map[string]string) scfRequest {
	vars := map[string]string{
		"SCF_NAMESPACE": "default", "SCF_FUNCTIONNAME": "function", "SCF_FUNCTIONVERSION": "$LATEST",
		"TENCENTCLOUD_RUNENV": "SCF", "TENCENTCLOUD_REGION": "ap-shanghai", "TENCENTCLOUD_APPID": "1250000000",
	}
	maps.Copy(vars, environment)
	doc, _ := json.Marshal(vars) // strings always marshal
	deadline := time.Now().Add(timeout)
	return scfRequest{
		Payload: payload, RequestId: newInvocation(nil, 0).id, Environment: string(doc),
		Deadline:        scfTime{deadline.Unix(), int64(deadline.Nanosecond())},
		MemoryLimitInMb: 256, TimeLimitInMs: int32(timeout.Milliseconds()),
		Namespace: "default", FunctionName: "function", FunctionVersion: "$LATEST",
		TencentcloudRegion: "ap-shanghai", TencentcloudAppID: "1250000000",
	}
}

// boot returns the process that runs, or a new one that answers a ping. An
// error without a process is the platform's, one with a process is the function's.
func (s *SCF) boot(ctx context.Context) (*process, *rpc.Client, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, nil, ErrClosed
	}
	if s.proc != nil && s.client != nil && !s.proc.gone() {
		defer s.mu.Unlock()
		return s.proc, s.client, nil
	}
	s.drop()
	proc, port, err := s.serve("_LAMBDA_SERVER_PORT", map[string]string{"TENCENTCLOUD_RUNENV": "SCF", "TZ": ":UTC"})
	s.proc = proc
	s.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	client, err := connect(ctx, proc, net.JoinHostPort("127.0.0.1", port), scfInitTime+s.Grace)
	if err != nil {
		proc.kill()
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return proc, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = client
	return proc, client, nil
}

// connect waits until the process listens and answers a ping.
func connect(ctx context.Context, proc *process, addr string, limit time.Duration) (*rpc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := proc.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	client := rpc.NewClient(conn)
	ping := client.Go("Function.Ping", scfPing{}, &scfPing{}, make(chan *rpc.Call, 1))
	select {
	case <-ping.Done:
		err = ping.Error
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("the process does not answer a ping: %w", err)
	}
	return client, nil
}

// drop ends the process and the connection, if any. The caller holds mu.
func (s *SCF) drop() {
	if s.proc != nil {
		s.proc.kill()
	}
	if s.client != nil {
		s.client.Close()
	}
	s.proc, s.client = nil, nil
}

// Close kills the process and waits until it is gone. An invocation under way
// fails.
func (s *SCF) Close() {
	s.mu.Lock()
	s.closed = true
	if s.proc != nil {
		s.proc.kill()
	}
	s.mu.Unlock()
	s.turn <- struct{}{} // the invocation under way has ended
	s.mu.Lock()
	s.drop()
	s.mu.Unlock()
	s.log.close()
	<-s.turn
}
