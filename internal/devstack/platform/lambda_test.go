package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

func newLambda(t *testing.T, env map[string]string) *platform.Lambda {
	t.Helper()
	l := platform.NewLambda(binary(t, fixtures.lambda), env)
	l.InitTimeout = long
	t.Cleanup(l.Close)
	return l
}

// invoke is Invoke on a platform that must not fail.
func invoke(t *testing.T, l *platform.Lambda, payload []byte, timeout time.Duration) platform.Result {
	t.Helper()
	r, err := l.Invoke(t.Context(), payload, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantEcho checks that the function works.
func wantEcho(t *testing.T, l *platform.Lambda) {
	t.Helper()
	if r := invoke(t, l, event("echo", "hi"), long); r.FunctionError || string(r.Payload) != `"hi"` {
		t.Errorf("echo: %s, error %q", r.Payload, r.ErrorMessage)
	}
}

func TestLambdaAnswers(t *testing.T) {
	t.Parallel()
	l := newLambda(t, nil)
	took, err := l.Init(t.Context())
	if err != nil || took <= 0 {
		t.Fatalf("init took %v, error %v", took, err)
	}
	wantEcho(t, l)
	first, second := invoke(t, l, event("pid", ""), long), invoke(t, l, event("pid", ""), long)
	if string(first.Payload) != string(second.Payload) {
		t.Errorf("two processes, %s and %s, for two good invocations", first.Payload, second.Payload)
	}
	if first.Took <= 0 {
		t.Errorf("took %v", first.Took)
	}
	if out := l.Output(); strings.Count(out, "doing pid\n") != 2 {
		t.Errorf("the output is %q", out)
	}
	l.Close()
	if alive(t, first.Payload) {
		t.Error("the process outlived Close")
	}
	if _, err := l.Invoke(t.Context(), nil, long); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestLambdaContext(t *testing.T) {
	t.Setenv("LEAKED", "from the test")
	t.Setenv("AWS_CA_BUNDLE", "/from/the/test")
	l := newLambda(t, map[string]string{"GIVEN": "yes", "AWS_LAMBDA_FUNCTION_NAME": "objects"})
	r := invoke(t, l, event("context", ""), long)
	var got struct {
		ID, Arn, Name string
		Left, Memory  int64
		Env           []string
	}
	if err := json.Unmarshal(r.Payload, &got); err != nil {
		t.Fatalf("%s: %v", r.Payload, err)
	}
	if len(got.ID) != 30 || !strings.HasPrefix(got.Arn, "arn:aws:lambda:") || got.Name != "objects" || got.Memory != 256 {
		t.Errorf("the context: %+v", got)
	}
	if got.Left <= 0 || got.Left > long.Milliseconds() {
		t.Errorf("%d ms to the deadline", got.Left)
	}
	if !slices.Contains(got.Env, "GIVEN=yes") || !slices.ContainsFunc(got.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		t.Errorf("the environment lacks what was given: %q", got.Env)
	}
	for _, v := range got.Env {
		if strings.HasPrefix(v, "LEAKED=") || strings.HasPrefix(v, "AWS_CA_BUNDLE=") {
			t.Errorf("the environment of the test came through: %s", v)
		}
	}
}

func TestLambdaFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		do, arg       string
		kind, message string
		output        bool // the message ends with the output
		dies          bool
	}{
		{do: "fail", arg: "no luck", kind: "errorString", message: "no luck"},
		{do: "panic", arg: "oh no", kind: "string", message: "oh no", dies: true},
		{do: "die", arg: "in a goroutine", kind: "Runtime.ExitError", message: "Runtime exited with error: exit status 2", output: true, dies: true},
		{do: "exit", kind: "Runtime.ExitError", message: "Runtime exited without providing a reason", output: true, dies: true},
		{do: "big", kind: "Function.ResponseSizeTooLarge", message: "exceeded maximum", dies: true},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			t.Parallel()
			l := newLambda(t, nil)
			before := invoke(t, l, event("pid", ""), long)
			r := invoke(t, l, event(tt.do, tt.arg), long)
			if !r.FunctionError || r.ErrorType != tt.kind || !strings.Contains(r.ErrorMessage, tt.message) {
				t.Errorf("got %t %s %q", r.FunctionError, r.ErrorType, r.ErrorMessage)
			}
			if strings.Contains(r.ErrorMessage, "doing "+tt.do) != tt.output {
				t.Errorf("output in the message: want %t in %q", tt.output, r.ErrorMessage)
			}
			var doc struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(r.Payload, &doc); err != nil || doc.ErrorType != tt.kind || !strings.Contains(doc.ErrorMessage, tt.message) {
				t.Errorf("the document is %s", r.Payload)
			}
			after := invoke(t, l, event("pid", ""), long)
			if dies := string(before.Payload) != string(after.Payload); dies != tt.dies || after.FunctionError {
				t.Errorf("before %s, after %s %q", before.Payload, after.Payload, after.ErrorMessage)
			}
		})
	}
}

