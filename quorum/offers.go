package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// This file is about snapshots that other seats send: each is one seat's word, and the
// library would take the place of everything by it. So it waits here until heads of a
// quorum of the seats prove its ledger, as a roster does that comes whole to a peer (gathering).
//
//	B, behind                      A leads
//	  |<-- MsgSnap -----------------|  epoch 12, its ruling, and the roster that this names
//	  |--- LedgerReq{After: 12} --->|
//	  |<-- Rulings{Heads} ----------|  of A and C, of 12 or of what follows from it: the library gets it
//
// Heads prove the ledger, and by it the roster; the seats must be those that are known
// here. Open cases, bars, departures, what was spent, the members of the log and the place in it are
// the sender's word, within bounds: none of them keeps a log from going on, or a seed from starting again. But
// a seed that has taken a place to which no log has come takes entries of no honest leader before that
// place, so it rules nothing, and stops when the others do (outrun.go).
type offer struct {
	message  *raftpb.Message // without the bytes of the snapshot
	snapshot *ledger.State
	chain    ledger.Chain // the ledger after it, and heads
	askAt    time.Time    // the sender is asked for heads
	until    time.Time    // then it is let go

	verified ledger.Cursor  // so far the claims of the members are verified
	cases    []*ledger.Case // whose ballots are not
	restAt   time.Time      // when more of them are verified; zero: nothing is under way
}

// offers gives snapshots to seeds that are behind, and takes them.
type offers struct {
	seed *Quorum
}

// snapshotReading is a snapshot that has come whole, and is being read.
type snapshotReading struct {
	message *raftpb.Message
	reader  *ledger.SnapshotReader
	at      time.Time // of the next step
}

// readsAStep is how many bytes of a snapshot a step reads: some hundred members, at some 1 µs each.
const readsAStep = 32 << 10

// offered takes a snapshot that has come whole, and is signed by the seat in a slot. One that is
// under way is not given up for the next of the same term: with thousands of members it takes longer than
// that is away.
func (os *offers) offered(now time.Time, slot uint8, m *raftpb.Message) {
	r := os.seed.replica
	if o := r.offers[slot]; o != nil && !o.restAt.IsZero() && o.message.GetTerm() == m.GetTerm() {
		return
	}
	if in := r.reading[slot]; in != nil && in.message.GetTerm() == m.GetTerm() {
		return
	}
	r.reading[slot] = &snapshotReading{message: m, reader: ledger.NewSnapshotReader(os.seed.cfg.Network, os.seed.signer, m.GetSnapshot().GetData(), os.membersMost())}
	os.readOn(now, slot)
}

// readOn reads as much of a snapshot as a step may.
func (os *offers) readOn(now time.Time, slot uint8) {
	in := os.seed.replica.reading[slot]
	if !in.reader.Read(readsAStep, ledger.JoinsAStep) {
		in.at = now.Add(ledger.RestEach)
		return
	}
	os.seed.replica.reading[slot] = nil
	s, m := in.reader.State, in.message
	meta := m.GetSnapshot().GetMetadata()
	if s == nil || len(s.Seats) != len(os.seed.cfg.Seeds) || s.Began != os.seed.founding || meta.GetIndex() > s.Place()+placeAhead || s.BarsChanged > meta.GetIndex() ||
		!s.WordsHold() || !os.sitsInLog(s, meta.GetConfState()) {
		os.seed.stats.Drops[hearsay.DropMalformed]++
		return
	}
	m.Snapshot.Data = nil
	os.seed.replica.offers[slot] = &offer{
		message: m, snapshot: s, chain: os.seed.chain.Beside(s.Epoch, s.Head, s.Began), askAt: now, until: now.Add(offerPatience), cases: s.Cases,
	}
	os.tryOffer(now, slot)
}

// offerPatience is how long a snapshot waits for its proof. Guess: who leads sends another by then
// (snapshotPatience), if this seed lacks one still.
const offerPatience = 5 * snapshotPatience

// placeAhead is how many entries a log may have behind the one that opened the case of the last
// ruling. With less than that no log comes to indexMost, where no entry has room any more.
// Guess: two weeks of the most entries that a leader gathers (GatherEvery), none of which rules.
const placeAhead = 1 << 28

