package roster

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// accusations are the suspicions that this node brings to a decision: in rounds, by the statements of observers.
type accusations struct {
	*part
	list    []*accusation
	brings  bool             // see BringWords
	cleared []hearsay.NodeID // accused here and reached by the observers, since this node last lost health for that
}

// askAgain is how long an observer may be silent before it is asked again: a request or a statement was lost. Guess:
// over the time that an examination takes where round trips are short.
const askAgain = 300 * time.Millisecond

// roundAfterTimeout is the time between rounds after a suspicion ran out without
// a decision: nobody here may decide, and nobody should be kept busy.
const roundAfterTimeout = 10 * time.Second

// accusation is a suspicion that rests on this node's own probe, and that this node brings to a decision.
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
func (ac *accusations) Unreachable(now time.Time, id hearsay.NodeID) {
	m := ac.members.get(id)
	if m == nil || !m.state.Living() || ac.members.self.state == hearsay.StateLeft || ac.members.isAway(m) {
		return
	}
	underWay := m.state == hearsay.StateSuspect && now.Sub(ac.members.heldOf(m).began) < ac.cfg.RoundEvery
	ac.roster.suspicions.suspect(now, m, ac.members.me())
	if ac.members.seeded() {
		ac.tellSeeds(m)
		if ac.members.isSeed(m) {
			return // no case names one
		}
	}
	if m.state != hearsay.StateSuspect || ac.of(m) != nil || len(ac.list) >= maxAccusations {
		return
	}
	// The suspect is told first (Lifeguard, section IV.C).
	ac.out.sendClaim(ac.members.addr(m), m)
	ac.members.heldOf(m).told = now
	a := &accusation{subject: m, incarnation: ac.members.incarnation(m), began: now, nextRound: now}
	if underWay {
		a.nextRound = now.Add(ac.cfg.RoundEvery) // another accuser has asked already
	}
	ac.list = append(ac.list, a)
	ac.tick(now)
}

// tellSeeds tells them first that a member is suspect: they begin to probe it, and a suspect that is a seed refutes.
func (ac *accusations) tellSeeds(m *member) {
	for _, number := range ac.members.living {
		if one := ac.members.at(number); ac.members.isSeed(one) {
			ac.out.sendClaim(ac.members.card(one).Addr, m)
		}
	}
}

func (ac *accusations) of(m *member) *accusation {
	for _, a := range ac.list {
		if a.subject == m {
			return a
		}
	}
	return nil
}

func (ac *accusations) drop(m *member) {
	ac.list = slices.DeleteFunc(ac.list, func(a *accusation) bool { return a.subject == m })
}

// tick opens and closes rounds, and asks silent observers again.
func (ac *accusations) tick(now time.Time) {
	open := 0
	for _, a := range ac.list {
		if !a.closes.IsZero() {
			open++
		}
	}
	// A decision takes an accusation off the list while it is walked.
	for _, a := range slices.Clone(ac.list) {
		switch {
		case !a.closes.IsZero() && !now.Before(a.closes):
			ac.closeRound(now, a)
			open--
		case !a.closes.IsZero() && !now.Before(a.askAt):
			ac.askSilent(now, a, false)
		case a.closes.IsZero() && !now.Before(a.nextRound):
			if open >= maxRounds {
				a.nextRound = now.Add(ac.cfg.RoundEvery)
				continue
			}
			ac.openRound(now, a)
			open++
		}
	}
}

// due gives when tick must be called next, if before at.
func (ac *accusations) due(at time.Time) time.Time {
	for _, a := range ac.list {
		if a.closes.IsZero() {
			at = when.Earlier(at, a.nextRound)
		} else {
			at = when.Earlier(at, when.Earlier(a.closes, a.askAt))
		}
	}
	return at
}

// renew begins all cases anew. A node that was buried was cut off: how long it could not reach others there says
// nothing, and what it could not decide it now can.
func (ac *accusations) renew(now time.Time) {
	for _, a := range ac.list {
		a.began = now
		if a.closes.IsZero() {
			a.nextRound = now
		}
	}
}

// openRound asks the observers to probe the subject now.
func (ac *accusations) openRound(now time.Time, a *accusation) {
	a.observers = ac.members.observers(a.observers[:0], ac.members.id(a.subject))
	a.round = hearsay.Round(ac.random.Uint64())
	a.said = a.said[:0]
	a.closes = now.Add(ac.cfg.RoundEvery)
	ac.out.stats.Rounds++
	ac.out.event(hearsay.Event{At: now, Kind: hearsay.EventRoundOpened, Subject: ac.members.id(a.subject), Round: a.round, Count: len(a.observers)})
	ac.askSilent(now, a, true)
}

// askSilent asks those observers whose statement has not come, for the first time in this round or again.
func (ac *accusations) askSilent(now time.Time, a *accusation, first bool) {
	a.askAt = now.Add(askAgain)
	for _, id := range a.observers {
		if slices.ContainsFunc(a.said, func(s hearsay.Statement) bool { return s.Observer == id }) {
			continue
		}
		request := core.WitnessReq{Subject: ac.members.id(a.subject), Incarnation: a.incarnation, Round: a.round}
		if id == ac.members.me() {
			ac.roster.witnesses.examine(now, ac.members.self, ac.members.addr(a.subject), nil, &request)
			continue
		}
		if addr, ok := ac.members.Addr(id); ok {
			p := core.Packet{Addr: addr, Body: &request}
			if ac.brings && !first {
				p.Claims = ac.out.words([]int32{ac.members.number(a.subject)})
			}
			ac.out.Now = append(ac.out.Now, p)
		}
	}
}

