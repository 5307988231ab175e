package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
)

// canName says why names cannot be given to loopback addresses here.
func (b *bench) canName() error {
	for _, addr := range []string{apiAddr, cosAddr} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		l.Close()
	}
	return b.withNames(func() error { return nil })
}

// withNames runs f on a thread in a mount namespace with an /etc/hosts of its own. For a
// process that f starts, the names of WeChat's API and of COS lead to the sink.
func (b *bench) withNames(f func() error) error {
	hosts := b.binary("hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+hostOf(apiAddr)+" "+apiName+"\n"+hostOf(cosAddr)+" "+cosName+"\n"), 0o644); err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the namespace ends with the thread
		done <- func() error {
			if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
				return fmt.Errorf("no mount namespace can be made here: %w", err)
			}
			if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
				return fmt.Errorf("mounts cannot be made private here: %w", err)
			}
			if err := syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
				return fmt.Errorf("/etc/hosts cannot be replaced here: %w", err)
			}
			return f()
		}()
	}()
	return <-done
}
