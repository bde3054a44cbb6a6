package roster

import (
	"net/netip"
	"time"

	"hearsay"
)

// refutation is one that is due but must wait, so that forged claims cannot
// make this node flood the network.
type refutation struct {
	due   time.Time // zero: none
	state hearsay.State
	by    hearsay.NodeID
	over  hearsay.Incarnation // what to rise above
	addr  netip.AddrPort      // of a word of this node's own key: where that says it is
}

// raise takes a new incarnation over last and signs it. It is durable before
// it is told, and so never used again.
func (r *Roster) raise(now time.Time, last hearsay.Incarnation) {
	m := r.self
	if r.incarnation(m) != 0 {
		r.rehash(now, m)
	}
	r.sign(hearsay.NextIncarnation(max(last, r.incarnation(m)), now.Add(r.apart())))
	r.rehash(now, m)
	r.out.Persist = append(r.out.Persist, &hearsay.OwnIncarnation{Incarnation: r.incarnation(m)})
}

// MoveTo tells everybody that this node is reached at another address now.
func (r *Roster) MoveTo(now time.Time, addr netip.AddrPort) {
	m := r.self
	if addr == r.addr(m) || m.state == hearsay.StateLeft || r.departs != nil {
		return
	}
	r.rehash(now, m) // out with the old incarnation
	r.signAt(hearsay.NextIncarnation(r.incarnation(m), now), addr)
	r.rehash(now, m)
	r.out.Persist = append(r.out.Persist, &hearsay.OwnIncarnation{Incarnation: r.incarnation(m)})
	r.tell(m)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberMoved, Subject: r.id(m), Addr: addr, Incarnation: r.incarnation(m)})
}

// sign signs this node's own word, of this incarnation.
func (r *Roster) sign(incarnation hearsay.Incarnation) { r.signAt(incarnation, r.addr(r.self)) }

func (r *Roster) signAt(incarnation hearsay.Incarnation, addr netip.AddrPort) {
	c := r.claim(r.self, withCard)
	c.Incarnation, c.Card.Addr = incarnation, addr
	c.Sign(r.network, r.signer)
	r.members.renew(r.self, incarnation, &c.Card)
}

// claimedSelf takes a claim about this node. Suspect or dead is refuted; an
// incarnation of its own that it does not remember is passed over.
func (r *Roster) claimedSelf(now time.Time, p *hearsay.Packet, c *hearsay.Claim) {
	m := r.self
	switch {
	case c.Incarnation < r.incarnation(m), m.state == hearsay.StateLeft, r.departs != nil:
		return
	case c.Incarnation == r.incarnation(m):
		if c.State == hearsay.StateAlive {
			return
		}
		if c.State == hearsay.StateLeft {
			return // only its own signature makes that, and it has not signed
		}
	case !c.Bare() && !r.affordVerify(now, p):
		r.drops[hearsay.DropRate]++
		return
	case c.Bare() || !c.Verify(r.network, r.signer):
		r.drops[hearsay.DropBadSignature]++ // ahead of what it ever said, and not its word
		return
	case c.Incarnation >= hearsay.MaxIncarnation: // there would be nothing beyond it
		r.drops[hearsay.DropFarFuture]++
		return
	case r.noteTwin(now, c):
		r.refute = refutation{} // nothing more is signed: the other would count it
		return
	}
	r.refute = refutation{
		due: later(now, r.refuted.Add(refuteEvery)), state: c.State, by: c.By, over: max(c.Incarnation, r.refute.over),
	}
	if c.State == hearsay.StateAlive {
		r.refute.addr = c.Card.Addr
	}
	r.tickRefutation(now)
	if r.refute.due.IsZero() && p.From != r.id(r.self) {
		// A node that holds it against this one hears first that it lives.
		r.answerWith(p, r.self)
	}
}

// tickRefutation raises the incarnation when a refutation is due.
func (r *Roster) tickRefutation(now time.Time) {
	if r.refute.due.IsZero() || now.Before(r.refute.due) {
		return
	}
	was := r.refute
	r.refute, r.refuted = refutation{}, now
	r.stats.Refutations++
	r.raise(now, was.over)
	r.tell(r.self)
	if was.state == hearsay.StateDead {
		r.renewAccusations(now)
	}
	r.event(hearsay.Event{
		At: now, Kind: hearsay.EventRefuted, Subject: r.id(r.self), By: was.by, State: was.state, Incarnation: r.incarnation(r.self), Addr: was.addr, Text: refuted(was.state),
	})
}

// refuted says what was refuted that nobody else has claimed.
func refuted(state hearsay.State) string {
	if state == hearsay.StateAlive {
		return "a word of this node's own key that was newer than all that it has said: of an earlier life, or of another process with its identity"
	}
	return ""
}

// apart moves the time of an incarnation by some milliseconds that depend on this node's
// address. Two processes with one identity that are started together, or go on together after a
// pause, raise it in the same millisecond: with the same incarnation neither would be newer, and
// none heard of the other.
func (r *Roster) apart() time.Duration {
	const spread = 61 // a prime, so that neighboring addresses differ. A guess
	sum := uint(r.addr(r.self).Port())
	for _, b := range r.addr(r.self).Addr().As16() {
		sum = sum*31 + uint(b)
	}
	return time.Duration(sum%spread) * time.Millisecond
}

// Leave signs this node's leave and makes it news.
func (r *Roster) Leave(now time.Time) {
	if r.self.state == hearsay.StateLeft {
		return
	}
	r.self.state, r.refute = hearsay.StateLeft, refutation{}
	r.cameInto(now, r.self)
	r.rehash(now, r.self)
	r.sign(r.incarnation(r.self))
	r.tell(r.self)
	for _, a := range r.contacts.asked {
		r.tellOne(a.addr, r.self) // it may have this node in, and its roster is still on the way
	}
	kind := hearsay.EventMemberLeft
	if r.seeded() && !r.isSeed(r.self) {
		kind = hearsay.EventLeaving // whether it has left the seeds decide
	}
	r.event(hearsay.Event{At: now, Kind: kind, Subject: r.id(r.self), Incarnation: r.incarnation(r.self)})
}

// HasLeft reports whether this node has signed its leave.
func (r *Roster) HasLeft() bool { return r.self.state == hearsay.StateLeft }

// Gone reports whether this node has left, or gone away, and told enough others, or found
// nobody to tell.
func (r *Roster) Gone() bool {
	return r.departs.told() || r.self.state == hearsay.StateLeft && (r.self.told < 0 || len(r.living) == 0)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
