package roster

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// This file is the members that have said that they are away (core.Away): what others are told of
// them, and until when nothing is held against them.

// away is such a word, as this node has it. It is kept with what others say of that incarnation, and so
// bounded by the members.
type away struct {
	word  core.Away
	most  time.Time // until is no later: AwayFor after this node has first heard it
	until time.Time
	over  bool // the time is over: of this incarnation the word counts no more
}

// A node that is away itself is told by those that it tells that they have heard it.
const (
	awayAgain = 100 * time.Millisecond // those that have not are told again. A guess: most round trips are shorter
	awayFor   = 3 * awayAgain          // then it waits no longer: the process is to be started again soon
)

// aways are the members that are away, and whether this node is.
type aways struct {
	*part
	list list     // of the living, those that are away; the one whose time ends first comes first
	own  *ownAway // nil: this node is not away itself
}

// ownAway is this node's own word that it is away, and the members that have not answered it.
type ownAway struct {
	word       core.Away
	unanswered []hearsay.NodeID
	again      time.Time // then they are told again
	until      time.Time
	over       bool // the time is over
}

// GoAway has this node tell that it is away, as of its stay. Then it raises no incarnation any more, and is Gone once
// those have heard it that it tells, or after awayFor.
func (w *aways) GoAway(now time.Time, stay hearsay.Stay) {
	if w.own != nil || w.members.self.state == hearsay.StateLeft {
		return
	}
	word := core.Away{Stay: stay, Incarnation: w.members.incarnation(w.members.self), Left: core.AwayFor}
	word.Sign(w.roster.ledger(), w.roster.signer)
	w.own, w.roster.ownWord.refute = &ownAway{word: word, until: now.Add(awayFor)}, refutation{}
	if stay.ID.IsZero() {
		return // it is not in: there is nothing to tell
	}
	for _, m := range w.hearers(w.members.self, hearsay.NodeID{}) {
		w.own.unanswered = append(w.own.unanswered, w.members.id(m))
	}
	w.tickOwn(now)
}

// tickOwn tells those that have not heard it yet.
func (w *aways) tickOwn(now time.Time) {
	f := w.own
	if f == nil || f.over || now.Before(f.again) {
		return
	}
	f.over, f.again = !now.Before(f.until), now.Add(awayAgain)
	for _, id := range f.unanswered {
		if addr, ok := w.members.Addr(id); ok && !f.over {
			w.out.Send = append(w.out.Send, core.Packet{Addr: addr, Body: &f.word})
			w.out.introduce(&w.out.Send[len(w.out.Send)-1]) // its newest incarnation may not have come there
		}
	}
}

// told reports whether nobody is waited for any more.
func (f *ownAway) told() bool { return f != nil && (f.over || len(f.unanswered) == 0) }

// hearers gives the members that are told that a member is away: those that are told of all news, and, by that member
// and by each other, the seeds, which have no links.
func (w *aways) hearers(m *member, from hearsay.NodeID) []*member {
	targets, _ := w.roster.news.audience()
	if w.members.seeded() && (m == w.members.self || w.members.isSeed(w.members.self)) {
		for _, number := range w.members.living {
			if one := w.members.at(number); w.members.isSeed(one) && !slices.Contains(targets, one) {
				targets = append(targets, one)
			}
		}
	}
	return slices.DeleteFunc(targets, func(one *member) bool { return one == m || w.members.id(one) == from || w.members.isAway(one) })
}

// Away takes the word of a member that it is away, whose present stay it names.
func (w *aways) Away(now time.Time, p *core.Packet, word *core.Away) {
	m := w.members.get(word.Stay.ID)
	switch {
	case m == w.members.self:
		if f := w.own; f != nil && f.word.Incarnation == word.Incarnation {
			f.unanswered = slices.DeleteFunc(f.unanswered, func(id hearsay.NodeID) bool { return id == p.From })
		}
		return
	case m == nil || !m.state.Living() || w.members.get(p.From) == nil:
		w.out.stats.Drops[hearsay.DropStranger]++
		return
	case word.Incarnation != w.members.incarnation(m), word.Left <= 0:
		return // an old one, or of a newer incarnation than what has come here; or its time is over where it comes from
	}
	if h := w.members.heldOf(m); h != nil && h.away != nil {
		if w.members.isAway(m) && word.Signature == h.away.word.Signature {
			w.holdUntil(m, now.Add(word.Left)) // the first teller may have said too little
		}
	} else if !w.takes(now, p, m, word) {
		return
	}
	if p.From == word.Stay.ID {
		w.tell(now, w.members.addr(m), m) // it waits for that
	}
}

