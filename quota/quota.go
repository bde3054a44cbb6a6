// Package quota shares out what is dear among those who ask for it: so much to
// each, so much to all strangers together, and apart from that to all members and
// to all seats, so that what one class uses up is its own
// share only.
package quota

import (
	"net/netip"
	"time"
)

// Class is what a sender is to a node. A greater one has proven more.
type Class uint8

// The classes.
const (
	Stranger Class = iota // anybody that reaches the port
	Member                // a member, at the address that the roster has of it
	Seat                  // a configured seed, at its address
	classes
)

// Sender is whose share something is taken from. Of a stranger Addr is its
// source (core.Source) with port 0; of others it is where they are reached.
type Sender struct {
	Class Class
	Addr  netip.AddrPort
}

// Rate is one use each Every in the long run, and Burst at once, which are saved
// up. The zero Rate allows nothing.
type Rate struct {
	Every time.Duration
	Burst int
}

// PerSecond is so many a second, and so many at once.
func PerSecond(n, burst int) Rate { return Rate{Every: time.Second / time.Duration(n), Burst: burst} }

// Unlimited is more than a machine can use.
var Unlimited = Rate{Every: 1, Burst: 1 << 30}

// Share is what a class may use: All for those that come first, and Each of its senders.
// Where All is used up, each slot of senders has a little for itself (see Rate.own), so that
// a few senders cannot shut out the others: all slots together have as much as All once
// more. So a class has up to twice All, and one sender up to twice Each, as nobody is told
// apart before Each was used up.
type Share struct{ All, Each Rate }

// Shares are those of all classes. A class whose share is zero has none.
type Shares [classes]Share

// PerSource are shares of which each sender may use so much, and each class of senders so
// much in all.
func PerSource(each, all Rate) *Shares {
	share := Share{All: all, Each: each}
	return &Shares{share, share, share}
}

// Slots is how many senders of a class are told apart; those whose hashes agree
// share what one may use. A guess: an eighth of them agree with another where 32
// senders use much at once.
const Slots = 256

// Quota counts what was used. Its methods allocate nothing but the counts, at the first
// use, and, twice for each class, the slots of its senders: a node has many quotas, most
// of which are never used. The zero Quota allows nothing.
type Quota struct {
	secret uint64 // odd: which senders share a slot cannot be chosen
	shares *Shares
	counts *counts // nil until something is used
}

// counts are what was used of a quota. Times are nanoseconds since began up to which a Rate
// is used: they follow the monotonic clock, as a machine's clock may be set back.
type counts struct {
	began time.Time // longer before the first use than any burst takes to be saved up
	used  [classes]used
}

// used is one class.
type used struct {
	all   int64
	joint int64         // as if all senders were one: within that nobody is told apart
	each  *[Slots]int64 // by slot; nil until joint was used up once
	owned int64         // what all slots have used for themselves
	own   *[Slots]int64 // by slot; nil until all was used up once
}

// New makes a quota of which nothing is used. The secret decides which senders share a
// slot. The shares are read only, and may be those of other quotas.
func New(secret uint64, shares *Shares) *Quota { return &Quota{secret: secret | 1, shares: shares} }

// Take uses up n units of a sender's share, and reports whether there was
// anything left of it, and of its class's. The last use may go beyond a share:
// the sender then waits for longer.
func (q *Quota) Take(now time.Time, from Sender, n int) bool {
	if q.shares == nil {
		return false
	}
	if q.counts == nil {
		q.counts = &counts{began: now.Add(-24 * time.Hour)}
	}
	share, u, at := &q.shares[from.Class], &q.counts.used[from.Class], int64(now.Sub(q.counts.began))
	if share.All.full(u.all, at) {
		return u.takeOwn(share.All, at, Slot(q.secret, from.Addr), n)
	}
	spent := &u.joint
	if share.Each.full(u.joint, at) {
		if u.each == nil {
			u.each = new([Slots]int64)
		}
		spent = &u.each[Slot(q.secret, from.Addr)]
	}
	if share.Each.full(*spent, at) {
		return false
	}
	u.all, *spent = share.All.after(u.all, at, n), share.Each.after(*spent, at, n)
	return true
}

// takeOwn uses up n units of what a slot has for itself. As a use is of any size, what all
// slots together have at once is bounded besides.
func (u *used) takeOwn(all Rate, at int64, slot uint8, n int) bool {
	if u.own == nil {
		u.own = new([Slots]int64)
	}
	own := all.own()
	if all.full(u.owned, at) || own.full(u.own[slot], at) {
		return false
	}
	u.owned, u.own[slot] = all.after(u.owned, at, n), own.after(u.own[slot], at, n)
	return true
}

// own is what a slot has of a rate where others use it up: one use at once, and in
// the long run as much for all slots together as the rate is.
func (r Rate) own() Rate { return Rate{Every: Slots * r.Every, Burst: min(1, r.Burst)} }

// full reports whether nothing of a rate is left: what is used lies ahead.
func (r Rate) full(spent, now int64) bool { return r.Burst == 0 || max(spent, r.saved(now)) > now }

// after is up to when a rate is used after n more uses: a virtual schedule, as
// in ITU-T I.371 (the generic cell rate algorithm).
func (r Rate) after(spent, now int64, n int) int64 {
	return max(spent, r.saved(now)) + int64(n)*int64(r.Every)
}

func (r Rate) saved(now int64) int64 { return now - int64(r.Burst-1)*int64(r.Every) }

// Slot gives one of the Slots to an address, by a multiplication with the golden ratio's odd
// fraction after each part, beginning with the secret.
func Slot(secret uint64, addr netip.AddrPort) uint8 {
	h := secret
	for _, b := range addr.Addr().As16() {
		h = (h ^ uint64(b)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	h = (h ^ uint64(addr.Port())) * 0x9e3779b97f4a7c15
	return uint8(h >> 56) // Slots is 2^8
}
