package roster

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ring"
)

// members are those that this node lists, itself included, and in which state each is.
type members struct {
	table
	cfg     *Config
	network hearsay.NetworkID
	random  *rand.Rand

	self   *member
	living list            // alive or suspect, without this node
	gone   list            // dead or left
	held   map[int32]*held // by number, of few members: what others say of them
	// by number: Unix nanoseconds when a member was first heard of, unless it is in its first state still
	met           map[int32]int64
	hash          uint64    // of the living with their incarnations, this node included
	changed       time.Time // when hash last changed
	changingSince time.Time // when it did so first after it had been still
	listingSince  time.Time // since when this node has listed others without a break, or when it started
	// in a seeded network: as what a node is in, RoleUnknown if it is not; else nil
	role func(hearsay.NodeID) hearsay.Role
}

// held is what others say of a member's incarnation: while it is suspect or
// dead, and after a suspicion that ended here.
type held struct {
	accusers []hearsay.NodeID // of a suspicion, in the order heard; at most 1 + Confirmations
	began    time.Time
	told     time.Time      // when a suspect was told by this node, or came into suspicion
	probed   time.Time      // when it was probed out of turn, or came into suspicion; see Overdue
	by       hearsay.NodeID // of a death
	evidence hearsay.Hash
	left     bool  // it was its own word, by a ruling
	away     *away // its own word; nil: it has not said so
}

// cardMode says whether a claim is to carry the subject's card.
type cardMode uint8

const (
	bare cardMode = iota
	withCard
)

// me is this node's identity.
func (ms *members) me() hearsay.NodeID { return ms.id(ms.self) }

// seeded reports whether the ledger decides which nodes are members.
func (ms *members) seeded() bool { return ms.role != nil }

func (ms *members) isSeed(m *member) bool { return ms.card(m).Role == hearsay.RoleSeed }

// isAway reports whether a member has said that it is away, and may be still.
func (ms *members) isAway(m *member) bool {
	h := ms.heldOf(m)
	return h != nil && h.away != nil && !h.away.over
}

// stateOf gives the state in which a member is told of: left also if a ruling says so (see Depart).
func (ms *members) stateOf(m *member) hearsay.State {
	if h := ms.heldOf(m); m.state == hearsay.StateDead && h != nil && h.left {
		return hearsay.StateLeft
	}
	return m.state
}

func (ms *members) heldOf(m *member) *held { return ms.held[ms.number(m)] }

func (ms *members) hold(m *member, h *held) { ms.held[ms.number(m)] = h }

// knownFor is how long a member was known before it came into its present state.
func (ms *members) knownFor(m *member) time.Duration {
	if met, changed := ms.met[ms.number(m)]; changed {
		return ms.since(m).Sub(time.Unix(0, met))
	}
	return 0
}

// claim says what is held of a member now.
func (ms *members) claim(m *member, mode cardMode) hearsay.Claim {
	c := hearsay.Claim{Subject: ms.id(m), State: m.state, Incarnation: ms.incarnation(m)}
	switch m.state {
	case hearsay.StateSuspect:
		accusers := ms.heldOf(m).accusers
		c.By = accusers[len(accusers)-1]
	case hearsay.StateDead:
		h := ms.heldOf(m)
		c.By, c.Evidence = h.by, h.evidence
	case hearsay.StateAlive, hearsay.StateLeft:
		mode = withCard // nothing without its signature
	}
	if mode == withCard {
		c.Card = ms.card(m)
	}
	return c
}

func (ms *members) member(m *member) hearsay.Member {
	c := hearsay.Claim{Subject: ms.id(m), State: m.state, Incarnation: ms.incarnation(m), Card: ms.card(m)}
	member := c.Member(ms.since(m).UTC())
	member.State = ms.stateOf(m)
	if until, is := ms.IsAway(c.Subject); is {
		member.AwayUntil = until.UTC()
	}
	if c.Bare() {
		member.Dialect = core.GuestDialect(ms.network, c.Card.Addr, c.Subject).String()
	}
	return member
}

// lists puts a member among the living.
func (ms *members) lists(now time.Time, number int32) {
	if len(ms.living) == 0 {
		ms.listingSince = now
	}
	ms.living.add(number)
}

