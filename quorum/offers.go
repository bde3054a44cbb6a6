package quorum

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
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

	verified cursor         // so far the claims of the members are verified
	cases    []*ledger.Case // whose ballots are not
	restAt   time.Time      // when more of them are verified; zero: nothing is under way
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
func (q *Quorum) offered(now time.Time, slot uint8, m *raftpb.Message) {
	r := q.replica
	if o := r.offers[slot]; o != nil && !o.restAt.IsZero() && o.message.GetTerm() == m.GetTerm() {
		return
	}
	if in := r.reading[slot]; in != nil && in.message.GetTerm() == m.GetTerm() {
		return
	}
	r.reading[slot] = &snapshotReading{message: m, reader: ledger.NewSnapshotReader(q.cfg.Network, q.signer, m.GetSnapshot().GetData(), q.membersMost())}
	q.readOn(now, slot)
}

// readOn reads as much of a snapshot as a step may.
func (q *Quorum) readOn(now time.Time, slot uint8) {
	in := q.replica.reading[slot]
	if !in.reader.Read(readsAStep, joinsAStep) {
		in.at = now.Add(restEach)
		return
	}
	q.replica.reading[slot] = nil
	s, m := in.reader.State, in.message
	meta := m.GetSnapshot().GetMetadata()
	if s == nil || len(s.Seats) != len(q.cfg.Seeds) || s.Began != q.founding || meta.GetIndex() > s.Place()+placeAhead || s.BarsChanged > meta.GetIndex() ||
		!s.WordsHold() || !q.sitsInLog(s, meta.GetConfState()) {
		q.drops[hearsay.DropMalformed]++
		return
	}
	m.Snapshot.Data = nil
	q.replica.offers[slot] = &offer{
		message: m, snapshot: s, chain: q.chain.Beside(s.Epoch, s.Head, s.Began), askAt: now, until: now.Add(offerPatience), cases: s.Cases,
	}
	q.tryOffer(now, slot)
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
func (q *Quorum) sitsInLog(s *ledger.State, config *raftpb.ConfState) bool {
	ids, own := make([]uint64, len(s.Seats)), q.replica.log.config
	for slot, seat := range s.Seats {
		ids[slot] = seat.RaftID(q.cfg.Network)
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
func (q *Quorum) tryOffer(now time.Time, slot uint8) {
	o := q.replica.offers[slot]
	s, m := o.snapshot, o.message
	switch {
	case m.GetTerm() < q.replica.node.BasicStatus().GetTerm():
		q.drops[hearsay.DropUnexpected]++ // its sender leads no more
	case m.GetSnapshot().GetMetadata().GetIndex() <= q.replica.log.hard.GetCommit(): // so much is here: the library says so
		q.takeOffer(now, slot)
		return
	case q.state != nil && (s.Epoch < q.state.Epoch || s.Epoch == q.state.Epoch && s.Head != q.state.Head):
		q.drops[hearsay.DropUnproven]++
	case !q.knowsSeats(o) || !q.provesOffer(o):
		o.restAt = time.Time{} // it waits for more than time
		return
	case now.Before(o.restAt):
		return
	case !o.verify(now, q.signer):
		q.drops[hearsay.DropBadSignature]++
	case o.restAt.IsZero():
		q.takeOffer(now, slot)
		return
	default:
		return
	}
	q.replica.offers[slot] = nil
}

// verify looks whether the members have signed their claims, and the seats the ballots of open
// cases, as many as a step may: the roster lists members by those claims, and ballots decide.
// It reports whether they have, as far as it has looked; restAt is zero when all is looked at.
func (o *offer) verify(now time.Time, signer *rememberer) (signed bool) {
	s, verified := o.snapshot, signer.verified
	for n := 0; o.verified.part < len(s.Members.Parts) || len(o.cases) > 0; n++ {
		if n >= joinsAStep || signer.verified-verified >= verifiesAStep {
			o.restAt, o.until = now.Add(restEach), now.Add(offerPatience)
			return true
		}
		if m := o.nextMember(); m != nil {
			if c := &m.Claim; !own(s.Network, c) || !c.Card.Key.IsZero() && !c.Verify(s.Network, signer) {
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
	for at.part < len(parts) && at.member == len(parts[at.part]) {
		*at = cursor{part: at.part + 1}
	}
	if at.part == len(parts) {
		return nil
	}
	at.member++
	return &parts[at.part][at.member-1]
}

func (q *Quorum) takeOffer(now time.Time, slot uint8) {
	o := q.replica.offers[slot]
	q.replica.offers[slot], q.replica.taken = nil, o.snapshot
	q.step(o.message)
	q.work(now)
	q.replica.taken = nil
}

// knowsSeats reports whether a snapshot's seats are those that are known here. To a
// seat in which nobody sits by the ledger somebody may have come.
func (q *Quorum) knowsSeats(o *offer) bool {
	for slot, seat := range o.snapshot.Seats {
		vacant := seat.Life.IsZero() && (q.state == nil || q.state.Seats[slot].Life.IsZero())
		if !vacant && seat != q.seats.known[slot].seat {
			return false
		}
	}
	return true
}

// provesOffer reports whether the ledger of a snapshot is proven: by the founding that this
// life takes part in, by the ledger here, or by heads.
func (q *Quorum) provesOffer(o *offer) bool {
	s := o.snapshot
	if s.Head == q.founding || q.state != nil && s.Epoch == q.state.Epoch {
		return true // nothing was ruled after the founding, or as much as here
	}
	return o.chain.Proven() >= s.Epoch
}

// hearForOffers takes heads for the snapshots that wait, and the rulings after one, from
// its sender.
func (q *Quorum) hearForOffers(now time.Time, p *hearsay.Packet, m *hearsay.Rulings) {
	if q.replica == nil {
		return
	}
	from := q.directory.sender(p)
	for slot := range uint8(len(q.cfg.Seeds)) {
		o := q.replica.offers[slot]
		if o == nil {
			continue
		}
		if q.slotAt(p.Addr) == int(slot) {
			o.chain.GoOn(m.Items, o.snapshot.Epoch, unprovenMost)
		}
		for i := range m.Heads {
			h := &m.Heads[i]
			if int(h.Slot) >= len(q.cfg.Seeds) || int(h.Slot) == q.cfg.Slot || !o.chain.OfFounding(h) || !q.affordsCheck(now, from) {
				continue
			}
			got := o.chain.Hear(h, q.seats.known[h.Slot].seat.Key, 0)
			if got.Verified {
				q.checked(now, from, 1)
			}
			if got.Forged {
				q.drops[hearsay.DropBadSignature]++
				break
			}
		}
		if q.tryOffer(now, slot); q.replica == nil || q.doomed != "" {
			return
		}
	}
}

// tickOffers asks the senders of snapshots for heads, and all for who sits in seats that
// are not known. If a hello does not say it, the rulings between do (walk).
func (q *Quorum) tickOffers(now time.Time) {
	q.replica.dropParts(now)
	for slot := range uint8(len(q.cfg.Seeds)) {
		o := q.replica.offers[slot]
		if o == nil || now.Before(o.askAt) {
			continue
		}
		if q.tryOffer(now, slot); q.replica.offers[slot] == nil {
			continue
		}
		if !now.Before(o.until) {
			q.replica.offers[slot] = nil
			continue
		}
		o.askAt = now.Add(fetchEvery)
		if !q.knowsSeats(o) {
			for other := range q.others() {
				q.askSeat(now, other)
			}
		}
		q.send(q.cfg.Seeds[slot].Addr, &hearsay.LedgerReq{After: o.chain.Epoch()})
	}
}

// membersOver is how many times the members that the limits allow a snapshot may have. Guess:
// limits may have been raised while this seed was away, or been lowered since.
const membersOver = 4

// membersMost is how many members a snapshot has at most that this seed takes.
func (q *Quorum) membersMost() int {
	return membersOver * int(max(q.cfg.Limits.Members, q.Limits().Members))
}

// snapshotMost is how many bytes a snapshot of a log has at most that this seed takes.
func (q *Quorum) snapshotMost() int { return ledger.SnapshotMost(q.membersMost(), len(q.cfg.Seeds)) }