// BringWords has this node tell observers that do not answer the word of the subject besides. It is for nodes that do
// not ping all others: these may not have heard of one that died soon after it had come, and cannot look for it then.
func (ac *accusations) BringWords() { ac.brings = true }

// Statement takes an observer's signed answer.
func (ac *accusations) Statement(now time.Time, s *hearsay.Statement) {
	i := slices.IndexFunc(ac.list, func(a *accusation) bool {
		return ac.members.id(a.subject) == s.Subject && a.round == s.Round && a.incarnation == s.Incarnation && !a.closes.IsZero()
	})
	if i < 0 {
		ac.out.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	a, observer := ac.list[i], ac.members.get(s.Observer)
	if observer == nil || !slices.Contains(a.observers, s.Observer) {
		ac.out.stats.Drops[hearsay.DropStranger]++
		return
	}
	if slices.ContainsFunc(a.said, func(o hearsay.Statement) bool { return o.Observer == s.Observer }) {
		return // it was asked twice
	}
	if !s.Verify(ac.roster.ledger(), ac.roster.signer, ac.members.word(observer).key) {
		ac.out.stats.Drops[hearsay.DropBadSignature]++
		return
	}
	a.said = append(a.said, *s)
	ac.out.event(hearsay.Event{At: now, Kind: hearsay.EventStatement, Subject: s.Subject, By: s.Observer, Round: s.Round, Verdict: s.Verdict})
	ac.count(now, a)
}

// majority is H: how many of K observers condemn.
func majority(observers int) int { return observers/2 + 1 }

// count decides the round as soon as it can be decided.
func (ac *accusations) count(now time.Time, a *accusation) {
	tally := hearsay.Evidence{Statements: a.said}
	needed := majority(len(a.observers))
	switch {
	case tally.Against() >= needed:
		ac.condemn(now, a, hearsay.RuleMajority)
	case tally.Reachable() >= len(a.observers)-needed+1:
		ac.clear(now, a, tally.Reachable())
	}
}

// clear ends a suspicion: enough observers reach the subject. Others have heard of it and hold it still, so its subject
// is told once more: its refutation reaches them all.
func (ac *accusations) clear(now time.Time, a *accusation, reached int) {
	m := a.subject
	ac.out.sendClaim(ac.members.addr(m), m)
	ac.out.event(hearsay.Event{At: now, Kind: hearsay.EventCleared, Subject: ac.members.id(m), Round: a.round, Count: reached})
	ac.drop(m)
	ac.roster.setState(now, m, hearsay.StateAlive)
	if !slices.Contains(ac.cleared, ac.members.id(m)) {
		ac.cleared = append(ac.cleared, ac.members.id(m))
	}
}

// TakeWrong reports, once, that the observers reached three different members
// that this node had accused: the fault is probably its own.
func (ac *accusations) TakeWrong() bool {
	if len(ac.cleared) < 3 {
		return false
	}
	ac.cleared = ac.cleared[:0]
	return true
}

// closeRound ends a round that decided nothing. If the suspicion has run out, and nobody reaches the subject, that
// decides, with as many against it as enough says.
func (ac *accusations) closeRound(now time.Time, a *accusation) {
	tally := hearsay.Evidence{Statements: a.said}
	expired := now.Sub(a.began) >= ac.roster.suspicions.timeout(a.subject)
	if expired && tally.Reachable() == 0 && tally.Against() >= ac.enough() {
		ac.condemn(now, a, hearsay.RuleTimeout)
		return
	}
	ac.out.event(hearsay.Event{At: now, Kind: hearsay.EventUndecided, Subject: ac.members.id(a.subject), Round: a.round, Count: tally.Against()})
	a.closes, a.nextRound = time.Time{}, now
	if expired {
		a.nextRound = now.Add(roundAfterTimeout)
	}
}

// enough is how many must be against a subject when its suspicion runs out. In an open network that alone buries it, so
// that one never does. Seeds look for themselves, each for so long that nobody's word is needed: also if all observers
// are dead, one is told what there is.
func (ac *accusations) enough() int {
	if ac.members.seeded() {
		return 0
	}
	return min(2, ac.members.Living()-1)
}

// condemn makes evidence of the round. What follows from it is not decided here: an open network buries the subject.
func (ac *accusations) condemn(now time.Time, a *accusation, rule hearsay.Rule) {
	e := &hearsay.Evidence{
		Subject: ac.members.id(a.subject), Incarnation: a.incarnation, Round: a.round, Rule: rule, Accuser: ac.members.me(),
		Suspected: a.began.UnixMilli(), Condemned: now.UnixMilli(),
		Observers: uint8(len(a.observers)), Needed: uint8(majority(len(a.observers))),
		Statements: slices.Clone(a.said),
	}
	ac.drop(a.subject)
	ac.out.event(hearsay.Event{At: now, Kind: hearsay.EventCondemned, Subject: e.Subject, Round: e.Round, Count: e.Against(), Evidence: e})
}

// postpone has no suspicion grow older by so much, and ends the rounds under way.
func (ac *accusations) postpone(now time.Time, by time.Duration) {
	for _, a := range ac.list {
		a.began = a.began.Add(by)
		a.closes, a.nextRound = time.Time{}, now.Add(ac.cfg.RoundEvery)
	}
}