// sitsInLog reports whether a quorum of the seats are voters of a snapshot's log, as
// many vote as there are seats, and nobody that was never seated. Until a new life is a voter
// the old one is, which says nothing any more: messages are taken of seats only. A seed with a
// log knows the old ones, but for those that came while it was away: one for each seat that is
// another there. One without knows that a seat votes which is as it was at the founding.
func (os *offers) sitsInLog(s *ledger.State, config *raftpb.ConfState) bool {
	ids, own := make([]uint64, len(s.Seats)), os.seed.replica.log.config
	for slot, seat := range s.Seats {
		ids[slot] = seat.RaftID(os.seed.cfg.Network)
	}
	here := slices.Concat(own.GetVoters(), own.GetVotersOutgoing(), own.GetLearners())
	changed := 0 // seats
	for _, id := range ids {
		if !slices.Contains(here, id) {
			changed++
		}
	}
	holds := func(voters []uint64) bool {
		seated, unknown := 0, 0
		for i, id := range voters {
			switch {
			case slices.Contains(voters[:i], id):
				return false
			case slices.Contains(ids, id):
				seated++
			case !slices.Contains(here, id):
				unknown++
			}
		}
		if len(here) > 0 && unknown > changed {
			return false
		}
		for slot, seat := range s.Seats {
			if len(here) == 0 && seat == s.Founding[slot] && !slices.Contains(voters, ids[slot]) {
				return false
			}
		}
		return len(voters) == len(s.Seats) && seated >= s.Quorum()
	}
	outgoing := config.GetVotersOutgoing()
	return holds(config.GetVoters()) && (len(outgoing) == 0 || holds(outgoing))
}

// tryOffer gives the library a snapshot that is proven, and drops one that cannot be.
func (os *offers) tryOffer(now time.Time, slot uint8) {
	o := os.seed.replica.offers[slot]
	s, m := o.snapshot, o.message
	switch {
	case m.GetTerm() < os.seed.replica.node.BasicStatus().GetTerm():
		os.seed.stats.Drops[hearsay.DropUnexpected]++ // its sender leads no more
	case m.GetSnapshot().GetMetadata().GetIndex() <= os.seed.replica.log.hard.GetCommit():
		// so much is here: the library says so
		os.takeOffer(now, slot)
		return
	case os.seed.state != nil && (s.Epoch < os.seed.state.Epoch || s.Epoch == os.seed.state.Epoch && s.Head != os.seed.state.Head):
		os.seed.stats.Drops[hearsay.DropUnproven]++
	case !os.knowsSeats(o) || !os.provesOffer(o):
		o.restAt = time.Time{} // it waits for more than time
		return
	case now.Before(o.restAt):
		return
	case !o.verify(now, os.seed.signer):
		os.seed.stats.Drops[hearsay.DropBadSignature]++
	case o.restAt.IsZero():
		os.takeOffer(now, slot)
		return
	default:
		return
	}
	os.seed.replica.offers[slot] = nil
}

// verify looks whether the members have signed their claims, and the seats the ballots of open
// cases, as many as a step may: the roster lists members by those claims, and ballots decide.
// It reports whether they have, as far as it has looked; restAt is zero when all is looked at.
func (o *offer) verify(now time.Time, signer *rememberer) (signed bool) {
	s, verified := o.snapshot, signer.verified
	for n := 0; o.verified.Part < len(s.Members.Parts) || len(o.cases) > 0; n++ {
		if n >= ledger.JoinsAStep || signer.verified-verified >= ledger.VerifiesAStep {
			o.restAt, o.until = now.Add(ledger.RestEach), now.Add(offerPatience)
			return true
		}
		if m := o.nextMember(); m != nil {
			if c := &m.Claim; !ledger.OwnClaim(s.Network, c) || !c.Card.Key.IsZero() && !c.Verify(s.Network, signer) {
				return false
			}
			continue
		}
		if len(o.cases) == 0 {
			break
		}
		c := o.cases[0]
		o.cases = o.cases[1:]
		for i := range c.Ballots {
			b := &c.Ballots[i]
			if seat := s.Seats[b.Slot]; b.About != c.About || b.Case != c.ID || b.Life == seat.Life && !s.Signed(b, seat.Key) {
				return false
			}
		}
	}
	o.restAt = time.Time{}
	return true
}

