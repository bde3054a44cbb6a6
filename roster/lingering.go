package roster

import (
	"time"

	"hearsay"
)

// lingering is the suspects of this node. Mostly somebody decides about them
// within moments, or they refute. But an accuser may free its suspect again for
// itself alone, by an answer, and its word may not have reached the suspect. Or
// the others have buried the suspect, and their evidence does not hold here, since
// this roster was another one when they counted. Nothing that anybody sends ends
// such a suspicion. So when it has lasted for as long as any may without a decision,
// this node decides itself: it tells the suspect, and probes it out of turn. An
// answer frees it, and a probe in vain makes this node an accuser.
type lingering struct {
	suspects list
	tellAt   time.Time // when one of them may have to be told; void if there is none
}

// tickLingering tells suspects about which nothing was decided for as long as any
// suspicion lasts: who lives, refutes. It is told again after as long.
func (r *Roster) tickLingering(now time.Time) {
	l := &r.lingering
	if len(l.suspects) == 0 || now.Before(l.tellAt) {
		return
	}
	longest := r.longest()
	l.tellAt = now.Add(longest)
	for _, number := range l.suspects {
		m := r.members.at(number)
		h := r.heldOf(m)
		if now.Sub(h.told) >= longest {
			h.told = now
			r.tellOne(r.addr(m), m)
		}
		l.tellAt = earlier(l.tellAt, h.told.Add(longest))
	}
}

// Overdue gives the suspect that is to be probed now, out of turn, and reports
// false if there is none: of those about which nothing was decided for as long as any
// suspicion lasts, the one that was not probed so for the longest. A seed stays
// suspect for as long as it is silent: that is decided.
func (r *Roster) Overdue(now time.Time) (hearsay.NodeID, bool) {
	longest := r.longest()
	var overdue *member
	since := now.Add(-longest)
	for _, number := range r.lingering.suspects {
		m := r.members.at(number)
		probed := r.heldOf(m).probed
		if probed.After(since) || r.seeded() && r.isSeed(m) {
			continue
		}
		if overdue == nil || probed.Before(since) {
			overdue, since = m, probed
		}
	}
	if overdue == nil {
		return hearsay.NodeID{}, false
	}
	r.heldOf(overdue).probed = now
	return r.id(overdue), true
}

// follow is told that a member goes from one state to another.
func (r *Roster) follow(now time.Time, m *member, was hearsay.State) {
	l := &r.lingering
	if was == hearsay.StateSuspect {
		l.suspects.remove(r.members.number(m))
	}
	if m.state == hearsay.StateSuspect {
		if len(l.suspects) == 0 {
			l.tellAt = now.Add(r.longest())
		}
		l.suspects.add(r.members.number(m))
	}
}
