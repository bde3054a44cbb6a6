package roster

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file is what differs in a seeded network: the ledger decides which nodes are members, and the roster follows it.
// Claims bring addresses and incarnations, of members only; a claim of dead does not exist; and the observers' word is
// brought to the seeds, which are members themselves, and observe nobody.

// Follow makes this the roster of a seeded network: role says as what a node is in, by the ledger and the seats, and is
// RoleUnknown for one that is not; ledger is what statements are about, and behind whether more of it is known to come
// (nil: it never is). It is called before the first step.
func (r *Roster) Follow(role func(hearsay.NodeID) hearsay.Role, ledger func() hearsay.LedgerID, behind func() bool) {
	r.members.role, r.ledger, r.names.behind = role, ledger, behind
}

// Unfollow makes this the roster of an open network again. It is called while it lists nobody: the ledger was never
// known. The contacts were seeds, which are no members.
func (r *Roster) Unfollow(now time.Time) {
	r.members.role, r.names.behind = nil, nil
	r.ledger = func() hearsay.LedgerID { return hearsay.LedgerID{Network: r.network} }
	r.contacts.configured, r.contacts.tryAt = nil, now
}

// Admit lists a member that a ruling has admitted, by the claim that it asked with. Its signature is verified already:
// by a quorum of seeds, each for its ballot, or by this node before it took over a whole roster. By now another ruling
// may have ended that stay: a node that hears of both at once lists it all the same, and then as dead.
func (r *Roster) Admit(now time.Time, c *hearsay.Claim) {
	if c.Subject == r.members.me() {
		r.ownWord.admitted(now, c)
		return
	}
	if m := r.members.get(c.Subject); m != nil && !m.state.Living() && c.Incarnation <= r.members.incarnation(m) {
		was := r.members.stateOf(m)
		r.setState(now, m, hearsay.StateAlive) // of its earlier stay this is the newest word
		delete(r.members.held, r.members.number(m))
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberReturned, Subject: c.Subject, State: was, Incarnation: r.members.incarnation(m)})
		return
	}
	if c.Bare() {
		r.admitGuest(now, c)
		return
	}
	r.admits = c.Subject
	r.takeClaim(now, &core.Packet{From: c.Subject, Addr: c.Card.Addr}, c)
	r.admits = hearsay.NodeID{}
}

// admitGuest lists a member that has no key and so has signed nothing: the
// ruling stands for its word, and nothing else brings it.
func (r *Roster) admitGuest(now time.Time, c *hearsay.Claim) {
	m := r.members.get(c.Subject)
	switch {
	case m == nil:
		r.add(now, c, c)
	case c.Incarnation > r.members.incarnation(m):
		r.renew(now, m, c)
	}
}

// Expel lists a member as dead whose stay a ruling has ended. By is the member that
// reported it, and evidence what it brought; both may be lacking.
func (r *Roster) Expel(now time.Time, id, by hearsay.NodeID, evidence *hearsay.Evidence) {
	m := r.members.get(id)
	if m == nil || m == r.members.self || !m.state.Living() {
		return
	}
	h := &held{by: by}
	if evidence != nil {
		h.evidence = evidence.Hash(r.network)
	}
	r.dies(now, m, h)
	if evidence != nil {
		r.evidence.keep(h.evidence, evidence)
	}
	r.out.stats.Deaths++
	r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberRemoved, Subject: id, By: by, Incarnation: r.members.incarnation(m), Evidence: evidence})
}

// Depart lists a member as left whose stay a ruling has ended by its own word. The word that the ruling has seen is not
// one that could be told here, so that within the roster it is as dead as a member that was removed.
func (r *Roster) Depart(now time.Time, id hearsay.NodeID) {
	m := r.members.get(id)
	if m == nil || m == r.members.self || !m.state.Living() {
		return
	}
	r.dies(now, m, &held{left: true})
	r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: id, Incarnation: r.members.incarnation(m)})
}
