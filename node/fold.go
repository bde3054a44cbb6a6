package node

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
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

// folded reports whether an event stands for rounds between: Count of them, the
// last at its time.
func folded(e *hearsay.Event) bool { return e.Kind == hearsay.EventRoundOpened && e.Round == 0 }

func foldedWords(e *hearsay.Event) string {
	rounds := "rounds"
	if e.Count == 1 {
		rounds = "round"
	}
	return fmt.Sprintf("... and %d more %s like that until %s", e.Count, rounds, e.At.UTC().Format(time.TimeOnly+"Z"))
}

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
		if ends(&steps[i]) && slices.ContainsFunc(steps[i+1:], accuses) {
			return i + 1
		}
	}
	return 0
}

// accuses reports whether a suspicion may begin with an event.
func accuses(e hearsay.Event) bool {
	return e.Kind == hearsay.EventUnreachable || e.Kind == hearsay.EventMemberSuspected
}

// fold takes out the oldest round but the first, or one step.
func fold(steps []hearsay.Event) []hearsay.Event {
	first := slices.IndexFunc(steps, func(e hearsay.Event) bool { return ofRound(&e) })
	if first < 0 {
		return slices.Delete(steps, foldHead, foldHead+1)
	}
	next := slices.IndexFunc(steps, func(e hearsay.Event) bool { return ofRound(&e) && e.Round != steps[first].Round })
	at := slices.IndexFunc(steps, func(e hearsay.Event) bool { return folded(&e) })
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
		last = laterOf(last, e.At)
		return true
	})
	at = slices.IndexFunc(steps, func(e hearsay.Event) bool { return folded(&e) })
	steps[at].Count++
	steps[at].At = laterOf(steps[at].At, last)
	return steps
}

// suspectedAt is when a suspicion began that was over at a time, as far as this
// node saw it: zero, if it did not.
func suspectedAt(steps []hearsay.Event, over time.Time) (began time.Time) {
	for i := range steps {
		switch e := &steps[i]; {
		case e.At.After(over):
			return began
		case e.Kind == hearsay.EventMemberReturned || e.Kind == hearsay.EventSuspectFreed || e.Kind == hearsay.EventCleared ||
			e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit:
			began = time.Time{}
		case began.IsZero() && accuses(*e):
			began = e.At
		}
	}
	return began
}
