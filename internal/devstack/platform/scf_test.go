package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

func newSCF(t *testing.T, env map[string]string) *platform.SCF {
	t.Helper()
	s := platform.NewSCF(binary(t, fixtures.scf), env)
	t.Cleanup(s.Close)
	return s
}

func invokeSCF(t *testing.T, s *platform.SCF, payload []byte, timeout time.Duration, env map[string]string) platform.Result {
	t.Helper()
	r, err := s.Invoke(t.Context(), payload, timeout, env)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSCFAnswers(t *testing.T) {
	t.Parallel()
	s := newSCF(t, nil)
	type context struct {
		ID, Key     string
		Left, Limit int64
		Env         map[string]string
	}
	for _, key := range []string{"first", "second"} { // each invocation brings its own credentials
		r := invokeSCF(t, s, event("context", ""), long, map[string]string{"TENCENTCLOUD_SECRETID": key, "CLOUDBASE_ENV": "e-1"})
		var got context
		if err := json.Unmarshal(r.Payload, &got); err != nil {
			t.Fatalf("%s %q: %v", r.Payload, r.ErrorMessage, err)
		}
		if got.ID == "" || got.Key != key || got.Limit != long.Milliseconds() || got.Left <= 0 || got.Left > got.Limit {
			t.Errorf("the context: %+v", got)
		}
		if got.Env["CLOUDBASE_ENV"] != "e-1" || got.Env["TENCENTCLOUD_REGION"] != "ap-shanghai" {
			t.Errorf("the environment: %v", got.Env)
		}
		if r.Took <= 0 {
			t.Errorf("took %v", r.Took)
		}
	}
	pid := invokeSCF(t, s, event("pid", ""), long, nil).Payload
	if s.PeakRSS() < 1<<20 || strings.Count(s.Output(), "doing context\n") != 2 {
		t.Errorf("peak memory %d, output %q", s.PeakRSS(), s.Output())
	}
	s.Close()
	if alive(t, pid) {
		t.Error("the process outlived Close")
	}
	if _, err := s.Invoke(t.Context(), nil, long, nil); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestSCFFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		do, arg, kind, message string
		timeout                time.Duration
		dies                   bool
	}{
		{"fail", "no luck", "errorString", "no luck", long, false},
		{"panic", "oh no", "string", "oh no", long, true},
		{"die", "in a goroutine", "ProcessExited", "(exit status 2)", long, true},
		{"hang", "", "InvokeTimeout", "timed out after 0.15 seconds", 150 * time.Millisecond, true},
	} {
		t.Run(tt.do, func(t *testing.T) {
			t.Parallel()
			s := newSCF(t, nil)
			before := invokeSCF(t, s, event("pid", ""), long, nil)
			r := invokeSCF(t, s, event(tt.do, tt.arg), tt.timeout, nil)
			if !r.FunctionError || r.ErrorType != tt.kind || !strings.Contains(r.ErrorMessage, tt.message) {
				t.Errorf("got %t %s %q", r.FunctionError, r.ErrorType, r.ErrorMessage)
			}
			after := invokeSCF(t, s, event("pid", ""), long, nil)
			if dies := string(before.Payload) != string(after.Payload); dies != tt.dies || after.FunctionError {
				t.Errorf("before %s, after %s %q", before.Payload, after.Payload, after.ErrorMessage)
			}
		})
	}
}

func TestSCFInitFailure(t *testing.T) {
	t.Parallel()
	s := newSCF(t, map[string]string{"INIT": "exit"})
	for range 2 {
		r := invokeSCF(t, s, event("echo", ""), long, nil)
		if !r.FunctionError || r.ErrorType != "InitError" || !strings.Contains(r.ErrorMessage, "exit status 3") || !strings.Contains(r.ErrorMessage, "CLOUDBASE_ENV is not set") {
			t.Errorf("got %t %s %q", r.FunctionError, r.ErrorType, r.ErrorMessage)
		}
	}
}

func TestSCFGivenUp(t *testing.T) {
	t.Parallel()
	s := newSCF(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Invoke(ctx, event("hang", ""), long, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if r := invokeSCF(t, s, event("echo", "hi"), long, nil); string(r.Payload) != `"hi"` {
		t.Errorf("afterwards: %s %q", r.Payload, r.ErrorMessage)
	}
}
