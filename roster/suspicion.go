package roster

import (
	"math"
	"slices"
	"time"

	"hearsay"
	"hearsay/ring"
)

// askAgain is how long an observer may be silent before it is asked again: a
// request or a statement was lost. Guess: over the time that an examination
// takes where round trips are short.
const askAgain = 300 * time.Millisecond

// patientRound is the time between rounds after a suspicion ran out without
// a decision: nobody here may decide, and nobody should be kept busy.
const patientRound = 10 * time.Second

// accusation is a suspicion that rests on this node's own probe, and that
// this node brings to a decision.
type accusation struct {
	subject     *member
	incarnation hearsay.Incarnation
	began       time.Time

	// The round under way, if closes is set.
	round     hearsay.Round
	observers []hearsay.NodeID
	said      []hearsay.Statement // at most one of each observer
	askAt     time.Time
	closes    time.Time

	nextRound time.Time // when there is none under way
}

// Unreachable is told that this node's detector had no answer from a member.
func (r *Roster) Unreachable(now time.Time, id hearsay.NodeID) {
	m := r.members.get(id)
	if m == nil || !m.state.Living() || r.self.state == hearsay.StateLeft || r.isAway(m) {
		return
	}
	underWay := m.state == hearsay.StateSuspect && now.Sub(r.heldOf(m).began) < r.cfg.RoundEvery
	r.suspect(now, m, r.id(r.self))
	if r.seeded() && r.isSeed(m) {
		return // no case names one
	}
	if r.seeded() {
		r.tellSeeds(m)
	}
	if m.state != hearsay.StateSuspect || r.accusationOf(m) != nil || len(r.accusations) >= maxAccusations {
		return
	}
	// The suspect is told first (Lifeguard, section IV.C).
	r.tellOne(r.addr(m), m)
	r.heldOf(m).told = now
	a := &accusation{subject: m, incarnation: r.incarnation(m), began: now, nextRound: now}
	if underWay {
		a.nextRound = now.Add(r.cfg.RoundEvery) // another accuser has asked already
	}
	r.accusations = append(r.accusations, a)
	r.tickAccusations(now)
}

// claimedSuspect takes another's suspicion.
func (r *Roster) claimedSuspect(now time.Time, p *hearsay.Packet, m *member, c *hearsay.Claim) {
	if r.holdsBack(now, p, m) {
		return
	}
	if by := r.members.get(c.By); by == nil || !by.state.Living() {
		r.drops[hearsay.DropStranger]++
		return
	}
	r.suspect(now, m, c.By)
}

// suspect counts an accuser. One whose suspicion ended here, because the
// member answered this node, does not count again for the same incarnation.
func (r *Roster) suspect(now time.Time, m *member, by hearsay.NodeID) {
	if !m.state.Living() {
		return
	}
	h := r.heldOf(m)
	if h == nil {
		h = &held{}
		r.hold(m, h)
	}
	again := slices.Index(h.accusers, by)
	full := len(h.accusers) > r.cfg.Confirmations
	switch suspected := m.state == hearsay.StateSuspect; {
	case again >= 0 && (suspected || by != r.id(r.self)), full && suspected:
		r.news.heardAgain(m)
		return
	case again >= 0:
		h.accusers = slices.Delete(h.accusers, again, again+1)
	case full:
		h.accusers = h.accusers[:0]
	}
	h.accusers = append(h.accusers, by)
	r.tell(m)
	r.stats.ClaimsNew++
	if m.state == hearsay.StateSuspect {
		return
	}
	h.began, h.told, h.probed = now, now, now
	r.setState(now, m, hearsay.StateSuspect)
	r.stats.Suspicions++
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberSuspected, Subject: r.id(m), By: by, Incarnation: r.incarnation(m)})
}

func (r *Roster) accusationOf(m *member) *accusation {
	for _, a := range r.accusations {
		if a.subject == m {
			return a
		}
	}
	return nil
}

func (r *Roster) dropAccusation(m *member) {
	r.accusations = slices.DeleteFunc(r.accusations, func(a *accusation) bool { return a.subject == m })
}

// tickAccusations opens and closes rounds and asks again who is silent.
func (r *Roster) tickAccusations(now time.Time) {
	open := 0
	for _, a := range r.accusations {
		if !a.closes.IsZero() {
			open++
		}
	}
	// A decision takes an accusation off the list while it is walked.
	for _, a := range slices.Clone(r.accusations) {
		switch {
		case !a.closes.IsZero() && !now.Before(a.closes):
			r.closeRound(now, a)
			open--
		case !a.closes.IsZero() && !now.Before(a.askAt):
			r.askSilent(now, a)
		case a.closes.IsZero() && !now.Before(a.nextRound):
			if open >= maxRounds {
				a.nextRound = now.Add(r.cfg.RoundEvery)
				continue
			}
			r.openRound(now, a)
			open++
		}
	}
}

