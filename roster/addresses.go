package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// A member that was here for long is likelier to come back than one that came and died, and anybody can have
// hundreds come and die. All four are guesses.
const (
	provenAfter  = time.Minute // a member that was known for so long before it died is proven
	provenFirst  = 16          // of the proven ones, those known longest, one is tried each time
	othersEach   = 64          // and of so many others one, to
	othersMost   = 8           // so many: 500 bytes in two seconds
	unprovenMost = 16          // addresses on disk of members that died, or left, sooner
)

// contact is an address at which the network may be found, outside the roster.
type contact struct {
	addr        netip.AddrPort
	id          hearsay.NodeID // the node that was last there; zero if none was
	incarnation hearsay.Incarnation
	proven      bool // the member was known for provenAfter; or an earlier life kept the address
}

// addresses are those at which members were. They outlive forgetting: by them a network finds together again after a
// partition of any length.
type addresses struct {
	members *members
	out     *output
	former  []contact // from earlier lives, and of forgotten members; at most maxContacts
	left    []contact // forgotten members that had left: not tried, and not taken back; at most maxContacts
	kept    []int32   // members whose address is on disk, by number; at most maxContacts
}

// lastOf gives the incarnation at which a member was forgotten that is in a list.
func lastOf(list []contact, id hearsay.NodeID) (hearsay.Incarnation, bool) {
	for i := range list {
		if list[i].id == id && list[i].incarnation != 0 {
			return list[i].incarnation, true
		}
	}
	return 0, false
}

// load takes a contact that an earlier life kept. What there is no room for goes off the disk.
func (a *addresses) load(record *core.Contact) {
	if len(a.former) >= maxContacts {
		a.dropAddr(record.Addr)
		return
	}
	a.former = append(a.former, contact{addr: record.Addr, id: record.ID, proven: true})
}

// remove takes a member off that is listed again.
func (a *addresses) remove(id hearsay.NodeID) {
	a.left = slices.DeleteFunc(a.left, func(o contact) bool { return o.id == id })
	if i := slices.IndexFunc(a.former, func(o contact) bool { return o.id == id }); i >= 0 {
		addr := a.former[i].addr
		a.former = slices.Delete(a.former, i, i+1)
		a.dropAddr(addr)
	}
}

// keep puts a living member's address on disk. If there is no room, that of one makes
// room that is gone: of these the one known for the shortest time.
func (a *addresses) keep(m *member) {
	number := a.members.number(m)
	if slices.Contains(a.kept, number) {
		return
	}
	if len(a.kept) >= maxContacts {
		var worst *member
		for _, other := range a.kept {
			if o := a.members.at(other); !o.state.Living() && (worst == nil || a.members.knownFor(o) < a.members.knownFor(worst)) {
				worst = o
			}
		}
		if worst == nil {
			return
		}
		a.drop(worst)
	}
	a.kept = append(a.kept, number)
	a.out.Persist = append(a.out.Persist, &core.Contact{Addr: a.members.addr(m), ID: a.members.id(m)})
}

// died is told that a member is gone: of those that were known only shortly the
// oldest address goes off the disk, if there are many. The next life would try them all.
func (a *addresses) died() {
	oldest, unproven := (*member)(nil), 0
	for _, number := range a.kept {
		if m := a.members.at(number); !m.state.Living() && a.members.knownFor(m) < provenAfter {
			if unproven++; oldest == nil {
				oldest = m
			}
		}
	}
	if unproven > unprovenMost {
		a.drop(oldest)
	}
}

// drop takes it off.
func (a *addresses) drop(m *member) {
	if i := slices.Index(a.kept, a.members.number(m)); i >= 0 {
		a.kept = slices.Delete(a.kept, i, i+1)
		a.dropAddr(a.members.addr(m))
	}
}

// moving has a member that is gone moved. Its new address is kept if the old one was.
func (a *addresses) moving(m *member, to netip.AddrPort, move func()) {
	kept := a.members.addr(m) != to && slices.Contains(a.kept, a.members.number(m))
	if kept {
		a.drop(m)
	}
	move()
	if kept {
		a.keep(m)
	}
}

// dropAddr takes an address off the disk, unless another member is there now.
func (a *addresses) dropAddr(addr netip.AddrPort) {
	there := func(number int32) bool { return a.members.addr(a.members.at(number)) == addr }
	past := func(o contact) bool { return o.addr == addr }
	if slices.ContainsFunc(a.kept, there) || slices.ContainsFunc(a.former, past) {
		return
	}
	a.out.Persist = append(a.out.Persist, &core.Contact{Addr: addr, Dropped: true})
}

// retire keeps what remains of a member that is forgotten, in this state.
func (a *addresses) retire(m *member, state hearsay.State) {
	if state == hearsay.StateLeft {
		a.drop(m)
		if len(a.left) >= maxContacts {
			a.left = slices.Delete(a.left, 0, 1)
		}
		a.left = append(a.left, contact{addr: a.members.addr(m), id: a.members.id(m), incarnation: a.members.incarnation(m)})
		return
	}
	if len(a.former) >= maxContacts {
		oldest := max(0, slices.IndexFunc(a.former, func(o contact) bool { return !o.proven }))
		a.remove(a.former[oldest].id)
	}
	number := a.members.number(m)
	kept, proven := slices.Contains(a.kept, number), a.members.knownFor(m) >= provenAfter
	a.kept = slices.DeleteFunc(a.kept, func(o int32) bool { return o == number })
	if kept || proven {
		a.out.Persist = append(a.out.Persist, &core.Contact{Addr: a.members.addr(m), ID: a.members.id(m)})
	}
	a.former = append(a.former, contact{addr: a.members.addr(m), id: a.members.id(m), incarnation: a.members.incarnation(m), proven: proven})
}