// nextMember gives the next member whose claim is not verified; nil: there is none.
func (o *offer) nextMember() *ledger.Member {
	parts, at := &o.snapshot.Members.Parts, &o.verified
	for at.Part < len(parts) && at.Member == len(parts[at.Part]) {
		*at = ledger.Cursor{Part: at.Part + 1}
	}
	if at.Part == len(parts) {
		return nil
	}
	at.Member++
	return &parts[at.Part][at.Member-1]
}

func (os *offers) takeOffer(now time.Time, slot uint8) {
	o := os.seed.replica.offers[slot]
	os.seed.replica.offers[slot], os.seed.replica.taken = nil, o.snapshot
	os.seed.driver.step(o.message)
	os.seed.driver.work(now)
	os.seed.replica.taken = nil
}

// knowsSeats reports whether a snapshot's seats are those that are known here. To a
// seat in which nobody sits by the ledger somebody may have come.
func (os *offers) knowsSeats(o *offer) bool {
	for slot, seat := range o.snapshot.Seats {
		vacant := seat.Life.IsZero() && (os.seed.state == nil || os.seed.state.Seats[slot].Life.IsZero())
		if !vacant && seat != os.seed.seats.known[slot].seat {
			return false
		}
	}
	return true
}

// provesOffer reports whether the ledger of a snapshot is proven: by the founding that this
// life takes part in, by the ledger here, or by heads.
func (os *offers) provesOffer(o *offer) bool {
	s := o.snapshot
	if s.Head == os.seed.founding || os.seed.state != nil && s.Epoch == os.seed.state.Epoch {
		return true // nothing was ruled after the founding, or as much as here
	}
	return o.chain.Proven() >= s.Epoch
}

// hearForOffers takes heads for the snapshots that wait, and the rulings after one, from
// its sender.
func (os *offers) hearForOffers(now time.Time, p *core.Packet, m *core.Rulings) {
	if os.seed.replica == nil {
		return
	}
	from := os.seed.directory.sender(p)
	for slot := range uint8(len(os.seed.cfg.Seeds)) {
		o := os.seed.replica.offers[slot]
		if o == nil {
			continue
		}
		if os.seed.heads.slotAt(p.Addr) == int(slot) {
			o.chain.GoOn(m.Items, o.snapshot.Epoch)
		}
		for i := range m.Heads {
			h := &m.Heads[i]
			if int(h.Slot) >= len(os.seed.cfg.Seeds) || int(h.Slot) == os.seed.cfg.Slot || !o.chain.OfFounding(h) || !os.seed.heads.affordsCheck(now, from) {
				continue
			}
			got := o.chain.Hear(h, os.seed.seats.known[h.Slot].seat.Key, 0)
			if got.Verified {
				os.seed.heads.checked(now, from, 1)
			}
			if got.Forged {
				os.seed.stats.Drops[hearsay.DropBadSignature]++
				break
			}
		}
		if os.tryOffer(now, slot); os.seed.replica == nil || os.seed.mustStop != "" {
			return
		}
	}
}

// tickOffers asks the senders of snapshots for heads, and all for who sits in seats that
// are not known. If a hello does not say it, the rulings between do (walk).
func (os *offers) tickOffers(now time.Time) {
	os.seed.replica.dropParts(now)
	for slot := range uint8(len(os.seed.cfg.Seeds)) {
		o := os.seed.replica.offers[slot]
		if o == nil || now.Before(o.askAt) {
			continue
		}
		if os.tryOffer(now, slot); os.seed.replica.offers[slot] == nil {
			continue
		}
		if !now.Before(o.until) {
			os.seed.replica.offers[slot] = nil
			continue
		}
		o.askAt = now.Add(fetchEvery)
		if !os.knowsSeats(o) {
			for other := range os.seed.others() {
				os.seed.seats.askSeat(now, other)
			}
		}
		os.seed.send(os.seed.cfg.Seeds[slot].Addr, &core.LedgerReq{After: o.chain.Epoch()})
	}
}

// membersOver is how many times the members that the limits allow a snapshot may have. Guess:
// limits may have been raised while this seed was away, or been lowered since.
const membersOver = 4

// membersMost is how many members a snapshot has at most that this seed takes.
func (os *offers) membersMost() int {
	return membersOver * int(max(os.seed.cfg.Limits.Members, os.seed.Limits().Members))
}

// snapshotMost is how many bytes a snapshot of a log has at most that this seed takes.
func (os *offers) snapshotMost() int {
	return ledger.SnapshotMost(os.membersMost(), len(os.seed.cfg.Seeds))
}
