package main

import (
	"os"
	"syscall"
)

// hold is a TCP socket that is bound and does not listen. With SO_REUSEADDR on
// both, as net.Listen has it, another process may listen at its port; but the
// kernel gives that port to no outgoing connection, and to no listener that asks for
// any port.
type hold int

// holdPort takes a port of the kernel's choice.
func holdPort() (port int, h hold, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			syscall.Close(fd)
		}
	}()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopbackAddr.As4()}); err != nil {
		return 0, 0, os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockname", err)
	}
	return bound.(*syscall.SockaddrInet4).Port, hold(fd), nil
}

func (h hold) close() { syscall.Close(int(h)) }
