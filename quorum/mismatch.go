package quorum

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// otherLedger is the mismatch of a seed with the ledger of another founding.
func otherLedger(addr netip.AddrPort) ledger.Mismatch {
	return ledger.Mismatch{Note: "has a ledger of another founding", Text: fmt.Sprintf("the seed at %v has a ledger of another founding of this network than the one here, and takes no part: "+
		"to take part, it needs an empty data directory; if its ledger is the right one, start the others with empty ones, and see `hearsay seed recover`", addr)}
}

// differs keeps what is wrong with the seed at a configured address, and tells
// it.
func (ss *seats) differs(now time.Time, slot int, by hearsay.PublicKey, of ledger.Mismatch) {
	if ss.seed.mismatches.Raise(now, slot, of) {
		ss.seed.event(hearsay.Event{At: now, Kind: hearsay.EventSeedDiffers, By: by.NodeID(), Addr: ss.seed.cfg.Seeds[slot].Addr, Text: of.Text})
	}
}

// meetUnlike takes a hello of a seed that has another list, or is of another version. It may be one
// of this list all the same: then its answer says so.
func (ss *seats) meetUnlike(now time.Time, p *core.Packet, m *core.SeatHello) {
	otherVersion := m.Versions != ss.seed.cfg.Versions
	if otherVersion {
		ss.seed.stats.Drops[hearsay.DropVersion]++
	} else {
		ss.seed.stats.Drops[hearsay.DropStranger]++
	}
	if m.Answer {
		switch slot := ledger.AskedWith(ss.nonces[:len(ss.seed.cfg.Seeds)], m.Nonce); {
		case slot < 0:
		case otherVersion:
			ss.nonces[slot] = 0
			ss.metOfVersion(now, slot, m)
		default:
			ss.nonces[slot] = 0
			ss.differs(now, slot, m.Key, ledger.OtherList(ss.seed.cfg.Seeds[slot].Addr))
		}
		return
	}
	if m.Config == ss.seed.cfg.hash() {
		ss.askSeat(now, int(m.Slot))
		return
	}
	for slot := range ss.seed.others() { // its port is not that where it listens
		if ss.seed.cfg.Seeds[slot].Addr.Addr() == p.Addr.Addr().Unmap() {
			ss.askSeat(now, slot)
		}
	}
}

// Waits reports whether this seed is part of no network yet: none is founded, it
// has no seat in one, or nothing has come yet of the founding that it takes part
// in. Why says for what it waits.
func (q *Quorum) Waits() bool {
	return q.replica == nil || q.founder.unborn() && q.replica.leader() == 0
}

// Why says why this seed does not take part, as far as it knows; "" if nothing is known but
// that no quorum is heard. If it does take part, it says what is wrong with others.
func (q *Quorum) Why() string {
	switch {
	case q.Decides():
		return strings.Join(append(q.mismatches.All(q.tickAt), q.clocks.wrongClocks()...), "; ")
	case q.Seated() && q.Ready():
		return q.progress.whyStalled()
	case q.replica != nil && q.seats.anyUnlike(q.tickAt), q.founder.otherVersionHas(q.tickAt) >= 0:
		texts := q.mismatches.All(q.tickAt)
		if q.seats.why != "" {
			texts = append(texts, q.seats.why)
		}
		return strings.Join(texts, "; ")
	case q.seats.why != "" || !q.Waits():
		return q.seats.why
	case q.replica != nil:
		return "this seed has its seat, and hears no quorum of the others yet"
	}
	return "the network is not founded yet: this seed looks for the others"
}

// Note says what is known of the seed in a slot, where that is not what the
// roster says: all, as long as this one waits, and what is wrong with it.
func (q *Quorum) Note(now time.Time, slot int) (seat hearsay.Seat, note string) {
	h := &q.seats.heard[slot]
	switch note = q.mismatches[slot].Note; {
	case note == "" && q.driver.faults[slot] > 0:
		return seat, fmt.Sprintf("has sent %d messages of the log that no correct seed sends: its key may be stolen", q.driver.faults[slot])
	case note == "" && q.state != nil && !q.Waits() && !q.state.Seats[slot].Life.IsZero() && !q.Votes(slot):
		return seat, "has its seat, and no vote yet: until it has, no other seed may be lost"
	case note == "" && !q.Waits():
		return seat, q.clocks.wrongClock(slot).Note
	case note != "" || !q.Waits():
		return seat, note
	case slot == q.cfg.Slot:
		return q.seat(), "this seed"
	case !h.justNow(now):
		return seat, "not met"
	case h.founded:
		return h.seat, "met, with a ledger"
	}
	return h.seat, "met, without a ledger"
}

// notFounded says why the network is not founded: which seeds are missing, or have
// another list, and what would help.
func (ss *seats) notFounded(now time.Time, met int) string {
	var missing []string
	for slot := range ss.seed.others() {
		if !ss.heard[slot].justNow(now) && ss.seed.mismatches[slot].Note == "" {
			missing = append(missing, ss.seed.cfg.Seeds[slot].Addr.String())
		}
	}
	text := fmt.Sprintf("the network is not founded: %d of %d seeds were met", met, len(ss.seed.cfg.Seeds))
	if last := len(missing) - 1; last >= 0 {
		are, them, those, have := "is", "it", "that one", "has"
		if last > 0 {
			missing = []string{strings.Join(missing[:last], ", "), missing[last]}
			are, them, those, have = "are", "them", "those", "have"
		}
		text += fmt.Sprintf(", %s %s missing: start %s", strings.Join(missing, " and "), are, them)
		if ss.seed.founder.mayNotFound(now, met) == "" {
			text += fmt.Sprintf(", or start this seed again with --found if %s %s no ledger", those, have)
		}
	}
	return strings.Join(append([]string{text}, ss.seed.mismatches.All(now)...), "; ")
}
