// Package platform runs built function binaries as the platforms do, from outside:
// AWS Lambda (the Runtime API), Tencent SCF event functions (net/rpc) and SCF
// web functions (an HTTP server). A test that uses it sees what a user of the
// deployed function sees: the answer or the error, the time it took, what was
// written to standard output and error, and the memory it needed.
//
// A process gets PATH, HOME, what its platform sets and what the caller gives,
// and nothing else of the caller's environment. A process that exits, or that
// outlives its timeout, is replaced for the next invocation.
package platform

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"sync/atomic"
	"time"
)

// ErrClosed is the error of an invocation after Close.
var ErrClosed = errors.New("the platform is closed")

// How long a process may take to start: on Lambda, and where nothing else is set on SCF.
const (
	initTime    = 10 * time.Second
	scfInitTime = 65 * time.Second
)

// A Result is what the caller of a function gets from the platform.
type Result struct {
	Payload       []byte // the answer; on Lambda, the error document when FunctionError
	FunctionError bool   // the function failed: it said so, exited, or ran out of time
	ErrorType     string
	ErrorMessage  string        // after an exit or a timeout it ends with the process's last lines of output
	Took          time.Duration // from the moment that the process has the payload, so without its start
}

// A Program is a binary and what was seen of the processes that ran it.
type Program struct {
	// Grace is how much longer than its timeout a start or an invocation may take before the
	// process is killed. The process is told the timeout alone. On the platforms it is 0. A
	// test that must not depend on the speed of its machine sets it before the first use.
	Grace time.Duration

	path string
	env  map[string]string
	own  bool // it runs in a process group of its own
	log  record
	peak atomic.Int64
	proc atomic.Pointer[process]
}

func newProgram(path string, env map[string]string) *Program {
	return &Program{path: path, env: maps.Clone(env)}
}

// Output returns what the processes wrote to standard output and error, in
// order: the last 256 KiB of it. What a process wrote before it answered is
// there when the answer is.
func (p *Program) Output() string { return p.log.String() }

// OutputSince returns the whole lines that the processes wrote from the byte at from on,
// at most 256 KiB of them, and where the next piece begins. It is empty after Close.
func (p *Program) OutputSince(from int64) (lines string, next int64) { return p.log.since(from) }

// PeakRSS is the largest resident set, in bytes, that a process of the program
// had (VmHWM). It is 0 where there is no /proc.
func (p *Program) PeakRSS() int64 {
	if proc := p.proc.Load(); proc != nil {
		proc.sample()
	}
	return p.peak.Load()
}

// PID is the number of the process that was started last, 0 before.
func (p *Program) PID() int {
	if proc := p.proc.Load(); proc != nil {
		return proc.cmd.Process.Pid
	}
	return 0
}

// start runs the binary with the platform's variables under the caller's.
func (p *Program) start(platform map[string]string) (*process, error) {
	vars := map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME")}
	maps.Copy(vars, platform)
	maps.Copy(vars, p.env)
	var env []string
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	proc, err := startProcess(p, env)
	if err != nil {
		return nil, fmt.Errorf("%s does not start: %w", p.path, err)
	}
	p.proc.Store(proc)
	return proc, nil
}

// withOutput adds the last lines of output to a message.
func (p *Program) withOutput(message string) string {
	if tail := p.log.tail(20); tail != "" {
		return message + "; its last output:\n" + tail
	}
	return message + "; it wrote no output"
}
