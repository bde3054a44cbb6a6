package quorum

import (
	"slices"

	"hearsay"
)

// Member is one stay in the roster, and the newest claim that the member has
// signed as far as the log knows: where it is, and what it is called.
type Member struct {
	Stay  hearsay.Stay
	Claim hearsay.Claim
}

// members is a roster: all stays, ordered by NodeID, and their hash. The parts
// are those of hearsay.RosterBuckets.
type members struct {
	parts  [hearsay.RosterBuckets][]Member
	hashes [hearsay.RosterBuckets]hearsay.Hash
	stale  [hearsay.RosterBuckets]bool // the part has changed since its hash was taken
	count  int
}

func (m *members) find(id hearsay.NodeID) (part []Member, at int, found bool) {
	part = m.parts[id[0]]
	at, found = slices.BinarySearchFunc(part, id, func(a Member, b hearsay.NodeID) int { return a.Stay.ID.Compare(b) })
	return part, at, found
}

// get gives the member of this identity, or nil. It is valid until the next
// change.
func (m *members) get(id hearsay.NodeID) *Member {
	if part, at, found := m.find(id); found {
		return &part[at]
	}
	return nil
}

// after gives the first member beyond an identity. It is not ok, and the least
// identity of all, if there is none.
func (m *members) after(id hearsay.NodeID) (next hearsay.NodeID, ok bool) {
	part, at, found := m.find(id)
	if found {
		at++
	}
	for i := int(id[0]); ; {
		if at < len(part) {
			return part[at].Stay.ID, true
		}
		if i++; i == len(m.parts) {
			return next, false
		}
		part, at = m.parts[i], 0
	}
}

// has reports whether this very stay is in.
func (m *members) has(stay hearsay.Stay) bool {
	one := m.get(stay.ID)
	return one != nil && one.Stay == stay
}

func (m *members) add(one Member) {
	part, at, found := m.find(one.Stay.ID)
	if found {
		panic("quorum: one node admitted twice")
	}
	m.parts[one.Stay.ID[0]] = slices.Insert(part, at, one)
	m.stale[one.Stay.ID[0]] = true
	m.count++
}

// push adds one that is beyond all others.
func (m *members) push(one Member) {
	at := one.Stay.ID[0]
	m.parts[at], m.stale[at] = append(m.parts[at], one), true
	m.count++
}

func (m *members) remove(id hearsay.NodeID) {
	part, at, found := m.find(id)
	if !found {
		panic("quorum: one removed who is not in")
	}
	m.parts[id[0]] = slices.Delete(part, at, at+1)
	m.stale[id[0]] = true
	m.count--
}

// all appends copies of all members, ordered by NodeID.
func (m *members) all(dst []Member) []Member {
	dst = slices.Grow(dst, m.count)
	for i := range m.parts {
		dst = append(dst, m.parts[i]...)
	}
	return dst
}

// witnesses gives those who may observe a subject, in order: all others who can
// sign what they see. Guests cannot.
func (m *members) witnesses(subject hearsay.NodeID) []hearsay.NodeID {
	ids := make([]hearsay.NodeID, 0, m.count)
	for i := range m.parts {
		for j := range m.parts[i] {
			if one := &m.parts[i][j]; one.Stay.ID != subject && !one.Claim.Card.Key.IsZero() {
				ids = append(ids, one.Stay.ID)
			}
		}
	}
	return ids
}

// hash is equal for two rosters of the same stays, and for no others.
func (m *members) hash(network hearsay.NetworkID) hearsay.Hash {
	var stays []hearsay.Stay
	for i := range m.parts {
		if !m.stale[i] {
			continue
		}
		stays = stays[:0]
		for j := range m.parts[i] {
			stays = append(stays, m.parts[i][j].Stay)
		}
		m.hashes[i], m.stale[i] = hearsay.HashBucket(stays), false
	}
	return hearsay.HashRoster(network, &m.hashes)
}
