package agent

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// boundUnacked has the kernel end a connection on which nothing that was sent is acknowledged for that long. It
// would try for a quarter of an hour, and what is written meanwhile would be lost without a word.
func boundUnacked(_, _ string, conn syscall.RawConn) error {
	return conn.Control(func(fd uintptr) {
		// a failure changes how soon it is noticed, and nothing else
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(streamUnackedMost.Milliseconds()))
	})
}
