package platform

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// A Web runs a binary as scf_bootstrap starts a web function: an HTTP server
// on the port that PORT names.
type Web struct {
	*Program
	URL    string // of the server, without a slash at its end
	Client *http.Client

	proc *process
}

// StartWeb runs the binary at path on a free port and waits until it accepts
// connections, for 65 s at the most.
func StartWeb(ctx context.Context, path string, env map[string]string) (*Web, error) {
	w := &Web{Program: newProgram(path, env)}
	proc, port, err := w.serve("PORT", map[string]string{"TENCENTCLOUD_RUNENV": "SCF", "TZ": ":UTC"})
	if err != nil {
		w.log.close()
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	w.proc, w.URL, w.Client = proc, "http://"+addr, &http.Client{Transport: &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Minute}}
	ctx, cancel := context.WithTimeout(ctx, scfInitTime)
	defer cancel()
	conn, err := w.proc.dial(ctx, addr)
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("the web function failed at start: %s", w.withOutput(err.Error()))
	}
	return w, conn.Close()
}

// Stop sends SIGTERM, as the platform does before it takes an instance away,
// and returns the exit code of the process (-1: a signal ended it). It is an
// error if the process has not ended when ctx has; it is killed then.
func (w *Web) Stop(ctx context.Context) (code int, err error) {
	w.proc.sample()
	_ = w.proc.cmd.Process.Signal(os.Signal(syscall.SIGTERM)) // fails only if it has ended already
	select {
	case <-w.proc.exited:
		return w.proc.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		w.proc.kill()
		return -1, fmt.Errorf("the web function did not stop on SIGTERM: %s", w.withOutput(ctx.Err().Error()))
	}
}

// Close kills the process, if it still runs, and waits until it is gone.
func (w *Web) Close() {
	w.Client.CloseIdleConnections()
	w.proc.kill()
	w.log.close()
}
