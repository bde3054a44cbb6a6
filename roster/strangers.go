package roster

import (
	"hearsay"
	"hearsay/internal/core"
)

// An open network is known by its name alone, and many have the default name. When a member dies, its address may be
// given to a member of another network of that name. The others go on sending there: until they know of the death, and
// then now and then, to find the member again. The two networks must not become one by that. So a contact is an address
// and an identity, unless it is configured, and a packet of a stranger counts only where it names this node. A node of
// another network knows that name only if somebody has told it to join here.

// Meant reports which parts of a packet count. Of a member all do, also of a node with a hint here. Of a
// stranger those do that are for this node, and not for the one that was at its address before.
// With seeds the ledger says which nodes are members.
func (r *Roster) Meant(p *core.Packet) (claims, body bool) {
	if r.members.seeded() || r.Known(p.From) || r.hints.known(p.From) != nil {
		return true, true
	}
	switch m := p.Body.(type) {
	case *core.Roster: // it is expected: it was asked for
		return true, true
	case *core.Join:
		mine := m.Target.IsZero() || m.Target == r.members.me()
		return mine, mine
	case *core.Ping: // one for somebody else is answered with that
		return m.Names(r.members.me()), true
	case *core.Ack, *core.Nack, *core.NotMe, *core.RelayReq:
		// a number says which question they answer; silence to the last would cost its sender's trust in itself
		return false, true
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		// the latter may overtake its Join
		if c.Subject == r.members.me() || c.Subject == p.From && c.State == hearsay.StateLeft {
			return true, true
		}
	}
	return false, false
}
