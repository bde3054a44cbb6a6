package guest

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// This file is about what a seed lists and has never answered this node. Nobody has signed a list: one seed that lies
// may have a whole network connect to addresses that have nothing to do with it. Each node asks such an address until
// it has answered once, less and less often, after all others, and at a bounded pace. No list of members has it until
// then.

// The limits on that. Guesses.
const (
	unheardOfIP       = 128             // that are kept of one IP address
	unheardAsked      = 16              // at a time, of ProbesMax
	unheardEach       = time.Second / 4 // between two connections to one IP address, until one there answers,
	unheardBurst      = 8               // but for so many
	unheardWaitMost   = 2 * time.Minute // between two questions to one; after each in vain it is doubled
	unheardReportEach = 5 * time.Second // between two reports of any of them
)

// unheard is what is known of all that have never answered. It belongs to Abroad's mu.
type unheard struct {
	asking   int                      // probes under way
	paid     map[netip.Addr]time.Time // until then connections to it are paid for
	reported time.Time                // the next report is not before
}

// keep forgets all IP addresses but these.
func (u *unheard) keep(listed map[netip.Addr]int) {
	for ip := range u.paid {
		if listed[ip] == 0 {
			delete(u.paid, ip)
		}
	}
}

// pays takes a connection to an IP address from what it may have, unless there is nothing left.
func (u *unheard) pays(now time.Time, ip netip.Addr) bool {
	paid := u.paid[ip]
	if least := now.Add(-unheardBurst * unheardEach); paid.Before(least) {
		paid = least
	}
	if paid = paid.Add(unheardEach); paid.After(now) {
		return false
	}
	u.paid[ip] = paid
	return true
}

// probeUnheard probes some that are due, first those that most seeds list. Its caller holds a.mu.
func (a *Abroad) probeUnheard(now time.Time, due []netip.AddrPort) {
	slices.SortFunc(due, func(x, y netip.AddrPort) int {
		one, other := a.listed[x], a.listed[y]
		return cmp.Or(cmp.Compare(other.lists, one.lists), cmp.Compare(one.misses, other.misses), one.due.Compare(other.due), x.Compare(y))
	})
	for _, addr := range due {
		if a.new.asking >= unheardAsked || a.asking >= ProbesMax {
			return
		}
		if l := a.listed[addr]; a.new.pays(now, addr.Addr()) {
			l.due = now.Add(min(a.period<<min(l.misses, 16), unheardWaitMost))
			a.begin(addr, l)
		}
	}
}

// triedUnheard is told what came of a probe. Where one answers there are others.
func (a *Abroad) triedUnheard(addr netip.AddrPort, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.new.asking--; err == nil {
		delete(a.new.paid, addr.Addr())
	}
}

// hear has one that is listed, and has to do with this node, probed soon if it has never answered.
func (a *Abroad) hear(addr netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.listed[addr]; l != nil && !l.known {
		l.misses, l.due = 0, time.Time{}
	}
}

// neverHeard counts those of a list that have never answered this node. Its caller holds a.mu.
func (a *Abroad) neverHeard(list []netip.AddrPort) (n int) {
	for _, addr := range list {
		if l := a.listed[addr]; addr != a.self && !a.living[addr] && (l == nil || !l.known) {
			n++
		}
	}
	return n
}
