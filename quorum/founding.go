package quorum

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// found begins a log at an index with a state that this seed brings, and with
// the seats of that state as voters.
func (q *Quorum) found(now time.Time, s *state, index, term uint64) {
	q.state = s
	if s.epoch == 0 {
		q.chain.restart(0, s.head)
	}
	config := &raftpb.ConfState{}
	for _, seat := range s.seats {
		q.seats.sit(q.cfg.Network, seat, 0)
		config.Voters = append(config.Voters, seat.RaftID(q.cfg.Network))
		if !seat.Life.IsZero() {
			q.persist(&hearsay.SeedPin{Seat: seat})
		}
	}
	log := q.emptyLog()
	log.restore(index, term, config)
	log.hard = &raftpb.HardState{Term: new(term), Vote: new(uint64(0)), Commit: new(index)}
	q.replica = newReplica(&q.cfg, q.seat().RaftID(q.cfg.Network), log)
	q.persist(&hearsay.LogState{Term: term, Commit: index})
	q.keepSnapshot()
	q.event(hearsay.Event{At: now, Kind: hearsay.EventSeatFounded, Subject: q.signer.Public().NodeID(), Count: len(s.seats), Epoch: s.epoch})
	for slot := range q.cfg.Seeds {
		if slot != q.cfg.Slot {
			q.hello(now, slot) // it tells who sits where
		}
	}
	_ = q.replica.node.Campaign() // refused only by who has no seat
	q.work(now)
}

// Found founds the network with the seeds that have been met, a quorum at
// least. The others get their seats when they come. It is for an operator who
// knows that there is no ledger anywhere.
func (q *Quorum) Found(now time.Time) error {
	if q.state != nil {
		return fmt.Errorf("found: this seed has a ledger already")
	}
	lives, met := q.whoIsThere()
	switch {
	case met < q.Needed():
		return fmt.Errorf("found: %d of %d seeds were met, %d are needed: start more of them", met, len(lives), q.Needed())
	case len(lives) <= 2 && met < len(lives):
		return fmt.Errorf("found: with %d seeds all of them must be there", len(lives))
	}
	q.found(now, newState(q.cfg.Network, q.signer, lives), 1, q.firstTerm())
	return nil
}

// firstTerm is the term in which a log begins: later than any in which this
// life has promised something. A founding of which nobody was told may have
// been torn apart by a crash.
func (q *Quorum) firstTerm() uint64 {
	if q.replica == nil {
		return 1
	}
	return q.replica.log.hard.GetTerm() + 1
}

// whoIsThere gives the seats as they are met, and how many are.
func (q *Quorum) whoIsThere() (lives []hearsay.Seat, met int) {
	lives = make([]hearsay.Seat, len(q.cfg.Seeds))
	for slot := range q.cfg.Seeds {
		lives[slot].Slot = uint8(slot)
		if h := &q.seats.heard[slot]; slot == q.cfg.Slot {
			lives[slot] = q.seat()
			met++
		} else if !h.at.IsZero() {
			lives[slot] = h.seat
			met++
		}
	}
	return lives, met
}

// recoverGap is how far a recovered log begins behind the lost one, in
// entries, so that no case gets the id of one that others may have voted on.
const recoverGap = 1 << 20

// Recover begins anew from this seed's ledger, alone, because the quorum is
// lost for ever: as the only seed of the list, or with others that have come
// with empty directories. The seed was made with Config.Recover. It says what
// is given up. Peers that know the other seeds' keys do not believe the ledger
// from here on before they are told the new ones.
func (q *Quorum) Recover(now time.Time) (givenUp string, err error) {
	if q.state == nil {
		return "", fmt.Errorf("recover: this seed has no ledger: run it where one is left")
	}
	if !q.cfg.Recover {
		return "", fmt.Errorf("recover: this seed was started to take part")
	}
	for slot := range q.cfg.Seeds {
		switch h := &q.seats.heard[slot]; {
		case slot == q.cfg.Slot:
		case h.at.IsZero() || now.Sub(h.at) > heardFor:
			return "", fmt.Errorf("recover: the seed at %v does not answer: start it with an empty data directory, or take it out of the list of seeds", q.cfg.Seeds[slot].Addr)
		case h.founded:
			return "", fmt.Errorf("recover: the seed at %v has a ledger: stop it, and start it with an empty data directory", q.cfg.Seeds[slot].Addr)
		}
	}
	old, log := q.state, q.replica.log
	givenUp = fmt.Sprintf("the ledger goes on from epoch %d by this seed's word alone: whatever the others decided after that is lost, "+
		"with %d open cases and %d log entries that were not settled here", old.epoch, len(old.cases), log.last()-log.applied)
	q.newLife()
	seats, _ := q.whoIsThere()
	s := readSnapshot(q.cfg.Network, q.signer, old.appendSnapshot(nil))
	s.cases, s.seats = nil, seats
	s.index()
	index := log.last() + recoverGap
	r := s.rule(&hearsay.Ruling{Kind: hearsay.RulingRecover, Seats: seats, Case: hearsay.CaseID(index * hearsay.CasesAnEntry), At: now.UnixMilli()})
	q.forgetTrials()
	q.asked = nil
	q.keep(r, nil)
	q.cfg.Recover = false
	q.found(now, s, index, log.hard.GetTerm()+1)
	q.event(hearsay.Event{At: now, Kind: hearsay.EventRuled, Epoch: r.Epoch, Case: r.Case, Ruling: r, Text: givenUp})
	return givenUp, nil
}
