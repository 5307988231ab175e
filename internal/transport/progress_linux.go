package transport

import "golang.org/x/sys/unix"

// kernelProgress is how many bytes the other side has acknowledged and how many have come from
// it, read or not (TCP_INFO, Linux 4.2; 0 where the kernel does not say). Read and Write
// alone would not do: a Write that waits for a slow receiver returns only when all of it
// has room in the kernel, and what is in the kernel takes long to leave.
func (c *Conn) kernelProgress() int64 {
	info := c.tcpInfo()
	return int64(info.Bytes_acked + info.Bytes_received)
}

// closedByPeer reports whether the other side has ended the connection.
func (c *Conn) closedByPeer() bool {
	return c != nil && c.raw != nil && c.tcpInfo().State != unix.BPF_TCP_ESTABLISHED
}

// tcpInfo is the zero value where there is none.
func (c *Conn) tcpInfo() (info unix.TCPInfo) {
	if c.raw == nil {
		return info
	}
	// An error means that the connection is closed, which ends an exchange by itself.
	_ = c.raw.Control(func(fd uintptr) {
		if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			info = *i
		}
	})
	return info
}
