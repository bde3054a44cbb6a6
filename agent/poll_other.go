//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package agent

import "time"

// pollFor is how long a read may wait for a datagram that may be there: the
// shortest time that does not pass before the read begins.
const pollFor = 10 * time.Microsecond

// waiting reports whether a datagram may wait in the socket: not known here.
func (d *datagrams) waiting() bool { return true }
