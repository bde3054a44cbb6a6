package quorum

import (
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/when"
)

// This file is what a seed says when it is asked for its opinion, without a
// case. It decides nothing.

// Objects reports whether this seed would not admit the maker of a claim, as far as
// it can tell without a probe.
func (q *Quorum) Objects(c *hearsay.Claim) bool {
	if q.state == nil {
		return true
	}
	return q.state.Members.Get(c.Subject) == nil && (q.state.RefusesAdmission(c) != "" || !q.requests.unfit(c).IsZero())
}

// Admitting reports whether a node asks to be in that says to be at an address: a case is open, or this
// seed probes it first. Who asks has a stream from that IP address.
func (q *Quorum) Admitting(addr netip.AddrPort) bool {
	if q.state != nil && q.state.Addresses[addr] != nil {
		return true
	}
	for _, k := range q.joiners.pending { // order does not matter: is there one?
		if k.claim.Card.Addr == addr {
			return true
		}
	}
	return false
}

// LostSince is when this seed last heard a quorum; zero: it does hear one, or that it does not is not told yet.
func (q *Quorum) LostSince() time.Time {
	if !q.lost {
		return time.Time{}
	}
	return q.hearing.lastHeard()
}

// HeardSince is since when this seed has heard a quorum without a break; zero: it hears none.
func (q *Quorum) HeardSince() time.Time { return q.hearing.heardFrom }

// HeardAt is when the seed in a slot has last sent this one a message of the log, or answered who it is; zero: it has
// not in this life.
func (q *Quorum) HeardAt(slot int) time.Time { return q.hearing.heardAt[slot] }

// Failing reports whether this seed probes a member, and its newest probe was
// not answered.
func (q *Quorum) Failing(id hearsay.NodeID) bool {
	w := q.watches.watched[id]
	return w != nil && !w.failing.IsZero()
}

// Silence is how long a member has not answered a seed's own probes, and what the seed
// does about it.
type Silence struct {
	Since time.Time     // the first probe went out that was not answered, since the last that was
	After time.Duration // of silence the seed opens a case itself, from this time on:
	From  time.Time     // Since, or when the last case about it came to nothing, or a quorum of seeds was heard again
	Vain  bool          // it is the second of these
	// when it was suspect last since it is silent, as After is shorter while it is; zero: it was not, or is
	Freed time.Time
	// and this is when that is over, and one more probe; zero: the seed takes part in no decision now
	By time.Time
}

// Silence tells of a member that does not answer this seed. It reports false if it
// answers, or is not probed.
func (q *Quorum) Silence(now time.Time, id hearsay.NodeID) (s Silence, silent bool) {
	w := q.watches.watched[id]
	if w == nil || w.failing.IsZero() || q.state == nil || q.state.Members.Get(id) == nil {
		return s, false
	}
	failed, brought := q.watches.reportsAfter(id, w)
	s = Silence{Since: w.failing, After: q.cfg.SilentFor << min(w.vain, maxVain), From: q.watches.silentFrom(w)}
	s.Vain = w.vainAt.After(w.failing) && w.vainAt.Equal(s.From)
	if w.suspect.IsZero() && w.vain == 0 && w.freed.After(w.failing) {
		s.Freed = w.freed
	}
	if !w.suspect.IsZero() && w.vain == 0 {
		s.After = q.cfg.ShortTrial
	}
	if q.Decides() {
		s.By = when.Later(when.Later(failed, brought), now).Add(silentPeriod)
	}
	return s, true
}

// Abstaining reports whether this seed probes a node, and its newest probe came to
// nothing by this seed's own fault: then it has no ballot about it yet.
func (q *Quorum) Abstaining(id hearsay.NodeID) bool {
	if k := q.joiners.pending[id]; k != nil {
		return k.abstained
	}
	w := q.watches.watched[id]
	return w != nil && !w.abstained.IsZero() && w.abstained.After(w.failed) && w.abstained.After(w.reached)
}