// cameInto notes that a member has come into its state now.
func (ms *members) cameInto(now time.Time, m *member) {
	number := ms.number(m)
	if _, changed := ms.met[number]; !changed {
		ms.met[number] = ms.since(m).UnixNano()
	}
	ms.setSince(m, now)
}

// rehash takes the member's incarnation into the hash, or out of it.
func (ms *members) rehash(now time.Time, m *member) {
	ms.hash ^= entryHash(ms.id(m), ms.incarnation(m))
	if now.Sub(ms.changed) >= ms.cfg.ExchangeQuiet {
		ms.changingSince = now
	}
	ms.changed = now
}

// anyone draws a living member other than this node. There must be one.
func (ms *members) anyone() *member {
	return ms.at(ms.living[ms.random.IntN(len(ms.living))])
}

// draw appends n distinct random living members, or all.
func (ms *members) draw(dst []*member, n int) []*member {
	if len(ms.living) <= n {
		for _, number := range ms.living {
			dst = append(dst, ms.at(number))
		}
		return dst
	}
	for len(dst) < n {
		if m := ms.anyone(); !slices.Contains(dst, m) {
			dst = append(dst, m)
		}
	}
	return dst
}

// observers appends the observers of a subject by this roster.
func (ms *members) observers(dst []hearsay.NodeID, subject hearsay.NodeID) []hearsay.NodeID {
	if ms.seeded() {
		return ms.peersObserving(dst, subject)
	}
	everybody := ring.Members[hearsay.NodeID]{Count: len(ms.living) + 1, At: func(i int) hearsay.NodeID {
		if i == len(ms.living) {
			return ms.me()
		}
		return ms.Other(i)
	}}
	return ring.Observers(dst, subject, everybody, min(ms.cfg.Observers, ms.Living()-1))
}

// Observers gives the observers of a member by this roster.
func (ms *members) Observers(id hearsay.NodeID) []hearsay.NodeID { return ms.observers(nil, id) }

// peersObserving appends the observers of a subject in a seeded network: no
// seeds, and no guests, which can sign nothing.
func (ms *members) peersObserving(dst []hearsay.NodeID, subject hearsay.NodeID) []hearsay.NodeID {
	var peers []hearsay.NodeID
	for i := range len(ms.living) + 1 {
		m := ms.self
		if i < len(ms.living) {
			m = ms.at(ms.living[i])
		}
		if id := ms.id(m); id != subject && !ms.isSeed(m) && !ms.Guest(id) {
			peers = append(peers, id)
		}
	}
	return ring.Observers(dst, subject, ring.Of(peers), min(ms.cfg.Observers, len(peers)))
}

// Self is this node.
func (ms *members) Self() hearsay.Member { return ms.member(ms.self) }

// Hash is equal on two nodes whose living members and incarnations are.
func (ms *members) Hash() uint64 { return ms.hash }

// Living counts the members alive or suspect, this node included.
func (ms *members) Living() int {
	if ms.self.state.Living() {
		return len(ms.living) + 1
	}
	return len(ms.living)
}

// Count counts all members by state.
func (ms *members) Count(state hearsay.State) int {
	n := 0
	if ms.self.state == state {
		n++
	}
	for _, list := range []list{ms.living, ms.gone} {
		for _, number := range list {
			if ms.stateOf(ms.at(number)) == state {
				n++
			}
		}
	}
	return n
}

// All appends all members, in no order that means anything.
func (ms *members) All(dst []hearsay.Member) []hearsay.Member {
	dst = append(dst, ms.member(ms.self))
	for _, list := range []list{ms.living, ms.gone} {
		for _, number := range list {
			dst = append(dst, ms.member(ms.at(number)))
		}
	}
	return dst
}

// Member gives what is known of one member.
func (ms *members) Member(id hearsay.NodeID) (hearsay.Member, bool) {
	if m := ms.get(id); m != nil {
		return ms.member(m), true
	}
	return hearsay.Member{}, false
}

// Name gives the name of a member, or the beginning of its NodeID.
func (ms *members) Name(id hearsay.NodeID) string {
	if m := ms.get(id); m != nil {
		return ms.name(m)
	}
	return id.Short()
}

