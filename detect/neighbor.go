package detect

import (
	"net/netip"
	"time"

	"hearsay"
)

// neighborMisses is after how many pings in a row that it has not answered a member is unreachable for those that ping
// it by themselves: as an earlier program has it.
const neighborMisses = 3

// neighbor is the schedule in which each node pings those that it has to watch (Directory.Watched), each of them once
// an interval, one after the other. One that misses three in a row is unreachable. Nobody pings in others' place.
//
// A ping is given up when the next begins. So two are at least three of Config.TimeoutMax apart, as with swim, and an
// interval that is too short for all is longer.
type neighbor struct {
	pings
	last    hearsay.NodeID   // that was pinged; the next is the one behind it
	watched []hearsay.NodeID // storage
}

func newNeighbor(s *shared, _ time.Time) schedule { return &neighbor{pings: pings{s}} }

// gather gives the members to watch as they are now.
func (n *neighbor) gather() []hearsay.NodeID {
	n.watched = n.directory.Watched(n.watched[:0])
	return n.watched
}

func (n *neighbor) every() time.Duration {
	return max(n.cfg.Interval/time.Duration(max(1, len(n.gather()))), 3*n.cfg.TimeoutMax)
}

// pick gives the next link. Each fifth ping is of a suspect about which nobody decides, if there is one, as that is no
// link, or of a member that others lack: to them it is none.
func (n *neighbor) pick(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	if id, addr, ok = n.detector.list.pickDoubted(); ok {
		return id, addr, true
	}
	if id, addr, ok = n.detector.list.pickSpecial(now); ok {
		return id, addr, true
	}
	watched := n.gather()
	for range watched {
		n.last = behind(watched, n.last)
		if addr, ok = n.directory.Addr(n.last); ok && !n.directory.passes(n.last) {
			return n.last, addr, true
		}
	}
	return id, addr, false
}

// behind gives the first of some that is behind another in their order, which is a ring.
func behind(ids []hearsay.NodeID, last hearsay.NodeID) hearsay.NodeID {
	for _, id := range ids {
		if last.Compare(id) < 0 {
			return id
		}
	}
	return ids[0]
}

func (n *neighbor) relays() int { return 0 }

func (n *neighbor) silent(id hearsay.NodeID, misses int) bool {
	return misses >= neighborMisses || n.directory.suspects(id)
}
