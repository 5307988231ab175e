package platform

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A sandbox is one process and the Runtime API that is its own.
type sandbox struct {
	program *Program
	proc    *process
	server  *http.Server
	served  chan struct{} // closed when the server has ended
	limit   time.Duration // of init
	alarm   *time.Timer

	work      chan *invocation // unbuffered: a poll receives each
	ready     chan struct{}    // closed by the first poll
	initError chan struct{}    // closed by POST init/error

	mu       sync.Mutex
	began    time.Time
	took     time.Duration // of init, once ready
	late     bool          // init took too long
	initDoc  []byte        // what POST init/error brought
	inFlight map[string]*invocation
}

// An invocation is one event on its way through the process.
type invocation struct {
	id      string
	payload []byte
	timeout time.Duration
	answer  chan Result // buffered: the process's answer, without Took
}

func newInvocation(payload []byte, timeout time.Duration) *invocation {
	id := strings.ToLower(rand.Text())
	id = fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:26])
	return &invocation{id: id, payload: payload, timeout: timeout, answer: make(chan Result, 1)}
}

func newSandbox(p *Program, limit time.Duration) (*sandbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the Runtime API cannot listen: %w", err)
	}
	s := &sandbox{
		program: p, limit: limit, began: time.Now(),
		served: make(chan struct{}), work: make(chan *invocation),
		ready: make(chan struct{}), initError: make(chan struct{}),
		inFlight: make(map[string]*invocation),
	}
	s.server = &http.Server{Handler: s.routes()}
	if s.proc, err = p.start(lambdaEnv(listener.Addr().String())); err != nil {
		listener.Close()
		return nil, err
	}
	s.alarm = time.AfterFunc(limit, s.tooLate)
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // it ends when the process does
	}()
	go func() {
		<-s.proc.exited
		_ = s.server.Close()
	}()
	return s, nil
}

// lambdaEnv is what Lambda sets for provided.al2023.
func lambdaEnv(api string) map[string]string {
	return map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_LAMBDA_FUNCTION_NAME":        "function",
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/function",
		"AWS_LAMBDA_LOG_STREAM_NAME":      "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
		"AWS_EXECUTION_ENV":               "AWS_Lambda_provided.al2023",
		"AWS_REGION":                      "us-east-1",
		"AWS_DEFAULT_REGION":              "us-east-1",
		"LAMBDA_TASK_ROOT":                "/var/task",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"_HANDLER":                        "bootstrap",
		"TZ":                              ":UTC",
	}
}

func (s *sandbox) tooLate() {
	s.mu.Lock()
	s.late = s.took == 0
	late := s.late
	s.mu.Unlock()
	if late {
		s.proc.kill()
	}
}

// failed says that the process reported an error at start and waits to be replaced.
func (s *sandbox) failed() bool {
	select {
	case <-s.initError:
		return true
	default:
		return false
	}
}

func (s *sandbox) initTook() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

func (s *sandbox) close() {
	s.alarm.Stop()
	s.proc.kill()
	_ = s.server.Close()
	<-s.served
}

// await waits for the end of init. A failure is the Result of the invocation
// that waited for it.
func (s *sandbox) await(ctx context.Context, id string) (failure *Result, err error) {
	select {
	case <-s.ready:
		return nil, nil
	default:
	}
	var r Result
	select {
	case <-s.ready:
		return nil, nil
	case <-s.initError:
		s.proc.kill()
		r = functionError(s.initDoc)
	case <-s.proc.exited:
		switch {
		case s.failed():
			r = functionError(s.initDoc)
		case s.isLate():
			r = timeoutError(id, s.limit)
		default:
			r = s.exitError(id)
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("the process did not ask for its first event: %w", ctx.Err())
	}
	r.ErrorMessage = s.program.withOutput("the function failed at start: " + r.ErrorMessage)
	return &r, nil
}

func (s *sandbox) isLate() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

// finish waits for the answer to an invocation that the process has taken.
func (s *sandbox) finish(ctx context.Context, inv *invocation) (r Result, err error) {
	began := time.Now()
	timer := time.NewTimer(inv.timeout + s.program.Grace)
	defer timer.Stop()
	defer func() { r.Took = time.Since(began) }()
	defer s.proc.sample()
	select {
	case r = <-inv.answer:
		return r, nil
	case <-timer.C:
		s.proc.kill()
		r = timeoutError(inv.id, inv.timeout)
	case <-s.proc.exited:
		select {
		case r = <-inv.answer: // it answered and then exited
			return r, nil
		default:
			r = s.exitError(inv.id)
		}
	case <-ctx.Done():
		s.proc.kill()
		return Result{}, fmt.Errorf("the invocation was abandoned: %w", ctx.Err())
	}
	r.ErrorMessage = s.program.withOutput(r.ErrorMessage)
	return r, nil
}

func (s *sandbox) exitError(id string) Result {
	how := "Runtime exited without providing a reason"
	if state := s.proc.cmd.ProcessState; !state.Success() {
		how = "Runtime exited with error: " + state.String()
	}
	return platformError("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", id, how))
}

func timeoutError(id string, after time.Duration) Result {
	return platformError("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, after.Seconds()))
}