// Met is when a member was first heard of.
func (ms *members) Met(id hearsay.NodeID) time.Time {
	m := ms.get(id)
	if m == nil {
		return time.Time{}
	}
	if met, changed := ms.met[ms.number(m)]; changed {
		return time.Unix(0, met).UTC()
	}
	return ms.since(m).UTC()
}

// Addr tells where a living member other than this node is reached.
func (ms *members) Addr(id hearsay.NodeID) (netip.AddrPort, bool) {
	if m := ms.get(id); m != nil && m != ms.self && m.state.Living() {
		return ms.addr(m), true
	}
	return netip.AddrPort{}, false
}

// Word gives the newest that a member has signed of itself.
func (ms *members) Word(id hearsay.NodeID) (c hearsay.Claim, known bool) {
	m := ms.get(id)
	if m == nil {
		return c, false
	}
	c = hearsay.Claim{Subject: id, State: hearsay.StateAlive, Incarnation: ms.incarnation(m), Card: ms.card(m)}
	if m.state == hearsay.StateLeft {
		c.State = hearsay.StateLeft
	}
	return c, true
}

// IsAway reports whether a member has said that it is away, and until when nothing is held against it.
func (ms *members) IsAway(id hearsay.NodeID) (until time.Time, is bool) {
	if m := ms.get(id); m != nil && ms.isAway(m) {
		return ms.heldOf(m).away.until, true
	}
	return until, false
}

// Known reports whether somebody is listed, in whatever state. This node is.
func (ms *members) Known(id hearsay.NodeID) bool { return ms.get(id) != nil }

// Trusted reports whether id is a living member, or this node, and neither a suspect here nor away.
func (ms *members) Trusted(id hearsay.NodeID) bool {
	m := ms.get(id)
	return m != nil && m.state == hearsay.StateAlive && !ms.isAway(m)
}

// Suspect reports whether id is a suspect here.
func (ms *members) Suspect(id hearsay.NodeID) bool {
	m := ms.get(id)
	return m != nil && m.state == hearsay.StateSuspect
}

// Guest reports whether a member is listed without a key.
func (ms *members) Guest(id hearsay.NodeID) bool {
	m := ms.get(id)
	return m != nil && ms.word(m).key.IsZero()
}

// KeyedAt gives a living member that has a key, is not this node and is at an address, if there is one.
func (ms *members) KeyedAt(addr netip.AddrPort) (id hearsay.NodeID, ok bool) {
	for _, number := range ms.living {
		if m := ms.at(number); ms.addr(m) == addr && !ms.word(m).key.IsZero() {
			return ms.id(m), true
		}
	}
	return id, false
}

// CannotRelay reports whether a member is no use as a relay: a guest does not speak as we do, and a suspect, or one
// that is away, probably does not answer, which would be held against this node itself. When most of a network dies at
// once, a node that is left would not trust itself for a minute, and abstain from all that has to be decided.
func (ms *members) CannotRelay(id hearsay.NodeID) bool {
	m := ms.get(id)
	return m != nil && (m.state == hearsay.StateSuspect || ms.isAway(m) || ms.word(m).key.IsZero())
}

// Seat gives the number of a member: it is this one's alone until the step ends in which the member is forgotten.
func (ms *members) Seat(id hearsay.NodeID) int32 { return ms.cards.find(id) }

// At gives the living member other than this node that has a seat, if any, and where it is reached.
func (ms *members) At(seat int32) (id hearsay.NodeID, addr netip.AddrPort, ok bool) {
	m := ms.at(seat)
	if m == nil || m == ms.self || !m.state.Living() {
		return id, addr, false
	}
	return ms.id(m), ms.addr(m), true
}

// CountOthers counts the living other than this node.
func (ms *members) CountOthers() int { return len(ms.living) }

// Other gives one of the living other than this node, from 0, in an order that only chance decides.
func (ms *members) Other(i int) hearsay.NodeID { return ms.cards.subjects[ms.living[i]].id }

// Draw gives a random living member other than this node, if there is one.
func (ms *members) Draw() (hearsay.NodeID, bool) {
	if len(ms.living) == 0 {
		return hearsay.NodeID{}, false
	}
	return ms.id(ms.anyone()), true
}
