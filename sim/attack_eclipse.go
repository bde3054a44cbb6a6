package sim

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// eclipseLasts is how long a joiner is watched. All that a node does to find
// others by itself it does in seconds.
const eclipseLasts = time.Minute

// layEclipse starts a joiner whose only contact lies to it, and, in a world of
// its own, one that has a second contact.
func layEclipse(t *trial) {
	alone, fakes, honest := t.eclipse(false)
	t.succeeded = honest == 0
	t.mean("fakes_believed", float64(fakes))
	t.mean("honest_members_known", float64(honest))
	t.mean("joiner_known_to_nodes", float64(alone))
	known, fakes, honest := t.eclipse(true)
	t.mean("second_contact_fakes_believed", float64(fakes))
	t.mean("second_contact_honest_members_known", float64(honest))
	t.mean("second_contact_joiner_known_to_nodes", float64(known))
	members := t.attack.Nodes - t.liars
	t.claim(honest == members && known == members,
		"a joiner with an honest contact knows %d of %d honest members, and %d know it", honest, members, known)
}

// eclipse lets n1 lie to a joiner: it hands out a roster of puppets, answers
// for them, and lets nothing through. The result is how many honest members
// know the joiner, and how many puppets and honest members it believes alive.
func (t *trial) eclipse(second bool) (known, fakes, honest int) {
	p := &puppets{}
	joiner := t.attack.Nodes
	liars := []int{0} // the contact that all have
	p.siege = t.newSiege(1, liars, &twist{takes: func(w *World, m *machine, packet *core.Packet) bool {
		if packet.Addr != p.addr(joiner) || !p.begun {
			return p.takes(w, m, packet)
		}
		return p.deceive(m, packet)
	}})
	p.invents = true
	p.run(siegeBegins, siegeStep, nil)
	for number := range t.attack.Nodes - 1 {
		p.all = append(p.all, p.invent(number))
	}
	p.begun = true
	p.w.Do(Action{Verb: Start, Who: []int{joiner + 1}})
	m := &p.w.machines[joiner]
	if second {
		liar := p.addr(p.someone())
		p.w.advance(m, func(now time.Time) *core.Effects { return m.node.Contact(now, []netip.AddrPort{liar}) })
	}
	p.run(eclipseLasts, siegeStep, nil)
	for _, one := range m.node.Members(nil) {
		switch i := p.honestAt(one.ID); {
		case !one.State.Living() || i == joiner || one.Role == hearsay.RoleSeed:
		case p.has(one.ID):
			fakes++
		case i >= 0:
			honest++
		}
	}
	for i := range p.nodes {
		if p.present(i) && p.w.machines[i].believes(m.id) {
			known++
		}
	}
	t.lawful(p.siege)
	return known, fakes, honest
}

// believes reports whether a machine's node holds an identity alive.
func (m *machine) believes(id hearsay.NodeID) bool {
	for _, one := range m.node.Members(nil) {
		if one.ID == id {
			return one.State == hearsay.StateAlive
		}
	}
	return false
}

// deceive answers what the joiner sends to the liar or to one of its puppets.
func (p *puppets) deceive(m *machine, packet *core.Packet) bool {
	reply := core.Packet{From: m.id, Addr: packet.Addr, Stream: packet.Stream}
	switch body := packet.Body.(type) {
	case *core.Join:
		own := hearsay.Claim{State: hearsay.StateAlive, Incarnation: m.node.Self().Incarnation}
		own.Card = hearsay.Card{Name: m.name, Addr: m.addr, Role: hearsay.RolePeer}
		own.Sign(p.w.id, p.identityOf(int(m.index)))
		reply.Claims = []hearsay.Claim{own}
		for i := range p.all {
			reply.Claims = append(reply.Claims, p.all[i].claim)
		}
		reply.Body = &core.Roster{}
	case *core.Ping:
		if id, ok := p.meant(body); ok {
			reply.From = id
		}
		reply.Body = &core.Ack{Seq: body.Seq}
	case *core.RelayReq:
		reply.Body = &core.Nack{Seq: body.Seq}
	default:
		return false
	}
	p.injectPacket(int(m.index), &reply)
	return false
}
