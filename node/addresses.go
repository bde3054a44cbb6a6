package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/roster"
)

// Addresses tells where members are, and which of them is at an address.
type Addresses struct {
	cfg       *Config
	id        hearsay.NodeID
	roster    *roster.Roster
	seeded    *Seeded
	silent    *silences
	elsewhere []whereabouts // of a seed: at most one for each member
}

// Gone is told by the driver at each look at which the machine does not have this node's own address: as of one that is
// cut off, that nobody reaches it says nothing of the address that it tells others.
func (a *Addresses) Gone(now time.Time) { a.silent.cutOff = now }

// Others tells where all living members other than this node are reached.
func (a *Addresses) Others() []netip.AddrPort {
	addrs := make([]netip.AddrPort, a.roster.CountOthers())
	for i := range addrs {
		addrs[i], _ = a.roster.Addr(a.roster.Other(i))
	}
	return addrs
}

// Of tells where the roster has a living member other than this node.
func (a *Addresses) Of(id hearsay.NodeID) (netip.AddrPort, bool) { return a.roster.Addr(id) }

// Observers gives the members that examine another, in an order that is the same on all nodes that list the same.
func (a *Addresses) Observers(id hearsay.NodeID) []hearsay.NodeID { return a.roster.Observers(id) }

// Towards tells some of the addresses from which others must reach this node: contacts and members, at
// most so many of each.
func (a *Addresses) Towards(most int) []netip.AddrPort { return a.roster.Towards(most) }

// Where gives where a node is as far as the roster knows, also if it is out.
func (a *Addresses) Where(id hearsay.NodeID) netip.AddrPort {
	m, _ := a.roster.Member(id)
	return m.Addr
}

// MemberAt gives the member that is in, by the ledger, at an address.
func (a *Addresses) MemberAt(addr netip.AddrPort) (m ledger.Member, ok bool) {
	s := a.seeded
	if s.seat != nil { // it is asked for every packet by stream that wants a connection
		return a.memberAt(addr)
	}
	if s.authority == nil {
		return m, false
	}
	for _, m := range s.authority.Roster(nil) {
		if a.reached(&m) == addr {
			return m, true
		}
	}
	return ledger.Member{}, false
}

// memberAt is MemberAt of a seed: it does not walk the roster.
func (a *Addresses) memberAt(addr netip.AddrPort) (m ledger.Member, ok bool) {
	s := a.seeded
	var room [4]hearsay.NodeID
	found := s.seat.At(room[:0], addr)
	for i := range a.elsewhere {
		if a.elsewhere[i].addr == addr {
			found = append(found, a.elsewhere[i].id)
		}
	}
	slices.SortFunc(found, hearsay.NodeID.Compare)
	for _, id := range found {
		if m, ok = s.seat.Member(id); ok && a.reached(&m) == addr {
			return m, true
		}
	}
	return ledger.Member{}, false
}

// whereabouts is a member that is elsewhere than the log knows.
type whereabouts struct {
	id   hearsay.NodeID
	addr netip.AddrPort
}

// noteWhere keeps for a seed where a member is by its own newest word, if the
// log does not know that yet.
func (a *Addresses) noteWhere(e *hearsay.Event) {
	s, id := a.seeded, e.Subject
	switch e.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberMoved,
		hearsay.EventMemberLeft, hearsay.EventMemberDead, hearsay.EventMemberRemoved:
	default:
		return
	}
	if s.seat == nil {
		return
	}
	a.elsewhere = slices.DeleteFunc(a.elsewhere, func(w whereabouts) bool { return w.id == id })
	m, in := s.seat.Member(id)
	if addr, known := a.roster.Addr(id); in && known && addr != m.Claim.Card.Addr {
		a.elsewhere = append(a.elsewhere, whereabouts{id, addr})
	}
}

// Listed is a node that is in by the ledger: no seed.
type Listed struct {
	Addr   netip.AddrPort
	Speaks core.Dialect // of a guest; 0 of a node of ours
}

// Peers gives all of them.
func (a *Addresses) Peers() (peers []Listed) {
	if a.seeded.authority == nil {
		return nil
	}
	for _, m := range a.seeded.authority.Roster(nil) {
		one := Listed{Addr: a.reached(&m)}
		if m.Claim.Card.Key.IsZero() {
			one.Speaks = core.GuestDialect(a.cfg.Network, m.Claim.Card.Addr, m.Stay.ID)
		}
		peers = append(peers, one)
	}
	return peers
}

// GuestsAt gives where guests of a dialect are at an IP address.
func (a *Addresses) GuestsAt(ip netip.Addr, speaks core.Dialect) (guests []netip.AddrPort) {
	if a.seeded.authority == nil {
		return nil
	}
	for _, m := range a.seeded.authority.Roster(nil) {
		at := m.Claim.Card.Addr
		if at.Addr() == ip && m.Claim.Card.Key.IsZero() && core.GuestDialect(a.cfg.Network, at, m.Stay.ID) == speaks {
			guests = append(guests, at)
		}
	}
	return guests
}

// KeyedAt gives a living member of ours at an address, other than this node, if the roster has one.
func (a *Addresses) KeyedAt(addr netip.AddrPort) (id hearsay.NodeID, ok bool) {
	return a.roster.KeyedAt(addr)
}

// reached is where a member is: by its newest word or, if there is none, where
// it was admitted.
func (a *Addresses) reached(m *ledger.Member) netip.AddrPort {
	if addr, ok := a.roster.Addr(m.Stay.ID); ok {
		return addr
	}
	if m.Stay.ID == a.id {
		return a.cfg.Addr
	}
	return m.Claim.Card.Addr
}

// Acquainted reports whether a seed has to do with an address: a seed's, a
// member's, also where it only says that it is and is asked just now, or that of a node that asks to be in.
func (a *Addresses) Acquainted(addr netip.AddrPort) bool {
	for _, seed := range a.seeded.seeds() {
		if seed.Addr == addr {
			return true
		}
	}
	if _, in := a.MemberAt(addr); in || a.seeded.seat == nil {
		return in
	}
	return a.roster.Tries(addr) || a.seeded.seat.Admitting(addr)
}

// MayDial reports whether a packet may go to an address over a connection that is yet to be opened: a
// seed connects to nobody that only a stranger has named to it.
func (a *Addresses) MayDial(addr netip.AddrPort) bool {
	return a.seeded.seat == nil || a.Acquainted(addr)
}
