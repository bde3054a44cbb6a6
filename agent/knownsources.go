package agent

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"hearsay/internal/core"
	"hearsay/quota"
)

// askedSources bounds the contacts' addresses of one node: a roster keeps a quarter of that. A guess.
const askedSources = 1024

// knownSources are the addresses from which this node knows others, for
// goroutines that do not own the node. They tell a connection's class before it
// has brought anything: a connection comes from any port, so only the IP address
// counts. A stranger that shares one with a member is taken for a member until places
// are short; see places.
type knownSources struct {
	mu      sync.RWMutex
	seats   map[netip.Addr]bool // sources; nil: none
	asked   map[netip.Addr]bool // of contacts that an operator named: as good as members; nil: none
	members []sourceKey         // of members, ascending, each once: each node has one for each member
}

// sourceKey is a source in 8 bytes: the first half of an IPv6 address, or 0000:ffff and an
// IPv4 address, as 0000::/8 is assigned to nobody (RFC 4291, section 2.4).
type sourceKey uint64

func sourceKeyOf(source netip.Addr) sourceKey {
	ip := source.As16()
	if source.Is4() {
		return 0xffff<<32 | sourceKey(binary.BigEndian.Uint32(ip[12:]))
	}
	return sourceKey(binary.BigEndian.Uint64(ip[:]))
}

func newKnownSources(seats []netip.AddrPort) *knownSources {
	a := &knownSources{}
	if len(seats) > 0 {
		a.seats = make(map[netip.Addr]bool)
	}
	for _, addr := range seats {
		a.seats[core.Source(addr.Addr())] = true
	}
	return a
}

// contacts adds addresses that this node is told to ask.
func (a *knownSources) contacts(addrs []netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// a name has had many addresses: what was found last counts
	if a.asked == nil || len(a.asked)+len(addrs) > askedSources {
		a.asked = make(map[netip.Addr]bool)
	}
	for _, addr := range addrs[:min(len(addrs), askedSources)] {
		a.asked[core.Source(addr.Addr())] = true
	}
}

// newQuota makes a quota of which nothing is used.
func newQuota(shares *quota.Shares) *quota.Quota { return quota.New(rand.Uint64(), shares) }

// add takes where a member is.
func (a *knownSources) add(at netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	source := sourceKeyOf(core.Source(at))
	if i, found := slices.BinarySearch(a.members, source); !found {
		a.members = slices.Insert(a.members, i, source)
	}
}

// only takes where all members are: a source that is not among them is a stranger's.
func (a *knownSources) only(addrs []netip.AddrPort) {
	members := make([]sourceKey, 0, len(addrs))
	for _, addr := range addrs {
		members = append(members, sourceKeyOf(core.Source(addr.Addr())))
	}
	slices.Sort(members)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members = slices.Clip(slices.Compact(members))
}

// sender gives whose share is taken of what comes from an address.
func (a *knownSources) sender(addr netip.Addr) quota.Sender {
	return quota.Sender{Class: a.class(addr), Addr: netip.AddrPortFrom(core.Source(addr), 0)}
}

// class tells what a node that connects from an address is to this one.
func (a *knownSources) class(addr netip.Addr) quota.Class {
	if a == nil {
		return quota.Stranger
	}
	source := core.Source(addr)
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch {
	case a.seats[source]:
		return quota.Seat
	case a.asked[source]:
		return quota.Member
	}
	if _, found := slices.BinarySearch(a.members, sourceKeyOf(source)); found {
		return quota.Member
	}
	return quota.Stranger
}
