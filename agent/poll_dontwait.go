//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package agent

import (
	"syscall"
	"time"
)

const (
	// pollFor is how long a read may wait for a datagram that is there. It does
	// not wait; but where this goroutine is put aside for that long before the read
	// begins, the datagram is left for the next turn. A guess: ten turns of a busy machine.
	pollFor = 100 * time.Millisecond

	// looks is how often one looks at a socket that says it has failed. To look
	// uses up an error, which an earlier datagram has caused: only one that comes
	// again is the socket's own. A guess.
	looks = 3
)

// waiting reports whether a datagram waits in the socket. It does not look at the
// read deadline, and does not yield to other goroutines, as a read that waits
// does. A socket that goes on failing counts as one with a datagram: the read says why.
func (d *datagrams) waiting() bool {
	var err error
	failed := d.raw.Control(func(fd uintptr) {
		var first [1]byte
		for range looks {
			_, _, err = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if err == nil || err == syscall.EAGAIN {
				return
			}
		}
	})
	return failed == nil && err != syscall.EAGAIN
}
