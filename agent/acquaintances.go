package agent

import (
	"math/rand/v2"
	"net/netip"
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
	members map[hearsay.NodeID]netip.Addr
	count   map[netip.Addr]int // members, by source
}

func newAcquaintances(seats []netip.AddrPort) *acquaintances {
	a := &acquaintances{
		seats: make(map[netip.Addr]bool), asked: make(map[netip.Addr]bool),
		members: make(map[hearsay.NodeID]netip.Addr), count: make(map[netip.Addr]int),
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

// perSource makes a quota of which each source may use so much, and each class of
// senders so much in all.
func perSource(each, all quota.Rate) *quota.Quota {
	share := quota.Share{All: all, Each: each}
	return quota.New(rand.Uint64(), quota.Shares{Strangers: share, Members: share, Seats: share})
}

// note takes where a member is now; the zero address: it is none any more.
func (a *acquaintances) note(id hearsay.NodeID, at netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, known := a.members[id]; known {
		if a.count[old]--; a.count[old] == 0 {
			delete(a.count, old)
		}
		delete(a.members, id)
	}
	if at.IsValid() {
		at = hearsay.Source(at)
		a.members[id] = at
		a.count[at]++
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
	case a.asked[source] || a.count[source] > 0:
		return quota.Member
	}
	return quota.Stranger
}
