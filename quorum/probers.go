package quorum

import (
	"time"

	"hearsay"
)

// This file finds out whether the members probe each other. A member that dies is found by the probes of all others: of
// n members each probes one in a period, so each is probed once in a period on average. Members that answer pings, and
// probe nobody, make that as much slower as there are more of them; and observers that do not answer make each case a
// short one. A seed sees it by the pings that it gets itself. Then it looks at all members: see lookAround. That costs
// up to two hundred pings a second, and nothing else follows from it, as others can bring it about, or prevent it:
// peers that are set to probe less often than this seed are taken for few that probe, and pings are not signed.
//
// Guests probe nobody of ours, so a seed looks at all, too, where they are more than those that do: each would be
// probed less than once in a period.

const (
	// probersWindow is half of the time over which pings are counted: some ten of all members together come in it,
	// however many there are. Guess: with a third of those of 20 s as the least, a network of which all probe is taken
	// for one of which few do once in ten hours.
	probersWindow = 10 * time.Second
	probersLeast  = 3 // one in so many of the members that are expected to ping this seed must

	// probersNew is from how many members on those that were admitted within two windows are taken for ones that do
	// not probe, until they have had the time to. Guess: fewer are probed often enough by those that do.
	probersNew = 32

	guestsEach = time.Second // between two counts of guests

	maxPingers = 64 // that are told apart in a window: more than three times as many as are expected
)

// probers is what this seed knows of who probes.
type probers struct {
	seed *Quorum

	began  time.Time                      // of the newer window; zero: nothing is counted yet
	pinged [2]map[hearsay.NodeID]struct{} // members that have pinged this seed, in the newer window and the one before
	joined [2]int                         // members that were admitted, and never before, likewise
	whole  bool                           // both windows were counted
	few    bool                           // too few members probe

	guests    int // members that are guests
	countedAt time.Time
}

// Pinged tells that a member has pinged this seed.
func (q *Quorum) Pinged(id hearsay.NodeID) {
	p := &q.probers
	if q.state == nil || p.began.IsZero() || len(p.pinged[0]) >= maxPingers || q.state.Members.Get(id) == nil {
		return
	}
	p.pinged[0][id] = struct{}{}
}

// admitted counts a newcomer. One that was in before, as after a leave, is none: else a few could be counted as many.
func (p *probers) admitted(id hearsay.NodeID) {
	if _, before := p.seed.state.WasIn(id); !before {
		p.joined[0]++
	}
}

// tick looks whether too few probe.
func (p *probers) tick(now time.Time) {
	if now.Sub(p.countedAt) >= guestsEach {
		p.guests, p.countedAt = p.seed.state.Members.Guests(), now
	}
	switch since := now.Sub(p.began); {
	case p.seed.cfg.ProbePeriod == 0:
	case p.began.IsZero() || since >= 2*probersWindow:
		*p = probers{seed: p.seed, guests: p.guests, countedAt: p.countedAt, began: now, pinged: [2]map[hearsay.NodeID]struct{}{{}, {}}}
	case since >= probersWindow:
		p.few = p.whole && probersLeast*(len(p.pinged[0])+len(p.pinged[1])) < 2*p.expected()
		p.pinged[1], p.pinged[0] = p.pinged[0], make(map[hearsay.NodeID]struct{})
		p.joined[1], p.joined[0] = p.joined[0], 0
		p.began, p.whole = now, true
	}
}

// expected is how many members ping this seed in a window if all probe. Guests probe nobody.
func (p *probers) expected() int {
	members := &p.seed.state.Members
	probing := len(members.Witnesses(hearsay.NodeID{}))
	all := members.Count + len(p.seed.cfg.Seeds)
	return probing * min(all, int(probersWindow/p.seed.cfg.ProbePeriod)) / max(1, all)
}

// lacking reports whether too few members probe, as far as this seed sees.
func (p *probers) lacking() bool {
	all := p.seed.state.Members.Count
	crowded := p.seed.cfg.ProbePeriod > 0 && 2*p.guests > all+len(p.seed.cfg.Seeds)
	return p.few || crowded || p.seed.cfg.ProbePeriod > 0 && all >= probersNew && probersLeast*(p.joined[0]+p.joined[1]) > (probersLeast-1)*all
}
