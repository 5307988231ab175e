package platform

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A process is one run of a Program.
type process struct {
	program *Program
	cmd     *exec.Cmd
	exited  chan struct{} // closed once the process is gone
}

func startProcess(p *Program, env []string) (*process, error) {
	output, err := p.log.open()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.path)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, output, output
	if p.own {
		ownGroup(cmd)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	proc := &process{program: p, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(proc.exited)
	}()
	return proc, nil
}

// kill ends the process if it still runs, and waits until it is gone.
func (p *process) kill() {
	p.sample()
	_ = p.cmd.Process.Kill() // fails only if it has ended already
	<-p.exited
}

// gone says whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// ending says how a process that is gone ended: "exit status 1".
func (p *process) ending() string { return p.cmd.ProcessState.String() }

// sample keeps the process's peak memory. It reads VmHWM because getrusage begins
// with the memory of the parent process.
func (p *process) sample() {
	if p.gone() {
		return // the number may be another process's by now
	}
	peak := Memory(p.cmd.Process.Pid, "VmHWM")
	for {
		old := p.program.peak.Load()
		if peak <= old || p.program.peak.CompareAndSwap(old, peak) {
			return
		}
	}
}

// Memory is a figure of /proc/PID/status in bytes, such as VmHWM; 0 where there is none.
func Memory(pid int, name string) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // empty without a process
	_, rest, ok := strings.Cut(string(status), name+":")
	if !ok {
		return 0
	}
	kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kib << 10
}

// dial connects to a server that the process is about to start. The caller
// bounds ctx.
func (p *process) dial(ctx context.Context, addr string) (net.Conn, error) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn, nil
		}
		select {
		case <-pause.C:
		case <-p.exited:
			return nil, fmt.Errorf("the process ended at start (%s)", p.ending())
		case <-ctx.Done():
			return nil, fmt.Errorf("the process does not listen on %s: %w", addr, ctx.Err())
		}
	}
}

// serve starts a server on a free port, whose number is in the variable called name.
func (p *Program) serve(name string, vars map[string]string) (proc *process, port string, err error) {
	port, hold, err := FreePort()
	if err != nil {
		return nil, "", err
	}
	vars[name] = port
	if proc, err = p.start(vars); err != nil {
		hold.Close()
		return nil, "", err
	}
	go func() {
		<-proc.exited
		hold.Close()
	}()
	return proc, port, nil
}

// FreePort finds a free TCP port between 20000 and 31999. These are below the
// ephemeral ranges, which are the ports that systems choose themselves (Linux from
// 32768, others from 49152). hold keeps the UDP port of the same number: until it
// is closed, FreePort gives the port to no other caller, in any process.
func FreePort() (port string, hold io.Closer, err error) {
	for range 100 {
		port = strconv.Itoa(20000 + rand.IntN(12000))
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp", "127.0.0.1:"+port); err != nil {
			continue
		}
		var tcp net.Listener
		if tcp, err = net.Listen("tcp", ":"+port); err == nil {
			return port, udp, tcp.Close()
		}
		udp.Close()
	}
	return "", nil, fmt.Errorf("no free port: %w", err)
}
