package web

import (
	"net"
	"syscall"
	"time"
)

// endUnacknowledged has the kernel end a connection whose other end acknowledges
// nothing for so long: by itself it takes a quarter of an hour, and keep-alives wait
// behind what is not acknowledged.
func endUnacknowledged(conn *net.TCPConn, after time.Duration) {
	const tcpUserTimeout = 18 // TCP_USER_TIMEOUT, linux/tcp.h
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(after.Milliseconds()))
		})
	}
}
