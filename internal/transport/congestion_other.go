//go:build !linux

package transport

import "syscall"

func askForBBR(_, _ string, _ syscall.RawConn) error { return nil }

func congestion(syscall.Conn) string { return "" }
