package casebook

import (
	"slices"

	"hearsay"
	"hearsay/internal/when"
)

// A suspicion that nobody can decide goes on in rounds for as long as it lasts,
// and each is some steps. Of one that does not fit into a case file the first
// steps stay, which tell who missed the member first, and when; and the newest. The
// rounds between are folded into one step.

// foldHead is how many of a suspicion's first steps stay, besides its first
// round. A guess: who missed it, who accused it, and who was asked.
const foldHead = 8

// ends reports whether a suspicion is over with an event.
func ends(e *hearsay.Event) bool {
	switch e.Kind {
	case hearsay.EventMemberReturned, hearsay.EventSuspectFreed, hearsay.EventCleared, hearsay.EventMemberRemoved,
		hearsay.EventMemberDead, hearsay.EventMemberLeft, hearsay.EventRuled:
		return true
	}
	return false
}

// ofRound reports whether an event is a step of one round.
func ofRound(e *hearsay.Event) bool {
	switch e.Kind {
	case hearsay.EventRoundOpened, hearsay.EventAsked, hearsay.EventExamined, hearsay.EventStatement, hearsay.EventUndecided, hearsay.EventCondemned:
		return e.Round != 0
	}
	return false
}

// Folded reports whether an event stands for rounds between: Count of them, the
// last at its time.
func Folded(e *hearsay.Event) bool { return e.Kind == hearsay.EventRoundOpened && e.Round == 0 }

// makeRoom takes out so much that one more step fits: what was before the
// suspicion that goes on; else its oldest round but the first; else what comes
// after its first steps.
func makeRoom(steps []hearsay.Event) []hearsay.Event {
	for len(steps) >= maxSteps {
		if began := beginning(steps); began > 0 {
			steps = slices.Delete(steps, 0, 1)
		} else {
			steps = fold(steps)
		}
	}
	return steps
}

// beginning is the place of the first step of the newest suspicion. Steps that
// come late, after it is over, begin none.
func beginning(steps []hearsay.Event) int {
	for i := range slices.Backward(steps) {
		if ends(&steps[i]) && slices.ContainsFunc(steps[i+1:], Accuses) {
			return i + 1
		}
	}
	return 0
}

// Accuses reports whether a suspicion may begin with an event.
func Accuses(e hearsay.Event) bool {
	return e.Kind == hearsay.EventUnreachable || e.Kind == hearsay.EventMemberSuspected
}

// fold takes out the oldest round but the first, or one step.
func fold(steps []hearsay.Event) []hearsay.Event {
	first := slices.IndexFunc(steps, func(e hearsay.Event) bool { return ofRound(&e) })
	if first < 0 {
		return slices.Delete(steps, foldHead, foldHead+1)
	}
	next := slices.IndexFunc(steps, func(e hearsay.Event) bool { return ofRound(&e) && e.Round != steps[first].Round })
	at := slices.IndexFunc(steps, func(e hearsay.Event) bool { return Folded(&e) })
	again := slices.IndexFunc(steps[min(foldHead, len(steps)):], func(e hearsay.Event) bool { return e.Kind == hearsay.EventUnreachable })
	switch {
	case next < 0:
		return slices.Delete(steps, foldHead, foldHead+1)
	case again >= 0 && again+foldHead < next:
		return slices.Delete(steps, again+foldHead, again+foldHead+1)
	}
	round, last := steps[next].Round, steps[next].At
	if at < 0 {
		at = next
		mark := hearsay.Event{Kind: hearsay.EventRoundOpened, Subject: steps[next].Subject, Name: steps[next].Name}
		steps = slices.Insert(steps, at, mark)
	}
	steps = slices.DeleteFunc(steps, func(e hearsay.Event) bool {
		if !ofRound(&e) || e.Round != round {
			return false
		}
		last = when.Later(last, e.At)
		return true
	})
	at = slices.IndexFunc(steps, func(e hearsay.Event) bool { return Folded(&e) })
	steps[at].Count++
	steps[at].At = when.Later(steps[at].At, last)
	return steps
}