// takes takes a member's first word of an incarnation, if it is one, and not one too many.
func (w *aways) takes(now time.Time, p *core.Packet, m *member, word *core.Away) bool {
	if !w.roster.budgets.affordsAway(now, p, m) {
		w.out.stats.Drops[hearsay.DropRate]++
		return false
	}
	if w.roster.budgets.work += workVerify; !word.Verify(w.roster.ledger(), w.roster.signer, w.members.word(m).key) {
		w.out.stats.Drops[hearsay.DropBadSignature]++
		return false
	}
	w.roster.budgets.spendAway(now, m)
	w.goes(now, p.From, m, word)
	return true
}

// goes ends what is held against a member, and passes its word on.
func (w *aways) goes(now time.Time, from hearsay.NodeID, m *member, word *core.Away) {
	h := w.members.heldOf(m)
	if h == nil {
		h = &held{}
		w.members.hold(m, h)
	}
	h.away, h.accusers = &away{word: *word, most: now.Add(core.AwayFor), until: now}, nil
	w.list = slices.Insert(w.list, 0, w.members.number(m))
	w.holdUntil(m, now.Add(word.Left))
	w.roster.accusations.drop(m)
	w.roster.deaths.drop(now, m)
	w.roster.setState(now, m, hearsay.StateAlive)
	for _, one := range w.hearers(m, from) {
		w.tell(now, w.members.addr(one), m)
	}
	w.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberAway, Subject: w.members.id(m), Incarnation: w.members.incarnation(m), Took: word.Left})
}

// holdUntil has nothing held against a member that is away until then, if that is later than until now. The
// one whose time ends first comes first.
func (w *aways) holdUntil(m *member, until time.Time) {
	a := w.members.heldOf(m).away
	if until = when.Earlier(until, a.most); !until.After(a.until) {
		return
	}
	a.until = until
	w.list.removeInOrder(w.members.number(m))
	at := len(w.list)
	for at > 0 && w.members.heldOf(w.members.at(w.list[at-1])).away.until.After(until) {
		at--
	}
	w.list = slices.Insert(w.list, at, w.members.number(m))
}

// tell sends the word of a member that it is away, and how long that holds yet: once in a step, however many claims
// ask for it.
func (w *aways) tell(now time.Time, addr netip.AddrPort, m *member) {
	a := w.members.heldOf(m).away
	if a.word.Left = max(0, a.until.Sub(now)); !slices.ContainsFunc(w.out.Now, func(p core.Packet) bool { return p.Addr == addr && p.Body == &a.word }) {
		w.out.Now = append(w.out.Now, core.Packet{Addr: addr, Body: &a.word})
	}
}

// holdsBack reports whether nothing is taken against a member that is away. The sender is told so, where it is listed.
func (w *aways) holdsBack(now time.Time, p *core.Packet, m *member) bool {
	if !w.members.isAway(m) {
		return false
	}
	if addr, ok := w.members.Addr(p.From); ok {
		w.tell(now, addr, m)
	}
	return true
}

// AwayCount counts the members that are away.
func (w *aways) AwayCount() int { return len(w.list) }

// tick ends the time of those that have had it: they are probed again as any member.
func (w *aways) tick(now time.Time) {
	for len(w.list) > 0 {
		m := w.members.at(w.list[0])
		word := w.members.heldOf(m).away
		if now.Before(word.until) {
			return
		}
		word.over = true
		w.list = w.list[1:]
		w.out.event(hearsay.Event{At: now, Kind: hearsay.EventAwayOver, Subject: w.members.id(m), Incarnation: w.members.incarnation(m)})
	}
	w.list = nil
}

// end is told that a member's incarnation is over, or its stay. It reports whether it was away.
func (w *aways) end(m *member) bool {
	if !w.members.isAway(m) {
		return false
	}
	w.list.removeInOrder(w.members.number(m))
	w.members.heldOf(m).away.over = true
	return true
}

// due gives when Tick must be called next, as far as that is of those that are away.
func (w *aways) due(at time.Time) time.Time {
	if len(w.list) > 0 {
		at = when.Earlier(at, w.members.heldOf(w.members.at(w.list[0])).away.until)
	}
	if f := w.own; f != nil && !f.over {
		at = when.Earlier(at, f.again)
	}
	return at
}

// Unanswered counts those that this node, which is away itself, has told so and that have not answered.
func (w *aways) Unanswered() int {
	if w.own == nil {
		return 0
	}
	return len(w.own.unanswered)
}
