package casebook

import (
	"slices"
	"testing"
	"time"

	"hearsay"
)

var began = time.Unix(1_700_000_000, 0)

func id(n int) hearsay.NodeID { return hearsay.NodeID{byte(n >> 8), byte(n), 1} }

func at(second int, kind hearsay.EventKind, subject int) hearsay.Event {
	return hearsay.Event{At: began.Add(time.Duration(second) * time.Second), Kind: kind, Subject: id(subject)}
}

// However many nodes ask to be admitted, what is kept of members stays; of each kind the newest are kept.
func TestBookIsBounded(t *testing.T) {
	var b Book
	b.Note(at(0, hearsay.EventMemberSuspected, 0))
	for i := range 3 * maxSubjects {
		b.Note(at(i, hearsay.EventTurnedAway, 1+i))
	}
	anybody := func(hearsay.NodeID, string) bool { return true }
	if found := b.Find(anybody); len(b.Of(id(0))) != 1 || len(found) != maxSubjects+1 || found[0].Subject != id(2*maxSubjects+1) {
		t.Errorf("%d steps of the member; %d are found, first %v", len(b.Of(id(0))), len(found), found[0])
	}
	for i := range maxSubjects {
		b.Note(at(i, hearsay.EventMemberSuspected, 1+i))
	}
	if len(b.Of(id(0))) != 0 || len(b.Of(id(1))) != 1 {
		t.Error("the member that was noted first is kept, or the next is not")
	}
}

// What repeats is kept once, with how often; what leads to an admission goes when it is ruled, unless a seed was
// against it.
func TestBookOfAdmissions(t *testing.T) {
	var b Book
	for second, text := range []string{"full", "full", "full", "barred"} {
		e := at(second, hearsay.EventTurnedAway, 1)
		e.Text = text
		b.Note(e)
	}
	if all := b.All(id(1)); len(all) != 2 || all[0].Count != 2 || !all[0].At.Equal(began.Add(2*time.Second)) || all[1].Text != "barred" {
		t.Errorf("kept: %+v", all)
	}
	ballot := func(verdict hearsay.BallotVerdict) hearsay.Event {
		e := at(5, hearsay.EventBallot, 1)
		e.Ballot = &hearsay.Ballot{Stay: hearsay.Stay{ID: id(1)}, Verdict: verdict}
		return e
	}
	ruled := at(6, hearsay.EventRuled, 1)
	ruled.Ruling = &hearsay.Ruling{Kind: hearsay.RulingAdmit}
	for verdict, want := range map[hearsay.BallotVerdict]int{hearsay.BallotYes: 0, hearsay.BallotNo: 2} {
		var b Book
		b.Note(at(4, hearsay.EventTurnedAway, 1))
		b.Note(ballot(verdict))
		b.Note(ruled)
		if all := b.All(id(1)); len(all) != want {
			t.Errorf("a ballot %s: %d steps are kept, want %d", verdict, len(all), want)
		}
	}
}

// Where something was held against a member, its admission is kept: by it what is of another stay is told apart.
func TestBookKeepsWhereAStayBegins(t *testing.T) {
	var b Book
	ruled := at(2, hearsay.EventRuled, 1)
	ruled.Ruling = &hearsay.Ruling{Kind: hearsay.RulingAdmit}
	b.Note(at(1, hearsay.EventCleared, 1))
	b.Note(ruled)
	b.Note(at(3, hearsay.EventCleared, 1))
	if of := b.Of(id(1)); len(of) != 3 || of[1].Kind != hearsay.EventRuled {
		t.Errorf("kept: %+v", of)
	}
}

// Of a suspicion that goes on the first steps and the newest are kept, and one step for the rounds between.
func TestBookOfALongSuspicion(t *testing.T) {
	const rounds = 100
	var b Book
	b.Note(at(0, hearsay.EventMemberReturned, 1)) // of an earlier one
	b.Note(at(1, hearsay.EventUnreachable, 1))
	b.Note(at(1, hearsay.EventMemberSuspected, 1))
	for round := range rounds {
		for _, kind := range []hearsay.EventKind{hearsay.EventRoundOpened, hearsay.EventStatement, hearsay.EventUndecided} {
			e := at(2+round, kind, 1)
			e.Round = hearsay.Round(1 + round)
			b.Note(e)
		}
	}
	steps := b.Of(id(1))
	folded := slices.IndexFunc(steps, func(e hearsay.Event) bool { return Folded(&e) })
	if len(steps) > maxSteps || steps[0].Kind != hearsay.EventUnreachable || steps[2].Round != 1 || steps[len(steps)-1].Round != rounds {
		t.Fatalf("%d steps, from %v to %v", len(steps), steps[0], steps[len(steps)-1])
	}
	kept := 0
	for i := range steps {
		if steps[i].Kind == hearsay.EventUndecided {
			kept++
		}
	}
	if folded != 5 || steps[folded].Count != rounds-kept || !steps[folded].At.Before(steps[folded+1].At) {
		t.Errorf("at %d stand %d rounds until %v, and %d are kept", folded, steps[folded].Count, steps[folded].At, kept)
	}
}
