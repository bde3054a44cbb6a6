package hearsay

import (
	"regexp"
	"testing"
)

// TestEveryKindHasItsRow holds the table of kinds to have, for each that an application is told, a
// word of its own, a title and a story, and in stories only fields that an event has.
func TestEveryKindHasItsRow(t *testing.T) {
	words := make(map[string]EventKind)
	full := Event{
		Evidence: &Evidence{}, Rumor: &Rumor{Data: []byte("x")}, Ballot: &Ballot{Verdict: BallotYes, Why: Why{Reason: ReasonMet}},
		Ruling: &Ruling{Ballots: []Ballot{{}}}, Name: "n", Text: "t", By: NodeID{1}, Epoch: 1, State: StateAlive,
		Verdict: VerdictReachable, Outcome: OutcomeWait,
	}
	name := func(NodeID) string { return "n" }
	for kind := EventKind(1); kind < numEventKinds; kind++ {
		of := eventKinds[kind]
		if before, taken := words[of.word]; of.word == "" || taken {
			t.Errorf("kind %d has the word %q, as kind %d", kind, of.word, before)
		}
		words[of.word] = kind
		if kind == EventFresh {
			continue // the driver's alone
		}
		if of.title == "" || of.story == "" {
			t.Errorf("%v has no title, or no story", kind)
		}
		for _, form := range []string{of.story, of.own} {
			for _, field := range regexp.MustCompile(`\{(\w*)\}`).FindAllStringSubmatch(form, -1) {
				if full.told(field[1], name) == "" {
					t.Errorf("the story of %v has {%s}, which no event has", kind, field[1])
				}
			}
		}
	}
}

func TestStoryLeavesOutPartsWithoutTheirField(t *testing.T) {
	name := func(id NodeID) string { return map[NodeID]string{{1}: "a", {2}: "b"}[id] }
	me := NodeID{9}
	for _, c := range []struct {
		event Event
		want  string
	}{
		{Event{Kind: EventJoined, By: NodeID{1}, Count: 1}, "is in: has the roster of a, 1 member"},
		{Event{Kind: EventJoined, Epoch: 7}, "is in: its stay begins with epoch 7"},
		{Event{Kind: EventMemberDead, Subject: NodeID{2}}, "holds b dead"},
		{Event{Kind: EventMemberLeft, Subject: NodeID{2}}, "hears that b has left"},
		{Event{Kind: EventMemberLeft, Subject: me}, "leaves"},
		{Event{Kind: EventTurnedAway, Subject: NodeID{2}, Text: "[x] {y}"}, "turns away b: [x] {y}"},
		{Event{Kind: 250}, "unknown(250)"},
	} {
		if got := c.event.Story(me, name); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// A kind that no table has is of no weight and has no title, as one that no application is told.
func TestKindOutOfRange(t *testing.T) {
	for _, kind := range []EventKind{0, numEventKinds, 250} {
		if kind.Title() != "" || kind.Level() != info {
			t.Errorf("kind %d has the title %q and level %d", kind, kind.Title(), kind.Level())
		}
	}
}
