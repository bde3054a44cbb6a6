package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file notes the members to which no stream gets: none could be opened, or nothing was acknowledged on it. A
// firewall may carry datagrams and drop streams: then all members are alive, and what is longer than a datagram is lost. A member that has died is none
// of these once the others know: so the list is held against the roster.

const (
	undialledMost = 64          // addresses, the latest. A guess
	undialledFor  = time.Minute // after the last try: where something waits to be sent the next follows in seconds

	// undialledFew is to how many members in a row no stream could be opened, if there are so many,
	// when this node takes itself for the one that is cut off: as many as tell it of datagrams (package
	// detect).
	undialledFew = 3

	// undialledPair is how many are enough if nothing got through to or from anybody for undialledPairFor: a seed
	// may have streams with the other seeds only.
	undialledPair    = 2
	undialledPairFor = 10 * time.Second

	// undialledLeast is how long that must have been so: a death is known by then. A guess.
	undialledLeast = 5 * time.Second
)

// dials are the addresses to which no stream could be opened, since one last was.
type dials struct {
	failed []failedDial // the latest last
	opened time.Time    // the last stream that could, to anybody
	came   time.Time    // the last packet on a stream that another has opened
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

// heard takes a packet on a stream that another has opened: streams get through between the two. It says nothing of
// those that this node opens, which a firewall may drop alone.
func (d *dials) heard(now time.Time, from netip.Addr) {
	d.came = now
	d.failed = slices.DeleteFunc(d.failed, func(f failedDial) bool { return f.to.Addr() == from })
}

// tell gives to how many living members no stream could be opened, of so many others, and if those were the
// last that were tried, or all others, for how long that has been so. Alive reports whether a member that is no
// suspect is at each of the failed addresses.
func (d *dials) tell(now time.Time, alive []bool, others int) (members int, failing time.Duration) {
	inRow, pairSince := 0, now
	for i := range d.failed {
		f := &d.failed[i]
		if !alive[i] || now.Sub(f.last) > undialledFor {
			continue
		}
		members++
		if f.last.After(d.opened) {
			inRow++
			failing = max(failing, now.Sub(f.at))
			if f.at.Before(pairSince) {
				pairSince = f.at
			}
		}
	}
	for _, through := range [...]time.Time{d.opened, d.came} {
		if through.After(pairSince) {
			pairSince = through
		}
	}
	pair := inRow >= undialledPair && now.Sub(pairSince) >= undialledPairFor
	if !pair && inRow < min(undialledFew, others) || failing < undialledLeast {
		failing = 0
	}
	return members, failing
}

// established counts a stream that this node dialled and that has been open for long enough as one that gets
// through: else what was sent would not have been acknowledged, and it would have been closed.
func (s *streams) established(now time.Time) bool {
	for _, st := range s.open {
		if !st.accepted && st.conn != nil && now.Sub(st.opened) > 2*streamUnackedMost {
			return true
		}
	}
	return false
}

// noteDials puts in the figures to how many members no stream could be opened. It is called in the loop.
func (a *Agent) noteDials(stats *hearsay.Stats) {
	a.streams.mu.Lock()
	if now := time.Now(); len(a.streams.dials.failed) > 0 && a.streams.established(now) {
		a.streams.dials.opened = now
	}
	d := a.streams.dials
	d.failed = slices.Clone(d.failed)
	a.streams.mu.Unlock()
	if len(d.failed) == 0 {
		return
	}
	var addrs []netip.AddrPort
	for i := range d.failed {
		addrs = append(addrs, d.failed[i].to)
	}
	alive, others := a.loop.node.AliveAt(addrs)
	members, failing := d.tell(time.Now(), alive, others)
	stats.Undialled, stats.StreamsFail = members, failing.Seconds()
}

// noteSeats says of each seed to which no stream gets that it answers datagrams only. It is called in the loop.
func (a *Agent) noteSeats(authority *hearsay.Authority) {
	a.streams.mu.Lock()
	defer a.streams.mu.Unlock()
	now := time.Now()
	for i := range authority.Seeds {
		seed := &authority.Seeds[i]
		at := slices.IndexFunc(a.streams.dials.failed, func(f failedDial) bool { return f.to == seed.Addr })
		if at < 0 || seed.State != hearsay.StateAlive {
			continue
		}
		f := &a.streams.dials.failed[at]
		if failing := now.Sub(f.at); failing >= undialledLeast && now.Sub(f.last) <= undialledFor {
			note := fmt.Sprintf("streams (TCP) to it have not got through for %.0f s, though datagrams (UDP) of it come in: nothing longer than a datagram gets to it from here, as entries of the log", failing.Seconds())
			if seed.Note != "" {
				note = seed.Note + "; " + note
			}
			seed.Note = note
		}
	}
}
