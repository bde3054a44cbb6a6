package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// This file is about seeds that run different versions of hearsay, as while one after the other is started with
// a new one. An entry of the log must mean the same to all: seeds of different versions exchange no message of the
// log, and none gives the other a seat. Each says so, with both versions. Those of one version go on if they are
// a quorum.
//
//	A, log 3                       B, log 4
//	  |<-- SeatHello{4} -----------|   B has an empty directory, and asks
//	  |--- SeatHello{3, Answer} -->|   B says that A runs another version; it takes no seat from A
//	  |--- SeatHello{3} ---------->|   is it really there?
//	  |<-- SeatHello{4, Answer} ---|   A says that B does; B gets no seat from A
//	  |<-- Raft{4} ----------------|   dropped (hearsay.DropVersion)

// unlike is what a seed of another version said of itself, proven to come from its address.
type unlike struct {
	ledger bool      // it has a ledger, or takes part in a founding
	at     time.Time // zero: there is none
}

// justNow reports whether it said so lately.
func (u *unlike) justNow(now time.Time) bool { return !u.at.IsZero() && now.Sub(u.at) <= heardFor }

// metOfVersion takes what a seed of another version said of itself just now, at the address of a slot. A seed of
// this version that was there before is there no more.
func (ss *seats) metOfVersion(now time.Time, slot int, m *core.SeatHello) {
	if pinned := ss.seed.cfg.Seeds[slot].Key; !pinned.IsZero() && pinned != m.Key {
		ss.differs(now, slot, m.Key, ledger.OtherKey(ss.seed.cfg.Seeds[slot].Addr, m.Key, pinned))
		return
	}
	if int(m.Slot) == slot && m.Config == ss.seed.cfg.hash() && ss.seed.diskCheck.unsure() {
		ss.seed.diskCheck.goesTo(m) // how far a log goes is said in the same way by all versions
	}
	ss.heard[slot] = heard{}
	ss.unlike[slot] = unlike{ledger: m.Founded || !m.Founding.IsZero(), at: now}
	addr, own := ss.seed.cfg.Seeds[slot].Addr, ss.seed.cfg.Versions
	if known := ss.known[slot].seat.Key; !known.IsZero() && known != m.Key {
		ss.differs(now, slot, m.Key, ledger.StrangeVersion(addr, m.Versions, own))
		return
	}
	ss.differs(now, slot, m.Key, ledger.OtherVersion(addr, m.Versions, own, hearsay.RoleSeed))
}

// anyUnlike reports whether a seed of another version has answered lately.
func (ss *seats) anyUnlike(now time.Time) bool {
	for slot := range ss.seed.others() {
		if ss.unlike[slot].justNow(now) {
			return true
		}
	}
	return false
}

// otherVersionHas gives the slot of a seed of another version that has a ledger, and has answered lately; -1: there is
// none.
func (fd *founder) otherVersionHas(now time.Time) (slot int) {
	return slices.IndexFunc(fd.seed.seats.unlike[:len(fd.seed.cfg.Seeds)], func(u unlike) bool { return u.ledger && u.justNow(now) })
}

// ofOtherVersion drops a message of the log whose sender is of another version, and has it tell which, if so.
func (d *driver) ofOtherVersion(now time.Time, f *core.Raft) bool {
	if f.Versions == d.seed.cfg.Versions {
		return false
	}
	d.seed.stats.Drops[hearsay.DropVersion]++
	d.seed.seats.askSeat(now, int(f.Slot))
	return true
}
