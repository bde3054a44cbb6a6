package roster

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// ownWord is what this node says of itself: its incarnation, its address, and that it leaves.
type ownWord struct {
	*part
	refute  refutation
	refuted time.Time // when this node last raised its incarnation
}

// refutation is one that is due but must wait, so that forged claims cannot make this node flood the network.
type refutation struct {
	due   time.Time // zero: none
	state hearsay.State
	by    hearsay.NodeID
	over  hearsay.Incarnation // what to rise above
	addr  netip.AddrPort      // of a word of this node's own key: where that says it is
}

// raise takes a new incarnation over last.
func (o *ownWord) raise(now time.Time, last hearsay.Incarnation) {
	m := o.members.self
	o.renew(now, core.NextIncarnation(max(last, o.members.incarnation(m)), now.Add(o.apart())), o.members.addr(m))
}

// MoveTo tells everybody that this node is reached at another address now.
func (o *ownWord) MoveTo(now time.Time, addr netip.AddrPort) {
	m := o.members.self
	if addr == o.members.addr(m) || m.state == hearsay.StateLeft || o.roster.aways.own != nil {
		return
	}
	o.renew(now, core.NextIncarnation(o.members.incarnation(m), now), addr)
	o.roster.news.tell(m)
	o.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberMoved, Subject: o.members.id(m), Addr: addr, Incarnation: o.members.incarnation(m)})
}

// renew takes a new incarnation and signs it. It is durable before it is told, and so never used again.
func (o *ownWord) renew(now time.Time, incarnation hearsay.Incarnation, addr netip.AddrPort) {
	if o.members.incarnation(o.members.self) != 0 {
		o.members.rehash(now, o.members.self) // out with the old one
	}
	o.sign(incarnation, addr)
	o.members.rehash(now, o.members.self)
	o.out.Persist = append(o.out.Persist, &core.OwnIncarnation{Incarnation: incarnation})
}

// sign signs this node's own word, of this incarnation and address.
func (o *ownWord) sign(incarnation hearsay.Incarnation, addr netip.AddrPort) {
	c := o.members.claim(o.members.self, withCard)
	c.Incarnation, c.Card.Addr = incarnation, addr
	c.Sign(o.roster.network, o.roster.signer)
	o.members.renew(o.members.self, incarnation, &c.Card)
}

// claimed takes a claim about this node. Suspect or dead is refuted; an
// incarnation of its own that it does not remember is passed over.
func (o *ownWord) claimed(now time.Time, p *core.Packet, c *hearsay.Claim) {
	m := o.members.self
	switch {
	case c.Incarnation < o.members.incarnation(m), m.state == hearsay.StateLeft, o.roster.aways.own != nil:
		return
	case c.Incarnation == o.members.incarnation(m):
		if c.State == hearsay.StateAlive {
			if o.isOfAnother(c) && o.roster.budgets.affordVerify(now, p) && c.Verify(o.roster.network, o.roster.signer) {
				o.outdo(now, c)
			}
			return
		}
		if c.State == hearsay.StateLeft {
			return // only its own signature makes that, and it has not signed
		}
	case !c.Bare() && !o.roster.budgets.affordVerify(now, p):
		o.out.stats.Drops[hearsay.DropRate]++
		return
	case c.Bare() || !c.Verify(o.roster.network, o.roster.signer):
		o.out.stats.Drops[hearsay.DropBadSignature]++ // ahead of what it ever said, and not its word
		return
	case c.Incarnation >= hearsay.MaxIncarnation: // there would be nothing beyond it
		o.out.stats.Drops[hearsay.DropFarFuture]++
		return
	case o.roster.twins.note(now, c):
		o.refute = refutation{} // nothing more is signed: the other would count it
		return
	}
	o.refute = refutation{
		due: when.Later(now, o.refuted.Add(refuteEvery)), state: c.State, by: c.By, over: max(c.Incarnation, o.refute.over),
	}
	if c.State == hearsay.StateAlive {
		o.refute.addr = c.Card.Addr
	}
	o.tick(now)
	if o.refute.due.IsZero() && p.From != o.members.me() {
		// A node that holds it against this one hears first that it lives.
		o.out.answerWith(p, o.members.self)
	}
}

