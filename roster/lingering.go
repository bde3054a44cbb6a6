package roster

import (
	"time"

	"hearsay"
)

// lingering is the suspects of this node. Mostly somebody decides about them
// within moments, or they refute. But an accuser may free its suspect again for
// itself alone, by an answer, and its word may not have reached the suspect:
// then whoever has it from others would hold it until its detector's turn comes
// to that member.
type lingering struct {
	suspects list
	tellAt   time.Time // when one of them may have to be told; void if there is none
}

// tickLingering tells suspects about whom nothing was decided for as long as any
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