// renewAccusations begins all cases anew. A node that was buried was cut off:
// how long it could not reach others there says nothing, and what it could not
// decide it now can.
func (r *Roster) renewAccusations(now time.Time) {
	for _, a := range r.accusations {
		a.began = now
		if a.closes.IsZero() {
			a.nextRound = now
		}
	}
}

// openRound asks the observers to probe the subject now.
func (r *Roster) openRound(now time.Time, a *accusation) {
	a.observers = r.observers(a.observers[:0], r.id(a.subject))
	a.round = hearsay.Round(r.random.Uint64())
	a.said = a.said[:0]
	a.closes = now.Add(r.cfg.RoundEvery)
	r.stats.Rounds++
	r.event(hearsay.Event{At: now, Kind: hearsay.EventRoundOpened, Subject: r.id(a.subject), Round: a.round, Count: len(a.observers)})
	r.askSilent(now, a)
}

// askSilent asks those observers whose statement has not come.
func (r *Roster) askSilent(now time.Time, a *accusation) {
	a.askAt = now.Add(askAgain)
	for _, id := range a.observers {
		if slices.ContainsFunc(a.said, func(s hearsay.Statement) bool { return s.Observer == id }) {
			continue
		}
		request := hearsay.WitnessReq{Subject: r.id(a.subject), Incarnation: a.incarnation, Round: a.round}
		if id == r.id(r.self) {
			r.witness(now, r.self, r.addr(a.subject), nil, &request)
			continue
		}
		if addr, ok := r.Addr(id); ok {
			r.out.Now = append(r.out.Now, hearsay.Packet{Addr: addr, Body: &request})
		}
	}
}

// observers appends the observers of a subject by this roster.
func (r *Roster) observers(dst []hearsay.NodeID, subject hearsay.NodeID) []hearsay.NodeID {
	if r.seeded() {
		return r.peersObserving(dst, subject)
	}
	everybody := ring.Members[hearsay.NodeID]{Count: len(r.living) + 1, At: func(i int) hearsay.NodeID {
		if i == len(r.living) {
			return r.id(r.self)
		}
		return r.Other(i)
	}}
	return ring.Observers(dst, subject, everybody, min(r.cfg.Observers, r.Living()-1))
}

// majority is H: how many of K observers condemn.
func majority(observers int) int { return observers/2 + 1 }

// Statement takes an observer's signed answer.
func (r *Roster) Statement(now time.Time, s *hearsay.Statement) {
	i := slices.IndexFunc(r.accusations, func(a *accusation) bool {
		return r.id(a.subject) == s.Subject && a.round == s.Round && a.incarnation == s.Incarnation && !a.closes.IsZero()
	})
	if i < 0 {
		r.drops[hearsay.DropUnexpected]++
		return
	}
	a, observer := r.accusations[i], r.members.get(s.Observer)
	if observer == nil || !slices.Contains(a.observers, s.Observer) {
		r.drops[hearsay.DropStranger]++
		return
	}
	if slices.ContainsFunc(a.said, func(o hearsay.Statement) bool { return o.Observer == s.Observer }) {
		return // it was asked twice
	}
	if !s.Verify(r.ledger(), r.signer, r.members.word(observer).key) {
		r.drops[hearsay.DropBadSignature]++
		return
	}
	a.said = append(a.said, *s)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventStatement, Subject: s.Subject, By: s.Observer, Round: s.Round, Verdict: s.Verdict})
	r.count(now, a)
}

// count decides the round as soon as it can be decided.
func (r *Roster) count(now time.Time, a *accusation) {
	tally := hearsay.Evidence{Statements: a.said}
	needed := majority(len(a.observers))
	switch {
	case tally.Against() >= needed:
		r.condemn(now, a, hearsay.RuleMajority)
	case tally.Reachable() >= len(a.observers)-needed+1:
		r.clear(now, a, tally.Reachable())
	}
}

// clear ends a suspicion: enough observers reach the subject. Others have heard
// of it and hold it still, so its subject is told once more: its refutation
// reaches them all.
func (r *Roster) clear(now time.Time, a *accusation, reached int) {
	m := a.subject
	r.tellOne(r.addr(m), m)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventCleared, Subject: r.id(m), Round: a.round, Count: reached})
	r.dropAccusation(m)
	r.setState(now, m, hearsay.StateAlive)
	if !slices.Contains(r.cleared, r.id(m)) {
		r.cleared = append(r.cleared, r.id(m))
	}
}

