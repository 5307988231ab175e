package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// A child is a process that talks in lines: one in, one out.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

func startChild(ctx context.Context, vars map[string]string, name string, args ...string) (*child, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for k, v := range vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &child{cmd, stdin, bufio.NewReader(stdout)}, cmd.Start()
}

// line reads one line.
func (c *child) line() (string, error) {
	s, err := c.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s ended: %w", filepath.Base(c.cmd.Path), err)
	}
	return strings.TrimSpace(s), nil
}

// close ends the process by ending its input.
func (c *child) close() {
	c.stdin.Close()
	_ = c.cmd.Wait() // how it ends does not matter any more
}

// cpuOf is the CPU time that a process has used, its threads' time summed up.
func cpuOf(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("no /proc/%d/task/*/schedstat: the benchmark needs Linux", pid)
	}
	var sum time.Duration
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has just ended
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum, nil
}

// A process is measured from outside, by its ID.
type process int

func (p process) cpu() (time.Duration, error) { return cpuOf(int(p)) }

// peak is the most memory that the process has had, in bytes.
func (p process) peak() int64 { return platform.Memory(int(p), "VmHWM") }
