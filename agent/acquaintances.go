package agent

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"hearsay"
	"hearsay/quota"
)

// askedSources bounds the contacts' addresses of one node: a roster keeps a quarter of that. A guess.
const askedSources = 1024

// acquaintances are the addresses from which this node knows others, for
// goroutines that do not own the node. They tell a connection's class before it
// has brought anything: a connection comes from any port, so only the IP address
// counts. A stranger that shares one with a member is taken for a member until places
// are short; see places.
type acquaintances struct {
	mu      sync.RWMutex
	seats   map[netip.Addr]bool // sources
	asked   map[netip.Addr]bool // of contacts that an operator named: as good as members
	members []acquaintance      // ascending by id. Maps take three times the memory, in each node for each member
	sources []sourceCount       // of members, ascending by ip
}

// acquaintance is a member, and the source of its address.
type acquaintance struct {
	id hearsay.NodeID
	ip [16]byte
}

// sourceCount is how many members are at a source.
type sourceCount struct {
	ip      [16]byte
	members int32
}

func newAcquaintances(seats []netip.AddrPort) *acquaintances {
	a := &acquaintances{
		seats: make(map[netip.Addr]bool), asked: make(map[netip.Addr]bool),
	}
	for _, addr := range seats {
		a.seats[hearsay.Source(addr.Addr())] = true
	}
	return a
}

// contacts adds addresses that this node is told to ask.
func (a *acquaintances) contacts(addrs []netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.asked)+len(addrs) > askedSources {
		clear(a.asked) // a name has had many addresses: what was found last counts
	}
	for _, addr := range addrs[:min(len(addrs), askedSources)] {
		a.asked[hearsay.Source(addr.Addr())] = true
	}
}

// perSource are shares of which each source may use so much, and each class of senders so
// much in all.
func perSource(each, all quota.Rate) *quota.Shares {
	share := quota.Share{All: all, Each: each}
	return &quota.Shares{share, share, share}
}

// newQuota makes a quota of which nothing is used.
func newQuota(shares *quota.Shares) *quota.Quota { return quota.New(rand.Uint64(), shares) }

// note takes where a member is now; the zero address: it is none any more.
func (a *acquaintances) note(id hearsay.NodeID, at netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, known := slices.BinarySearchFunc(a.members, id, func(m acquaintance, id hearsay.NodeID) int { return m.id.Compare(id) })
	if known {
		a.countAt(a.members[i].ip, -1)
		a.members = slices.Delete(a.members, i, i+1)
	}
	if at.IsValid() {
		ip := hearsay.Source(at).As16()
		a.countAt(ip, 1)
		a.members = slices.Insert(a.members, i, acquaintance{id, ip})
	}
}

// find gives the place of a source.
func (a *acquaintances) find(ip [16]byte) (i int, found bool) {
	return slices.BinarySearchFunc(a.sources, ip, func(s sourceCount, ip [16]byte) int { return bytes.Compare(s.ip[:], ip[:]) })
}

// countAt counts members more at a source, or fewer.
func (a *acquaintances) countAt(ip [16]byte, more int32) {
	i, found := a.find(ip)
	if !found {
		a.sources = slices.Insert(a.sources, i, sourceCount{ip: ip})
	}
	if a.sources[i].members += more; a.sources[i].members == 0 {
		a.sources = slices.Delete(a.sources, i, i+1)
	}
}

// sender gives whose share is taken of what comes from an address.
func (a *acquaintances) sender(addr netip.Addr) quota.Sender {
	return quota.Sender{Class: a.class(addr), Addr: netip.AddrPortFrom(hearsay.Source(addr), 0)}
}

// class tells what somebody is to this node who connects from an address.
func (a *acquaintances) class(addr netip.Addr) quota.Class {
	if a == nil {
		return quota.Stranger
	}
	source := hearsay.Source(addr)
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch {
	case a.seats[source]:
		return quota.Seat
	case a.asked[source]:
		return quota.Member
	}
	if _, found := a.find(source.As16()); found {
		return quota.Member
	}
	return quota.Stranger
}
