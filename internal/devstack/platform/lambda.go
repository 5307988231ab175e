package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MaxPayload is the largest request and answer of a synchronous invocation on
// Lambda and on SCF: 6 MB.
const MaxPayload = 6 << 20

// A Lambda runs a binary as the runtime provided.al2023 does. One process
// serves all invocations until it exits or one of them times out; with
// AWS_LAMBDA_MAX_CONCURRENCY in its environment it may serve several at once.
// What the process does not poll for waits its turn.
type Lambda struct {
	*Program

	// InitTimeout is how long the process may take until it asks for its
	// first event: 10 s, as on the platform. Set it before the first use.
	InitTimeout time.Duration

	mu     sync.Mutex
	box    *sandbox
	closed bool
}

// NewLambda prepares to run the binary at path. The first invocation, or
// Init, starts it. env is added to, and wins over, what Lambda sets. A terminal's
// interrupt does not reach the process: who interrupts may wait for its answers.
func NewLambda(path string, env map[string]string) *Lambda {
	l := &Lambda{Program: newProgram(path, env), InitTimeout: initTime}
	l.own = true // it ends by itself when its Runtime API is gone, whatever ends this process
	return l
}

// Init starts the process, if none runs, and returns how long it took from the
// start to the process's asking for its first event. The error says why it
// never asked.
func (l *Lambda) Init(ctx context.Context) (time.Duration, error) {
	box, err := l.sandbox()
	if err != nil {
		return 0, err
	}
	failure, err := box.await(ctx, "init")
	if err == nil && failure != nil {
		err = errors.New(failure.ErrorMessage)
	}
	return box.initTook(), err
}

// Invoke has the function handle one payload within timeout. The error is not
// the function's: it says that the payload is too large, that ctx ended (the
// process is killed then) or that the binary cannot be run.
func (l *Lambda) Invoke(ctx context.Context, payload []byte, timeout time.Duration) (Result, error) {
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("a payload of %d bytes is more than Lambda takes (%d)", len(payload), MaxPayload)
	}
	// A process may have died since, or may die of the invocation before. Then the
	// next process is asked. Three deaths in a row are the function's own doing.
	for try := 1; ; try++ {
		box, err := l.sandbox()
		if err != nil {
			return Result{}, err
		}
		inv := newInvocation(payload, timeout)
		if failure, err := box.await(ctx, inv.id); err != nil {
			return Result{}, err
		} else if failure != nil {
			return *failure, nil
		}
		select {
		case box.work <- inv:
			return box.finish(ctx, inv)
		case <-box.proc.exited:
			if try == 3 {
				r := box.exitError(inv.id)
				r.ErrorMessage = l.withOutput(r.ErrorMessage)
				return r, nil
			}
		case <-ctx.Done():
			return Result{}, fmt.Errorf("the process did not take the event: %w", ctx.Err())
		}
	}
}

// Close kills the process and waits until it is gone. Invocations under way
// fail.
func (l *Lambda) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.box != nil {
		l.box.close()
	}
	l.log.close()
}

// sandbox returns the running one, or a new one.
func (l *Lambda) sandbox() (*sandbox, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.box != nil && !l.box.proc.gone() && !l.box.failed() {
		return l.box, nil
	}
	if l.box != nil {
		l.box.close()
	}
	box, err := newSandbox(l.Program, l.InitTimeout+l.Grace)
	l.box = box
	return box, err
}

// errorDocument is how Lambda writes an error for the caller.
type errorDocument struct {
	ErrorType    string `json:"errorType"`
	ErrorMessage string `json:"errorMessage"`
}

// functionError is a Result for an error document of the function's own.
func functionError(document []byte) Result {
	var doc errorDocument
	_ = json.Unmarshal(document, &doc) // Lambda passes anything on
	return Result{Payload: document, FunctionError: true, ErrorType: doc.ErrorType, ErrorMessage: doc.ErrorMessage}
}

// platformError is a Result for an error that Lambda found.
func platformError(kind, message string) Result {
	document, _ := json.Marshal(errorDocument{kind, message}) // strings always marshal
	return functionError(document)
}
