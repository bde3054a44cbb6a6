package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
)

// This file is the members that have said that they are away (hearsay.Away): what others are told of
// them, and until when nothing is held against them.

// away is such a word, as this node has it. It is kept with what others say of that incarnation, and so
// bounded by the members.
type away struct {
	word  hearsay.Away
	until time.Time
	over  bool // the time is over: of this incarnation the word counts no more
}

// A node that is away itself is told by those that it tells that they have heard it.
const (
	farewellAgain = 100 * time.Millisecond // those that have not are told again. A guess: most round trips are shorter
	farewellFor   = 3 * farewellAgain      // then it waits no longer: the process is to be started again soon
)

// farewell is this node's own word, and who has not answered it.
type farewell struct {
	word  hearsay.Away
	waits []hearsay.NodeID
	again time.Time // then they are told again
	until time.Time
	over  bool // the time is over
}

// GoAway has this node tell that it is away, as of its stay. Then it raises no incarnation any more, and is Gone once
// those have heard it that it tells, or after farewellFor.
func (r *Roster) GoAway(now time.Time, stay hearsay.Stay) {
	if r.departs != nil || r.self.state == hearsay.StateLeft {
		return
	}
	word := hearsay.Away{Stay: stay, Incarnation: r.incarnation(r.self)}
	word.Sign(r.ledger(), r.signer)
	r.departs, r.refute = &farewell{word: word, until: now.Add(farewellFor)}, refutation{}
	if stay.ID.IsZero() {
		return // it is not in: there is nothing to tell
	}
	for _, m := range r.hearersOf(r.self, hearsay.NodeID{}) {
		r.departs.waits = append(r.departs.waits, r.id(m))
	}
	r.tickFarewell(now)
}

// tickFarewell tells those that have not heard it yet.
func (r *Roster) tickFarewell(now time.Time) {
	f := r.departs
	if f == nil || f.over || now.Before(f.again) {
		return
	}
	f.over, f.again = !now.Before(f.until), now.Add(farewellAgain)
	for _, id := range f.waits {
		if addr, ok := r.Addr(id); ok && !f.over {
			r.out.Send = append(r.out.Send, hearsay.Packet{Addr: addr, Body: &f.word})
			r.Introduce(&r.out.Send[len(r.out.Send)-1]) // its newest incarnation may not have come there
		}
	}
}

// told reports whether nobody is waited for any more.
func (f *farewell) told() bool { return f != nil && (f.over || len(f.waits) == 0) }

// hearersOf gives who is told that a member is away: those that are told of all news, and the seeds, which have
// no links, by that member and by each other.
func (r *Roster) hearersOf(m *member, from hearsay.NodeID) []*member {
	targets, _ := r.audience()
	if r.seeded() && (m == r.self || r.isSeed(r.self)) {
		for _, number := range r.living {
			if one := r.members.at(number); r.isSeed(one) && !slices.Contains(targets, one) {
				targets = append(targets, one)
			}
		}
	}
	r.targets = targets[:0]
	return slices.DeleteFunc(targets, func(one *member) bool { return one == m || r.id(one) == from || r.isAway(one) })
}

// Away takes the word of a member that it is away, whose present stay it names.
func (r *Roster) Away(now time.Time, p *hearsay.Packet, word *hearsay.Away) {
	m := r.members.get(word.Stay.ID)
	switch {
	case m == r.self:
		if f := r.departs; f != nil && f.word.Incarnation == word.Incarnation {
			f.waits = slices.DeleteFunc(f.waits, func(id hearsay.NodeID) bool { return id == p.From })
		}
		return
	case m == nil || !m.state.Living() || r.members.get(p.From) == nil:
		r.drops[hearsay.DropStranger]++
		return
	case word.Incarnation != r.incarnation(m):
		return // an old one, or of a newer incarnation than what has come here
	}
	if h := r.heldOf(m); h == nil || h.away == nil {
		if !r.affordVerify(now, p) {
			r.drops[hearsay.DropRate]++
			return
		}
		if r.work += workVerify; !word.Verify(r.ledger(), r.signer, r.members.word(m).key) {
			r.drops[hearsay.DropBadSignature]++
			return
		}
		r.goesAway(now, p.From, m, word)
	}
	if p.From == word.Stay.ID {
		r.tellAway(r.addr(m), m) // it waits for that
	}
}

// goesAway ends what is held against a member, and passes its word on.
func (r *Roster) goesAway(now time.Time, from hearsay.NodeID, m *member, word *hearsay.Away) {
	h := r.heldOf(m)
	if h == nil {
		h = &held{}
		r.hold(m, h)
	}
	h.away, h.accusers = &away{word: *word, until: now.Add(hearsay.AwayFor)}, nil
	r.away = append(r.away, r.members.number(m))
	r.dropAccusation(m)
	r.pending = slices.DeleteFunc(r.pending, func(w pending) bool { return w.subject == r.id(m) })
	r.duePending(now)
	r.setState(now, m, hearsay.StateAlive)
	for _, one := range r.hearersOf(m, from) {
		r.tellAway(r.addr(one), m)
	}
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberAway, Subject: r.id(m), Incarnation: r.incarnation(m), Took: hearsay.AwayFor})
}

// tellAway sends the word of a member that it is away.
func (r *Roster) tellAway(addr netip.AddrPort, m *member) {
	r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Body: &r.heldOf(m).away.word})
}

// holdsBack reports whether nothing is taken against a member that is away: who says it is told so, where it is listed.
func (r *Roster) holdsBack(p *hearsay.Packet, m *member) bool {
	if !r.isAway(m) {
		return false
	}
	if addr, ok := r.Addr(p.From); ok {
		r.tellAway(addr, m)
	}
	return true
}

// isAway reports whether a member has said that it is away, and may be still.
func (r *Roster) isAway(m *member) bool {
	h := r.heldOf(m)
	return h != nil && h.away != nil && !h.away.over
}

// IsAway reports whether a member has said that it is away, and until when nothing is held against it.
func (r *Roster) IsAway(id hearsay.NodeID) (until time.Time, is bool) {
	if m := r.members.get(id); m != nil && r.isAway(m) {
		return r.heldOf(m).away.until, true
	}
	return until, false
}

// AwayCount counts the members that are away.
func (r *Roster) AwayCount() int { return len(r.away) }

// tickAway ends the time of those that have had it: they are probed again as any member.
func (r *Roster) tickAway(now time.Time) {
	for len(r.away) > 0 {
		m := r.members.at(r.away[0])
		word := r.heldOf(m).away
		if now.Before(word.until) {
			return
		}
		word.over = true
		r.away = r.away[1:]
		r.event(hearsay.Event{At: now, Kind: hearsay.EventAwayOver, Subject: r.id(m), Incarnation: r.incarnation(m)})
	}
	r.away = nil
}

// endAway is told that a member's incarnation is over, or its stay. It reports whether it was away.
func (r *Roster) endAway(m *member) bool {
	if !r.isAway(m) {
		return false
	}
	r.away.removeInOrder(r.members.number(m))
	r.heldOf(m).away.over = true
	return true
}

// awayDue gives when Tick must be called next, as far as that is of those that are away.
func (r *Roster) awayDue(at time.Time) time.Time {
	if len(r.away) > 0 {
		at = earlier(at, r.heldOf(r.members.at(r.away[0])).away.until)
	}
	if f := r.departs; f != nil && !f.over {
		at = earlier(at, f.again)
	}
	return at
}
