package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// askForBBR is a net.Dialer's Control. A kernel that does not list BBR in
// tcp_allowed_congestion_control refuses, and keeps what it had.
func askForBBR(_, _ string, c syscall.RawConn) error {
	_ = c.Control(func(fd uintptr) { _ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr") })
	return nil
}

// congestion returns the algorithm that a connection uses, "" where that cannot be told.
func congestion(c syscall.Conn) (name string) {
	raw, err := c.SyscallConn()
	if err != nil {
		return ""
	}
	_ = raw.Control(func(fd uintptr) { name, _ = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) })
	return name
}