// TakeWrong reports, once, that the observers reached three different members
// that this node had accused: the fault is probably its own.
func (r *Roster) TakeWrong() bool {
	if len(r.cleared) < 3 {
		return false
	}
	r.cleared = r.cleared[:0]
	return true
}

// closeRound ends a round that decided nothing. If the suspicion has run out,
// and nobody reaches the subject, that decides, with as many against it as
// enough says.
func (r *Roster) closeRound(now time.Time, a *accusation) {
	tally := hearsay.Evidence{Statements: a.said}
	expired := now.Sub(a.began) >= r.patience(a.subject)
	if expired && tally.Reachable() == 0 && tally.Against() >= r.enough() {
		r.condemn(now, a, hearsay.RuleTimeout)
		return
	}
	r.event(hearsay.Event{At: now, Kind: hearsay.EventUndecided, Subject: r.id(a.subject), Round: a.round, Count: tally.Against()})
	a.closes, a.nextRound = time.Time{}, now
	if expired {
		a.nextRound = now.Add(patientRound)
	}
}

// enough is how many must be against a subject when its suspicion runs out. In
// an open network that alone buries it, so that one never does. Seeds look for
// themselves, each for so long that nobody's word is needed: also if all observers
// are dead, one is told what there is.
func (r *Roster) enough() int {
	if r.seeded() {
		return 0
	}
	return min(2, r.Living()-1)
}

// patience is how long a suspicion lasts without a decision: between the
// maximum, for an accuser alone, and the minimum, when others confirm
// (Lifeguard, section IV.B). Where seeds decide, it is one time for all: its end
// removes nobody, it has each seed judge by its own probes, and those began with the
// suspicion.
func (r *Roster) patience(m *member) time.Duration {
	if r.seeded() {
		return r.cfg.SuspicionMin
	}
	shortest, longest := r.shortest(), r.longest()
	confirmed := float64(max(0, len(r.heldOf(m).accusers)-1))
	share := min(1, math.Log(confirmed+1)/math.Log(float64(r.cfg.Confirmations)+1))
	return longest - time.Duration(share*float64(longest-shortest))
}

// Suspicion is how a suspicion stands, as one node knows it.
type Suspicion struct {
	Observers []hearsay.NodeID
	Majority  int       // of the observers
	Accuses   bool      // this node itself brings it to a decision
	RunsOut   time.Time // without a decision; sooner if others confirm it; for other accusers about then
}

// Suspicion tells of the suspicion of a suspect.
func (r *Roster) Suspicion(id hearsay.NodeID) (s Suspicion, ok bool) {
	m := r.members.get(id)
	if m == nil || m.state != hearsay.StateSuspect {
		return s, false
	}
	s.Observers = r.observers(nil, id)
	s.Majority = majority(len(s.Observers))
	began := r.heldOf(m).began
	if a := r.accusationOf(m); a != nil {
		s.Accuses, began = true, a.began
	}
	s.RunsOut = began.Add(r.patience(m))
	return s, true
}

// longest is how long a suspicion lasts at most, if no round decides: nobody
// confirms it.
func (r *Roster) longest() time.Duration {
	return r.shortest() * time.Duration(r.cfg.SuspicionMax)
}

// shortest is how long a suspicion lasts at least, if no round decides.
func (r *Roster) shortest() time.Duration {
	return time.Duration(float64(r.cfg.SuspicionMin) * max(1, math.Log10(float64(r.Living()))))
}

// condemn makes evidence of the round. What follows from it is not decided
// here: an open network buries the subject.
func (r *Roster) condemn(now time.Time, a *accusation, rule hearsay.Rule) {
	e := &hearsay.Evidence{
		Subject: r.id(a.subject), Incarnation: a.incarnation, Round: a.round, Rule: rule, Accuser: r.id(r.self),
		Suspected: a.began.UnixMilli(), Condemned: now.UnixMilli(),
		Observers: uint8(len(a.observers)), Needed: uint8(majority(len(a.observers))),
		Statements: slices.Clone(a.said),
	}
	r.dropAccusation(a.subject)
	r.stats.Condemned++
	r.event(hearsay.Event{At: now, Kind: hearsay.EventCondemned, Subject: e.Subject, Round: e.Round, Count: e.Against(), Evidence: e})
}

// Postpone is told that this node was late by so much: what it did not hear
// meanwhile says nothing, and no suspicion grew older.
func (r *Roster) Postpone(now time.Time, by time.Duration) {
	for _, a := range r.accusations {
		a.began = a.began.Add(by)
		a.closes, a.nextRound = time.Time{}, now.Add(r.cfg.RoundEvery)
	}
	for i := range r.pending {
		r.pending[i].until = r.pending[i].until.Add(by)
	}
	h := &r.hints
	h.asked = later(h.pinged, h.asked).Add(by) // that it was not pinged meanwhile says nothing
}
