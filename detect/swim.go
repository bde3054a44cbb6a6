package detect

import (
	"net/netip"
	"time"

	"hearsay"
)

// swim is the schedule of SWIM (Das, Gupta, Motivala 2002): one member is probed a period, in the order of a shuffled
// list, so that each is probed once a lap. One that answers neither this node nor its relays is unreachable.
type swim struct{ pings }

func newSwim(s *shared, _ time.Time) schedule { return swim{pings{s}} }

func (s swim) every() time.Duration { return s.cfg.Period }

func (s swim) pick(now time.Time) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	return s.detector.list.pick(now)
}

func (s swim) relays() int { return s.cfg.Relays }

func (s swim) silent(hearsay.NodeID, int) bool { return true }
