package transport

import (
	"syscall"
	"unsafe"
)

// unsent returns how many bytes the peer has not acknowledged yet (SIOCOUTQ), 0
// where that cannot be told.
func (c *Conn) unsent() (n int) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	var queued int32
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&queued)))
	})
	if err != nil || errno != 0 {
		return 0
	}
	return int(queued)
}
