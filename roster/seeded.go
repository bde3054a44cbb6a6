package roster

import (
	"time"

	"hearsay"
	"hearsay/ring"
)

// This file is what differs in a seeded network: who is in, the ledger says, and
// the roster follows it. Claims bring addresses and incarnations, of members only;
// a claim of dead does not exist; and the observers' word is brought to the seeds,
// who are members themselves, and nobody's observers.

// Follow makes this the roster of a seeded network: role says as what a node is
// in, by the ledger and the seats, and is RoleUnknown for who is not; ledger is what
// statements are about. It is called before the first step.
func (r *Roster) Follow(role func(hearsay.NodeID) hearsay.Role, ledger func() hearsay.LedgerID) {
	r.role, r.ledger = role, ledger
}

// seeded reports whether the ledger says who is in.
func (r *Roster) seeded() bool { return r.role != nil }

// Admit lists a member that a ruling has admitted, by the claim that it asked
// with. Its signature is verified already: by a quorum of seeds, each for its ballot, or
// by this node before it took over a whole roster. By now another ruling may have ended that stay: who hears of both at once
// lists it all the same, and then as dead.
func (r *Roster) Admit(now time.Time, c *hearsay.Claim) {
	if c.Subject == r.id(r.self) {
		return
	}
	if m := r.members.get(c.Subject); m != nil && !m.state.Living() && c.Incarnation <= r.incarnation(m) {
		was := r.stateOf(m)
		r.setState(now, m, hearsay.StateAlive) // of its earlier stay this is the newest word
		delete(r.held, r.members.number(m))
		r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberReturned, Subject: c.Subject, State: was, Incarnation: r.incarnation(m)})
		return
	}
	if c.Bare() {
		r.admitGuest(now, c)
		return
	}
	r.admits = c.Subject
	r.Claim(now, &hearsay.Packet{From: c.Subject, Addr: c.Card.Addr}, c)
	r.admits = hearsay.NodeID{}
}

// admitGuest lists a member that has no key and so has signed nothing: the
// ruling stands for its word, and nothing else brings it.
func (r *Roster) admitGuest(now time.Time, c *hearsay.Claim) {
	m := r.members.get(c.Subject)
	switch {
	case m == nil:
		r.add(now, c, c)
	case c.Incarnation > r.incarnation(m):
		r.renew(now, m, c)
	}
}

// Guest reports whether a member is listed without a key.
func (r *Roster) Guest(id hearsay.NodeID) bool {
	m := r.members.get(id)
	return m != nil && r.members.word(m).key.IsZero()
}

// Mute reports whether a member is no use as a relay: a guest does not speak as
// we do, and a suspect, or one that is away, probably does not answer, which would be held against this
// node itself. When most of a network dies at once, a node that is left would not trust
// itself for a minute, and abstain from all that has to be decided.
func (r *Roster) Mute(id hearsay.NodeID) bool {
	m := r.members.get(id)
	return m != nil && (m.state == hearsay.StateSuspect || r.isAway(m) || r.members.word(m).key.IsZero())
}

// guestDialect is what members without a key speak: the lines of package
// dialect.
const guestDialect = "jsonl"

// Expel lists a member as dead whose stay a ruling has ended. By is who reported
// it, and evidence what it brought; both may be lacking.
func (r *Roster) Expel(now time.Time, id, by hearsay.NodeID, evidence *hearsay.Evidence) {
	m := r.members.get(id)
	if m == nil || m == r.self || !m.state.Living() {
		return
	}
	r.dropAccusation(m)
	r.setState(now, m, hearsay.StateDead)
	h := &held{by: by}
	if evidence != nil {
		h.evidence = evidence.Hash(r.network)
		r.keepEvidence(h.evidence, evidence)
	}
	r.hold(m, h)
	r.stats.Deaths++
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberRemoved, Subject: id, By: by, Incarnation: r.incarnation(m), Evidence: evidence})
}

// Depart lists a member as left whose stay a ruling has ended by its own word.
// The word that the ruling has seen is not one that could be told here, so that
// within the roster it is as dead as one who was removed.
func (r *Roster) Depart(now time.Time, id hearsay.NodeID) {
	m := r.members.get(id)
	if m == nil || m == r.self || !m.state.Living() {
		return
	}
	r.dropAccusation(m)
	r.setState(now, m, hearsay.StateDead)
	r.hold(m, &held{left: true})
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: id, Incarnation: r.incarnation(m)})
}

// Word gives the newest that a member has signed of itself.
func (r *Roster) Word(id hearsay.NodeID) (c hearsay.Claim, known bool) {
	m := r.members.get(id)
	if m == nil {
		return c, false
	}
	c = hearsay.Claim{Subject: id, State: hearsay.StateAlive, Incarnation: r.incarnation(m), Card: r.card(m)}
	if m.state == hearsay.StateLeft {
		c.State = hearsay.StateLeft
	}
	return c, true
}

// Rejoin begins a new stay of this node: its own word is over with the last.
func (r *Roster) Rejoin(now time.Time) {
	r.raise(now, 0)
	r.tell(r.self)
}

// tellSeeds tells them first that a member is suspect: they begin to probe it.
func (r *Roster) tellSeeds(m *member) {
	for _, number := range r.living {
		if one := r.members.at(number); r.isSeed(one) {
			r.tellOne(r.card(one).Addr, m)
		}
	}
}

// peersObserving appends the observers of a subject in a seeded network: no
// seeds, and no guests, who can sign nothing.
func (r *Roster) peersObserving(dst []hearsay.NodeID, subject hearsay.NodeID) []hearsay.NodeID {
	var peers []hearsay.NodeID
	for i := range len(r.living) + 1 {
		m := r.self
		if i < len(r.living) {
			m = r.members.at(r.living[i])
		}
		if id := r.id(m); id != subject && !r.isSeed(m) && !r.Guest(id) {
			peers = append(peers, id)
		}
	}
	return ring.Observers(dst, subject, ring.Of(peers), min(r.cfg.Observers, len(peers)))
}

func (r *Roster) isSeed(m *member) bool { return r.card(m).Role == hearsay.RoleSeed }
