package roster

import (
	"time"

	"hearsay"
)

// An open network is known by its name alone, and many have the default name. When a member dies, its
// address may be given to a member of another network of that name. The others go on sending there:
// until they know of the death, and then now and then, to find the member again. The two networks must
// not become one by that. So a contact is an address and an identity, unless it is configured, and a
// packet of a stranger counts only where it names this node. A node of another network knows that name
// only if somebody has told it to join here.

// Meant reports which parts of a packet count. Of a member all do, also of a node with a hint here. Of a
// stranger those do that are for this node, and not for the one that was at its address before.
// With seeds the ledger says which nodes are members.
func (r *Roster) Meant(p *hearsay.Packet) (claims, body bool) {
	if r.seeded() || r.Known(p.From) || r.hints.known(p.From) != nil {
		return true, true
	}
	switch m := p.Body.(type) {
	case *hearsay.Roster: // it is expected: it was asked for
		return true, true
	case *hearsay.Join:
		mine := m.Target.IsZero() || m.Target == r.id(r.self)
		return mine, mine
	case *hearsay.Ping: // one for somebody else is answered with that
		return m.Names(r.id(r.self)), true
	case *hearsay.Ack, *hearsay.Nack, *hearsay.NotMe, *hearsay.RelayReq: // a number says which question they answer; silence to the last would cost its sender's trust in itself
		return false, true
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		if c.Subject == r.id(r.self) || c.Subject == p.From && c.State == hearsay.StateLeft { // the latter may overtake its Join
			return true, true
		}
	}
	return false, false
}

// unlistedAfter is how long a stranger that has pinged this node must be unknown here until one that pings it is asked.
// Guess: members hear sooner of a newcomer, which pings them at once.
const unlistedAfter = 5 * time.Second

// unlisted is a stranger that has pinged this node by name, and when.
type unlisted struct {
	id hearsay.NodeID
	at time.Time
}

// askUnlisted asks a stranger that pings this node by name whether it is there, with a packet that is no longer: it lists
// this node, and none that this node knows lists it, as where disks were put back. If it answers, it is asked for its
// roster (see ContactAck).
func (r *Roster) askUnlisted(now time.Time, p *hearsay.Packet) {
	ping, is := p.Body.(*hearsay.Ping)
	if !is || p.Stream || r.seeded() || !ping.Names(r.id(r.self)) || p.From == r.id(r.self) || r.hints.known(p.From) != nil || r.self.state == hearsay.StateLeft {
		return
	}
	switch first := &r.contacts.unlisted; {
	case first.id.IsZero(), r.members.get(first.id) != nil: // that one was only new
		*first = unlisted{p.From, now}
	case now.Sub(first.at) >= unlistedAfter:
		*first = unlisted{}
		r.tryContact(now, p.Addr, p.From)
		r.out.Now[len(r.out.Now)-1].Answer = true
	}
}

// meet asks another identity than the one that was there, at a contact, for its roster: only with
// seeds, or if the contact is configured, so that it may be anybody.
func (r *Roster) meet(now time.Time, p *hearsay.Packet, was hearsay.NodeID) {
	if !r.seeded() && !was.IsZero() {
		r.drops[hearsay.DropStranger]++
		return
	}
	r.join(now, p.Addr, hearsay.NodeID{}).met = !r.seeded() && r.contacts.joined
}
