package detect

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// suspectEach is how many probes are of members that are no suspects, for each of a suspect. When most members have
// died the few that live are probed as often as before. Guess: a suspect is told of its suspicion besides.
const suspectEach = 4

// list is the members in the order of probing.
type list struct {
	*shared
	seats   []int32 // shuffled after each lap
	next    int     // index into seats
	trusted int     // probes of members that are no suspects, since the last of any member

	ordinary int // of pickSpecial: pings since it had its turn
}

// add puts a member at a random place (SWIM, section 4.3).
func (l *list) add(id hearsay.NodeID) {
	l.seats = append(grown(l.seats), l.directory.Seat(id))
	i, last := l.random.IntN(len(l.seats)), len(l.seats)-1
	l.seats[i], l.seats[last] = l.seats[last], l.seats[i]
}

// grown has room for one more, and not for twice as many: these are a node's largest tables.
func grown[T any](table []T) []T {
	if len(table) < cap(table) {
		return table
	}
	return append(make([]T, 0, len(table)+len(table)/8+4), table...)
}

// remove takes a seat off, and reports whether it was there.
func (l *list) remove(seat int32) (was bool) {
	i := slices.Index(l.seats, seat)
	if i < 0 {
		return false
	}
	if l.seats = slices.Delete(l.seats, i, i+1); i < l.next {
		l.next--
	}
	return true
}

// pick gives the next member of the list, which is shuffled when a lap ends: each that is no suspect is probed once a
// lap. Of n members on the list its probes are at most 2n-1 steps of the list apart (SWIM, section 4.3). A step is one
// period, but for every fifth, which is an overdue suspect's if there is one: so it is at most (2n-1) * (suspectEach+1)
// / suspectEach periods. Suspects are passed over in most periods if there is anybody else. In a large network a lap is
// long, and the suspects that are passed over wait for several: so a suspect about which nobody decides is probed
// before its turn comes.
func (l *list) pick(now time.Time) (hearsay.NodeID, netip.AddrPort, bool) {
	if id, addr, ok := l.pickDoubted(); ok {
		return id, addr, true
	}
	if l.trusted < suspectEach {
		if id, addr, ok := l.pickNext(true); ok {
			l.trusted++
			return id, addr, true
		}
	}
	l.trusted = 0
	if id, addr, ok := l.pickOverdue(now); ok {
		return id, addr, true
	}
	return l.pickNext(false)
}

// pickDoubted gives the member that is to be probed once more, if there is one.
func (l *list) pickDoubted() (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	id, again := l.detector.paths.takeDoubted()
	addr, listed := l.directory.Addr(id)
	return id, addr, again && listed && !l.directory.passes(id)
}

// pickOverdue gives a suspect about which nobody decides, if there is one.
func (l *list) pickOverdue(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	if l.directory.Overdue == nil {
		return id, addr, false
	}
	id, overdue := l.directory.Overdue(now)
	addr, ok = l.directory.Addr(id)
	return id, addr, ok && overdue
}

// pickNext gives the next member of the list, or the next that is no suspect.
func (l *list) pickNext(trusted bool) (hearsay.NodeID, netip.AddrPort, bool) {
	for range l.seats {
		if l.next >= len(l.seats) {
			l.next = 0
			l.random.Shuffle(len(l.seats), func(i, j int) { l.seats[i], l.seats[j] = l.seats[j], l.seats[i] })
		}
		seat := l.seats[l.next]
		l.next++
		id, addr, ok := l.directory.At(seat)
		if ok && !l.directory.passes(id) && !(trusted && l.directory.suspects(id)) {
			return id, addr, true
		}
	}
	return hearsay.NodeID{}, netip.AddrPort{}, false
}

// elsewhere reports whether a member is of another source.
func (l *list) elsewhere(source netip.Addr) bool {
	return slices.ContainsFunc(l.seats, func(seat int32) bool {
		_, addr, ok := l.directory.At(seat)
		return ok && core.Source(addr.Addr()) != source
	})
}

// pickLacked gives a member that others have been found to lack, if there is one.
func (l *list) pickLacked(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	if l.directory.Lacked == nil {
		return id, addr, false
	}
	id, lacked := l.directory.Lacked(now)
	addr, ok = l.directory.Addr(id)
	return id, addr, ok && lacked && !l.directory.passes(id)
}

// pickSpecial gives a suspect about which nobody decides, or else a member that others lack: in one of five pings.
func (l *list) pickSpecial(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	if l.ordinary++; l.ordinary <= suspectEach {
		return id, addr, false
	}
	l.ordinary = 0
	if id, addr, ok = l.pickOverdue(now); ok {
		return id, addr, true
	}
	return l.pickLacked(now)
}
