//go:build unix

package platform

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a terminal's interrupt from the process: whoever started it ends it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
