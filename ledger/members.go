package ledger

import (
	"slices"

	"hearsay"
	"hearsay/internal/core"
)

// Member is one stay in the roster, and the newest claim that the member has
// signed as far as the log knows: where it is, and what it is called.
type Member struct {
	Stay  hearsay.Stay
	Claim hearsay.Claim
}

// Members is a roster: all stays, ordered by NodeID, and their hash. The parts
// are those of core.RosterBuckets.
type Members struct {
	Parts  [core.RosterBuckets][]Member
	Hashes [core.RosterBuckets]hearsay.Hash
	stale  [core.RosterBuckets]bool // the part has changed since its hash was taken
	Count  int
}

func (m *Members) find(id hearsay.NodeID) (part []Member, at int, found bool) {
	part = m.Parts[id[0]]
	at, found = slices.BinarySearchFunc(part, id, func(a Member, b hearsay.NodeID) int { return a.Stay.ID.Compare(b) })
	return part, at, found
}

// Get gives the member of this identity, or nil. It is valid until the next
// change.
func (m *Members) Get(id hearsay.NodeID) *Member {
	if part, at, found := m.find(id); found {
		return &part[at]
	}
	return nil
}

// After gives the first member beyond an identity. It is not ok, and the least
// identity of all, if there is none.
func (m *Members) After(id hearsay.NodeID) (next hearsay.NodeID, ok bool) {
	part, at, found := m.find(id)
	if found {
		at++
	}
	for i := int(id[0]); ; {
		if at < len(part) {
			return part[at].Stay.ID, true
		}
		if i++; i == len(m.Parts) {
			return next, false
		}
		part, at = m.Parts[i], 0
	}
}

// Has reports whether this very stay is in.
func (m *Members) Has(stay hearsay.Stay) bool {
	one := m.Get(stay.ID)
	return one != nil && one.Stay == stay
}

// Add takes in a member, which must not be in.
func (m *Members) Add(one Member) {
	part, at, found := m.find(one.Stay.ID)
	if found {
		panic("ledger: one node admitted twice")
	}
	m.Parts[one.Stay.ID[0]] = slices.Insert(part, at, one)
	m.stale[one.Stay.ID[0]] = true
	m.Count++
}

// PushLast adds one that is beyond all others.
func (m *Members) PushLast(one Member) {
	at := one.Stay.ID[0]
	m.Parts[at], m.stale[at] = append(m.Parts[at], one), true
	m.Count++
}

// Remove takes out a member, which must be in.
func (m *Members) Remove(id hearsay.NodeID) {
	part, at, found := m.find(id)
	if !found {
		panic("ledger: one removed who is not in")
	}
	m.Parts[id[0]] = slices.Delete(part, at, at+1)
	m.stale[id[0]] = true
	m.Count--
}

// All appends copies of all members, ordered by NodeID.
func (m *Members) All(dst []Member) []Member {
	dst = slices.Grow(dst, m.Count)
	for i := range m.Parts {
		dst = append(dst, m.Parts[i]...)
	}
	return dst
}

// Witnesses gives those who may observe a subject, in order: all others who can
// sign what they see. Guests cannot.
func (m *Members) Witnesses(subject hearsay.NodeID) []hearsay.NodeID {
	ids := make([]hearsay.NodeID, 0, m.Count)
	for i := range m.Parts {
		for j := range m.Parts[i] {
			if one := &m.Parts[i][j]; one.Stay.ID != subject && !one.Claim.Card.Key.IsZero() {
				ids = append(ids, one.Stay.ID)
			}
		}
	}
	return ids
}

// Guests counts the members that are guests.
func (m *Members) Guests() (n int) {
	for i := range m.Parts {
		for j := range m.Parts[i] {
			if m.Parts[i][j].Claim.Card.Key.IsZero() {
				n++
			}
		}
	}
	return n
}

// Hash is equal for two rosters of the same stays, and for no others.
func (m *Members) Hash(network hearsay.NetworkID) hearsay.Hash {
	var stays []hearsay.Stay
	for i := range m.Parts {
		if !m.stale[i] {
			continue
		}
		stays = stays[:0]
		for j := range m.Parts[i] {
			stays = append(stays, m.Parts[i][j].Stay)
		}
		m.Hashes[i], m.stale[i] = core.HashBucket(stays), false
	}
	return core.HashRoster(network, &m.Hashes)
}