// isOfAnother reports whether a claim of this node's own incarnation says that it is elsewhere. This process signs one
// word of an incarnation, so another has its identity, and has raised the same incarnation by accident.
func (o *ownWord) isOfAnother(c *hearsay.Claim) bool {
	return !c.Bare() && c.Incarnation == o.members.incarnation(o.members.self) && c.Card.Addr != o.members.addr(o.members.self)
}

// outdo raises the incarnation above that of such a claim. Others keep the word that they heard first of an
// incarnation, so that of two equal ones neither process would hear of the other. It is no round of twins: both might
// count it, and both stop.
func (o *ownWord) outdo(now time.Time, c *hearsay.Claim) {
	o.refute = refutation{due: when.Later(now, o.refuted.Add(refuteEvery)), state: hearsay.StateAlive, over: c.Incarnation, addr: c.Card.Addr}
	o.tick(now)
}

// admitted takes the claim by which the seeds have let this node in.
func (o *ownWord) admitted(now time.Time, c *hearsay.Claim) {
	if o.members.self.state != hearsay.StateLeft && o.roster.aways.own == nil && o.isOfAnother(c) {
		o.outdo(now, c)
	}
}

// tick raises the incarnation when a refutation is due.
func (o *ownWord) tick(now time.Time) {
	if o.refute.due.IsZero() || now.Before(o.refute.due) {
		return
	}
	was := o.refute
	o.refute, o.refuted = refutation{}, now
	o.out.stats.Refutations++
	o.raise(now, was.over)
	o.roster.news.tell(o.members.self)
	if was.state == hearsay.StateDead {
		o.roster.accusations.renew(now)
	}
	o.out.event(hearsay.Event{
		At: now, Kind: hearsay.EventRefuted, Subject: o.members.me(), By: was.by, State: was.state, Incarnation: o.members.incarnation(o.members.self), Addr: was.addr, Text: refuted(was.state),
	})
}

// refuted says what was refuted that nobody else has claimed.
func refuted(state hearsay.State) string {
	if state == hearsay.StateAlive {
		return "a word of this node's own key that was newer than all that it has said: of an earlier life, or of another process with its identity"
	}
	return ""
}

// apart moves the time of an incarnation by some milliseconds that depend on this node's address. Two processes with
// one identity that are started together, or go on together after a pause, raise it in the same millisecond: with the
// same incarnation neither would be newer, and none heard of the other.
func (o *ownWord) apart() time.Duration {
	const spread = 61 // a prime, so that neighboring addresses differ. A guess
	sum := uint(o.members.addr(o.members.self).Port())
	for _, b := range o.members.addr(o.members.self).Addr().As16() {
		sum = sum*31 + uint(b)
	}
	return time.Duration(sum%spread) * time.Millisecond
}

// Leave signs this node's leave and makes it news.
func (o *ownWord) Leave(now time.Time) {
	if o.members.self.state == hearsay.StateLeft {
		return
	}
	o.members.self.state, o.refute = hearsay.StateLeft, refutation{}
	o.members.cameInto(now, o.members.self)
	o.members.rehash(now, o.members.self)
	o.sign(o.members.incarnation(o.members.self), o.members.addr(o.members.self))
	o.roster.news.tell(o.members.self)
	for _, a := range o.roster.contacts.asked {
		o.out.sendClaim(a.addr, o.members.self) // it may have this node in, and its roster is still on the way
	}
	kind := hearsay.EventMemberLeft
	if o.members.seeded() && !o.members.isSeed(o.members.self) {
		kind = hearsay.EventLeaving // whether it has left the seeds decide
	}
	o.out.event(hearsay.Event{At: now, Kind: kind, Subject: o.members.me(), Incarnation: o.members.incarnation(o.members.self)})
}

// HasLeft reports whether this node has signed its leave.
func (o *ownWord) HasLeft() bool { return o.members.self.state == hearsay.StateLeft }

// Gone reports whether this node has left, or gone away, and told enough others, or found nobody to tell.
func (o *ownWord) Gone() bool {
	return o.roster.aways.own.told() || o.members.self.state == hearsay.StateLeft && (o.members.self.told < 0 || len(o.members.living) == 0)
}
