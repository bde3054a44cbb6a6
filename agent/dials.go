package agent

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file notes to whom no stream could be opened. A firewall may carry datagrams and drop streams:
// then all members are alive, and what is longer than a datagram is lost. A member that has died is none
// of these once the others know: so the list is held against the roster.

const (
	undialledMost = 64               // addresses, the latest. A guess
	undialledFor  = 10 * time.Minute // after the last try

	// undialledFew is to how many members in a row no stream could be opened, if there are so many,
	// when this node takes itself for the one that is cut off: as many as tell it of datagrams (package
	// detect).
	undialledFew = 3

	// undialledLeast is how long that must have been so: a death is known by then. A guess.
	undialledLeast = 5 * time.Second
)

// dials are the addresses to which no stream could be opened, since one last was.
type dials struct {
	failed []failedDial // the latest last
	opened time.Time    // the last stream that could, to anybody
}

type failedDial struct {
	to       netip.AddrPort
	at, last time.Time // the first try, and the last
}

// note takes what came of dialling an address.
func (d *dials) note(now time.Time, to netip.AddrPort, err error) {
	one := failedDial{to, now, now}
	if i := slices.IndexFunc(d.failed, func(f failedDial) bool { return f.to == to }); i >= 0 {
		one.at = d.failed[i].at
		d.failed = slices.Delete(d.failed, i, i+1)
	}
	if err == nil {
		d.opened = now
		return
	}
	if len(d.failed) >= undialledMost {
		d.failed = slices.Delete(d.failed, 0, 1)
	}
	d.failed = append(d.failed, one)
}

// tell gives to how many of the living members no stream could be opened, and if those were the last ones
// that were tried, or all others, for how long that has been so.
func (d *dials) tell(now time.Time, others []hearsay.Member) (members int, failing time.Duration) {
	d.failed = slices.DeleteFunc(d.failed, func(f failedDial) bool { return now.Sub(f.last) > undialledFor })
	alive, inRow := 0, 0
	for i := range others {
		m := &others[i]
		if m.State != hearsay.StateAlive {
			continue
		}
		alive++
		at := slices.IndexFunc(d.failed, func(f failedDial) bool { return f.to == m.Addr })
		if at < 0 {
			continue
		}
		members++
		if f := &d.failed[at]; f.last.After(d.opened) {
			inRow++
			failing = max(failing, now.Sub(f.at))
		}
	}
	if inRow < min(undialledFew, alive) || failing < undialledLeast {
		failing = 0
	}
	return members, failing
}
