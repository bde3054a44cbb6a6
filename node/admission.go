package node

import (
	"fmt"
	"strings"
	"time"

	"hearsay"
	"hearsay/petition"
	"hearsay/quorum"
)

// This file tells a peer that is not in why that is so: by what the seeds have
// answered it.

// barredWord begins the answer of a seed to who is barred.
const barredWord = "barred"

// heardFor is how long a seed that has answered counts as heard. A guess: twice
// the longest that a peer waits between two questions, after it was refused.
const heardFor = 20 * time.Second

// hears reports whether a seed has answered a question for admission lately.
func (n *Node) hears(slot int) bool {
	s := &n.seeded
	if s.petitions == nil {
		return false
	}
	a := &s.petitions.Answers()[slot]
	return !a.At.IsZero() && a.Code != 0 && a.Code != hearsay.OutcomeLost && n.stepped.Sub(a.At) < heardFor
}

// refusal gives the newest refusal of a seed, if its last answer is one.
func (n *Node) refusal() (refused *petition.Answer) {
	answers := n.seeded.petitions.Answers()
	for i := range answers {
		if a := &answers[i]; a.Code == hearsay.OutcomeRefused && (refused == nil || a.At.After(refused.At)) {
			refused = a
		}
	}
	return refused
}

// admission tells in words why this peer is not in: what each seed has last
// answered, those who said the same together.
func (n *Node) admission() string {
	s, answers := &n.seeded, n.seeded.petitions.Answers()
	story := &story{n: n, seats: s.authority.Seats(nil)}
	var parts []string
	told := make([]bool, len(answers))
	for i := range answers {
		first := &answers[i]
		if told[i] || first.At.IsZero() {
			continue
		}
		var who []string
		latest := first.At
		for j := i; j < len(answers); j++ {
			if a := &answers[j]; !a.At.IsZero() && a.Code == first.Code && a.Text == first.Text {
				who, told[j], latest = append(who, story.seedIn(uint8(j))), true, laterOf(latest, a.At)
			}
		}
		parts = append(parts, fmt.Sprintf("%s (at %s)", answerWords(list(who, "and"), len(who) > 1, first), latest.UTC().Format(time.TimeOnly+"Z")))
	}
	if len(parts) == 0 {
		return "no seed has answered yet whether it admits this node"
	}
	return strings.Join(parts, "; ")
}

// answerWords says what seeds have answered.
func answerWords(who string, many bool, a *petition.Answer) string {
	verb := func(one, more string) string {
		if many {
			return more
		}
		return one
	}
	switch a.Code {
	case hearsay.OutcomeRefused:
		return fmt.Sprintf("%s %s to admit it: %s", who, verb("refuses", "refuse"), orNothing(a.Text))
	case hearsay.OutcomeDone:
		return fmt.Sprintf("%s %s that it is in, and their ledger is awaited", who, verb("says", "say"))
	case hearsay.OutcomePending:
		return fmt.Sprintf("%s %s", who, verb("is deciding", "are deciding"))
	case hearsay.OutcomeWait:
		return fmt.Sprintf("%s %s not admit it yet: %s", who, verb("does", "do"), orNothing(a.Text))
	case hearsay.OutcomeLost:
		return fmt.Sprintf("%s %s not reached: %s", who, verb("is", "are"), orNothing(a.Text))
	}
	return fmt.Sprintf("%s did not answer in time", who)
}

// tellBar adds to a refusal why an operator has barred somebody.
func (n *Node) tellBar(answer *quorum.Answer, id hearsay.NodeID) {
	if answer.Code != quorum.AnswerRefused || answer.Text != barredWord {
		return
	}
	for _, b := range n.seeded.seat.Barred(nil) {
		if b.ID == id && b.Why != "" {
			answer.Text = fmt.Sprintf("%s (%s)", barredWord, b.Why)
			answer.Text = answer.Text[:min(len(answer.Text), hearsay.MaxWhyLen)]
		}
	}
}
