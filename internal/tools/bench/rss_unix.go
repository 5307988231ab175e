//go:build unix

package main

import (
	"os"
	"syscall"
)

// maxRSS is the peak memory of an ended process in bytes, as Linux counts it.
func maxRSS(p *os.ProcessState) int64 { return int64(p.SysUsage().(*syscall.Rusage).Maxrss) << 10 }
