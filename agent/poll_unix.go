//go:build unix

package agent

import (
	"syscall"
	"time"
)

// pollFor is how long a read may wait for a datagram that is there: it does not.
const pollFor = time.Second

// waiting reports whether a datagram waits in the socket. It does not look at the
// read deadline, and does not yield to other goroutines, as a read that waits
// does. A socket that fails counts as one with a datagram: the read says why.
func (d *datagrams) waiting() bool {
	var err error
	failed := d.raw.Control(func(fd uintptr) {
		var first [1]byte
		_, _, err = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return failed == nil && err != syscall.EAGAIN
}
