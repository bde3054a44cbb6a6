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
	most  time.Time // until is no later: AwayFor after this node has first heard it
	until time.Time
	over  bool // the time is over: of this incarnation the word counts no more
}

// awayEach is how often such a word of one member counts: two at once, and one a minute. A member that were held whenever it says so
// would never be found dead, be it alive or others that have words that it has signed in advance. A guess: what is restarted more often is
// not well.
const awayEach = time.Minute

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
	word := hearsay.Away{Stay: stay, Incarnation: r.incarnation(r.self), Left: hearsay.AwayFor}
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
	case word.Incarnation != r.incarnation(m), word.Left <= 0:
		return // an old one, or of a newer incarnation than what has come here; or its time is over where it comes from
	}
	if h := r.heldOf(m); h != nil && h.away != nil {
		if r.isAway(m) && word.Signature == h.away.word.Signature {
			r.holdUntil(m, now.Add(word.Left)) // who told it first may have said too little
		}
	} else if !r.takesAway(now, p, m, word) {
		return
	}
	if p.From == word.Stay.ID {
		r.tellAway(now, r.addr(m), m) // it waits for that
	}
}

// takesAway takes a member's first word of an incarnation, if it is one, and not one too many.
func (r *Roster) takesAway(now time.Time, p *hearsay.Packet, m *member, word *hearsay.Away) bool {
	spent := r.spent[r.id(m)]
	if spent.away > r.runs(now)+awayEach || !r.affordVerify(now, p) {
		r.drops[hearsay.DropRate]++
		return false
	}
	if r.work += workVerify; !word.Verify(r.ledger(), r.signer, r.members.word(m).key) {
		r.drops[hearsay.DropBadSignature]++
		return false
	}
	spent.away = r.spend(spent.away, now, awayEach, 0)
	r.spent[r.id(m)] = spent
	r.goesAway(now, p.From, m, word)
	return true
}

// goesAway ends what is held against a member, and passes its word on.
func (r *Roster) goesAway(now time.Time, from hearsay.NodeID, m *member, word *hearsay.Away) {
	h := r.heldOf(m)
	if h == nil {
		h = &held{}
		r.hold(m, h)
	}
	h.away, h.accusers = &away{word: *word, most: now.Add(hearsay.AwayFor), until: now}, nil
	r.away = slices.Insert(r.away, 0, r.members.number(m))
	r.holdUntil(m, now.Add(word.Left))
	r.dropAccusation(m)
	r.pending = slices.DeleteFunc(r.pending, func(w pending) bool { return w.subject == r.id(m) })
	r.duePending(now)
	r.setState(now, m, hearsay.StateAlive)
	for _, one := range r.hearersOf(m, from) {
		r.tellAway(now, r.addr(one), m)
	}
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberAway, Subject: r.id(m), Incarnation: r.incarnation(m), Took: word.Left})
}

// holdUntil has nothing held against a member that is away until then, if that is later than until now. The one whose time
// ends first comes first.
func (r *Roster) holdUntil(m *member, until time.Time) {
	a := r.heldOf(m).away
	if until = earlier(until, a.most); !until.After(a.until) {
		return
	}
	a.until = until
	r.away.removeInOrder(r.members.number(m))
	at := len(r.away)
	for at > 0 && r.heldOf(r.members.at(r.away[at-1])).away.until.After(until) {
		at--
	}
	r.away = slices.Insert(r.away, at, r.members.number(m))
}

// tellAway sends the word of a member that it is away, and how long that holds yet: once in a step, however many claims
// ask for it.
func (r *Roster) tellAway(now time.Time, addr netip.AddrPort, m *member) {
	a := r.heldOf(m).away
	if a.word.Left = max(0, a.until.Sub(now)); !slices.ContainsFunc(r.out.Now, func(p hearsay.Packet) bool { return p.Addr == addr && p.Body == &a.word }) {
		r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Body: &a.word})
	}
}

// holdsBack reports whether nothing is taken against a member that is away: who says it is told so, where it is listed.
func (r *Roster) holdsBack(now time.Time, p *hearsay.Packet, m *member) bool {
	if !r.isAway(m) {
		return false
	}
	if addr, ok := r.Addr(p.From); ok {
		r.tellAway(now, addr, m)
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

// Unanswered counts those that this node, which is away itself, has told so and that have not answered.
func (r *Roster) Unanswered() int {
	if r.departs == nil {
		return 0
	}
	return len(r.departs.waits)
}