func TestLambdaTimeout(t *testing.T) {
	t.Parallel()
	l := newLambda(t, nil)
	pid := invoke(t, l, event("pid", ""), long).Payload
	r := invoke(t, l, event("hang", ""), 150*time.Millisecond)
	if !r.FunctionError || r.ErrorType != "Sandbox.Timedout" || !strings.Contains(r.ErrorMessage, "Task timed out after 0.15 seconds") || !strings.Contains(r.ErrorMessage, "doing pid") {
		t.Errorf("got %s %q", r.ErrorType, r.ErrorMessage)
	}
	if r.Took < 150*time.Millisecond {
		t.Errorf("took %v", r.Took)
	}
	if alive(t, pid) {
		t.Error("the process outlived its timeout")
	}
	wantEcho(t, l)
}

func TestLambdaGivenUp(t *testing.T) {
	t.Parallel()
	l := newLambda(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.Invoke(ctx, event("hang", ""), long); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	wantEcho(t, l)
}

func TestLambdaInitFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ init, kind, message, output string }{
		{"exit", "Runtime.ExitError", "Runtime exited with error: exit status 3", "CLOUDBASE_ENV is not set"},
		{"post", "Config", "ROUTES is not JSON", ""},
		{"hang", "Sandbox.Timedout", "Task timed out after 0.20 seconds", ""},
	} {
		t.Run(tt.init, func(t *testing.T) {
			t.Parallel()
			l := newLambda(t, map[string]string{"INIT": tt.init})
			if tt.init == "hang" {
				l.InitTimeout = 200 * time.Millisecond
			}
			// The platform starts a new process for every invocation, and fails each.
			for range 2 {
				r := invoke(t, l, event("echo", ""), long)
				if !r.FunctionError || r.ErrorType != tt.kind || !strings.Contains(r.ErrorMessage, tt.message) || !strings.Contains(r.ErrorMessage, tt.output) {
					t.Errorf("got %t %s %q", r.FunctionError, r.ErrorType, r.ErrorMessage)
				}
			}
			if _, err := l.Init(t.Context()); err == nil || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("Init: %v", err)
			}
			if !strings.Contains(l.Output(), tt.output) {
				t.Errorf("the output is %q", l.Output())
			}
		})
	}
	l := platform.NewLambda("/nowhere/bootstrap", nil)
	defer l.Close()
	if _, err := l.Invoke(t.Context(), nil, long); err == nil || !strings.Contains(err.Error(), "/nowhere/bootstrap does not start") {
		t.Errorf("no binary: %v", err)
	}
}

func TestLambdaConcurrency(t *testing.T) {
	t.Parallel()
	l := newLambda(t, map[string]string{"AWS_LAMBDA_MAX_CONCURRENCY": "2"})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r, err := l.Invoke(t.Context(), event("meet", ""), long)
			if err != nil || string(r.Payload) != `"met"` {
				t.Errorf("%s %q, error %v", r.Payload, r.ErrorMessage, err)
			}
		})
	}
	wg.Wait()
	// More than it polls for wait their turn.
	for range 8 {
		wg.Go(func() {
			if r, err := l.Invoke(t.Context(), event("echo", "x"), long); err != nil || string(r.Payload) != `"x"` {
				t.Errorf("%s, error %v", r.Payload, err)
			}
		})
	}
	wg.Wait()
}

func TestLambdaCloseEndsInvocations(t *testing.T) {
	t.Parallel()
	l := newLambda(t, nil)
	if _, err := l.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		r, err := l.Invoke(context.Background(), event("hang", ""), long)
		if err == nil && !r.FunctionError {
			err = errors.New("a closed platform answered " + string(r.Payload))
		} else if errors.Is(err, platform.ErrClosed) {
			err = nil // it came after Close
		}
		done <- err
	}()
	l.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLambdaMeasures(t *testing.T) {
	t.Parallel()
	l := newLambda(t, nil)
	invoke(t, l, event("flood", ""), long)
	out := l.Output()
	if len(out) > 1<<20 || !strings.Contains(out, "line 19999 of") || strings.Contains(out, "line 0 of") {
		t.Errorf("%d bytes of output, ending %q", len(out), out[max(0, len(out)-80):])
	}
	small := l.PeakRSS()
	invoke(t, l, event("allocate", ""), long)
	if large := l.PeakRSS(); small < 1<<20 || large < small+60<<20 {
		t.Errorf("peak memory %d, and %d after 64 MiB more", small, large)
	}
	if _, err := l.Invoke(t.Context(), make([]byte, platform.MaxPayload+1), long); err == nil {
		t.Error("a payload over 6 MB was taken")
	}
}
