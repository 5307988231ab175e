//go:build !linux

package transport

// kernelProgress is 0: these systems are not asked. What Read and Write return counts
// alone, so a receiver that takes less than one write (16 KiB over TLS) within the idle
// time is cut off. Functions run on Linux; elsewhere there are only developers.
func (c *Conn) kernelProgress() int64 { return 0 }

// closedByPeer is false: the first request finds out.
func (c *Conn) closedByPeer() bool { return false }
