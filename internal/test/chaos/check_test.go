package chaos_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// checkMemory is what local -check may take, however many files there are: 64 MiB.
const checkMemory = 64 << 20

// The check of very many files takes the calls and the memory that docs/check.md promises.
func TestCheckOfMany(t *testing.T) {
	parallel(t)
	quick, full := 5_000, 1_000
	if *long {
		quick, full = 1_000_000, 1_000_000
	}
	binary := functions.Path(t, "local")
	t.Run("quick", func(t *testing.T) { parallel(t); checkMany(t, binary, quick, "-quick") })
	t.Run("full", func(t *testing.T) { parallel(t); checkMany(t, binary, full) })
}

func checkMany(t *testing.T, binary string, n int, flags ...string) {
	const bucket = "million"
	w := kit.NewWorld(t)
	w.Staging.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
	name := func(i int) string {
		return fmt.Sprintf("in/%04d/a file with a name of some length, %07d.png", i/1000, i)
	}
	w.Staging.AddBucket(bucket)
	w.Staging.SynthesizeKeys(bucket, n, name)
	w.Cloud.Synthesize(devstack.Env, staging.SyntheticSize, staging.SyntheticETag, func(path string) bool {
		return !strings.HasSuffix(path, "555.png")
	})

	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-check", "s3://" + bucket}, flags...)...)
	for name, value := range w.Vars() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, missing, peak := 0, 0, int64(0)
	for report := bufio.NewScanner(out); report.Scan(); lines++ {
		if lines%500 == 0 {
			peak = max(peak, platform.Memory(cmd.Process.Pid, "VmHWM"))
		}
		mark := "= "
		if strings.HasSuffix(report.Text(), "555.png") {
			mark, missing = "+ ", missing+1
		}
		if want := mark + "s3://" + bucket + "/" + name(lines); report.Text() != want {
			t.Fatalf("line %d is %q, want %q", lines, report.Text(), want)
		}
	}
	cmd.Wait()
	calls := w.Cloud.Requests()
	t.Logf("%d files, %d missing, in %v: %d KiB of memory, %v of CPU time, %d calls and %d HEADs\n%s",
		lines, missing, time.Since(start).Round(time.Second), peak>>10, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), calls[tcb.OpLinks], calls[tcb.OpDownload], said.String())
	switch {
	case lines != n || missing != n/1000 || cmd.ProcessState.ExitCode() != 1:
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	case calls[tcb.OpLinks] > int64(n)/50 || calls[tcb.OpDownload] > int64(n):
		t.Errorf("more calls than promised")
	case peak > checkMemory:
		t.Errorf("more memory than promised")
	}
}
