package casefile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/internal/when"
)

// This file tells of nodes that are not in: why the seeds have not admitted them.

// AddAnswers adds to what a node says of the seeds what they have answered it.
func AddAnswers(a *hearsay.Authority, answers []casebook.Answer) {
	if answers != nil && a.Ended > 0 {
		a.Why = join(fmt.Sprintf("it was removed, as of epoch %d, and asks to be let in anew", a.Ended), a.Why)
	}
	a.Why = join(a.Why, answered(answers))
}

// answered tells why a peer is not in: what each seed has last
// answered, those together that said the same; "" if the peer does not ask.
func answered(answers []casebook.Answer) string {
	if answers == nil {
		return ""
	}
	var parts []string
	var in time.Time // when a seed has said that the peer is in: what others said before is out of date
	told := make([]bool, len(answers))
	for i := range answers {
		if answers[i].Code == hearsay.OutcomeDone {
			in = when.Later(in, answers[i].At)
		}
	}
	for i := range answers {
		first := &answers[i]
		if told[i] || first.At.IsZero() || first.Code != hearsay.OutcomeDone && first.At.Before(in) {
			continue
		}
		var seeds []string
		since := first.Since
		for j := i; j < len(answers); j++ {
			if a := &answers[j]; !a.At.IsZero() && a.Code == first.Code && a.Text == first.Text {
				seeds, told[j], since = append(seeds, seedName(a)), true, when.Earlier(since, a.Since)
			}
		}
		parts = append(parts, fmt.Sprintf("%s (since %s)", answerWords(seeds, first), since.UTC().Format(time.TimeOnly+"Z")))
	}
	if len(parts) == 0 {
		return "no seed has answered yet whether it admits this node"
	}
	return strings.Join(parts, "; ")
}

func seedName(a *casebook.Answer) string {
	if a.Name != "" {
		return a.Name
	}
	return fmt.Sprintf("the seed at %v", a.Addr)
}

// answerWords says what seeds have answered.
func answerWords(seeds []string, a *casebook.Answer) string {
	names := list(seeds, "and")
	verb := func(one, more string) string {
		if len(seeds) > 1 {
			return more
		}
		return one
	}
	switch a.Code {
	case hearsay.OutcomeRefused:
		return fmt.Sprintf("%s %s to admit it: %s", names, verb("refuses", "refuse"), orNothing(a.Text))
	case hearsay.OutcomeDone:
		return fmt.Sprintf("%s %s that it is in, and their ledger is awaited", names, verb("says", "say"))
	case hearsay.OutcomePending:
		return fmt.Sprintf("%s %s", names, verb("is deciding", "are deciding"))
	case hearsay.OutcomeWait:
		return fmt.Sprintf("%s %s not admit it yet: %s", names, verb("does", "do"), orNothing(a.Text))
	case hearsay.OutcomeLost:
		return fmt.Sprintf("%s %s not reached: %s", names, verb("is", "are"), orNothing(a.Text))
	}
	return fmt.Sprintf("%s did not answer in time", names)
}

// refusal gives the newest answer that is a refusal, or nil.
func refusal(answers []casebook.Answer) (refused *casebook.Answer) {
	for i := range answers {
		if a := &answers[i]; a.Code == hearsay.OutcomeRefused && (refused == nil || a.At.After(refused.At)) {
			refused = a
		}
	}
	return refused
}

// outsiderSummary tells of this node itself, while it is not in.
func (s *seeded) outsiderSummary(r *casebook.Ruling) (summary, nearest string) {
	needed, seeds := s.needed()
	summary = fmt.Sprintf("%s is this node, and is not in: it asks the seeds, and goes on asking.", s.Member.Name)
	switch {
	case r != nil && r.Kind == hearsay.RulingRemove:
		summary = s.removedSummary(r) + " " + summary
	case r != nil && r.Kind == hearsay.RulingLeave:
		summary = s.leftSummary(r) + " " + summary
	}
	if s.Seeded.Leaves {
		return summary, ""
	}
	if s.Seeded.Why != "" {
		summary += fmt.Sprintf(" Of the seeds it knows: %s.", s.Seeded.Why)
	}
	summary += fmt.Sprintf(" What they have answered last: %s.", answered(s.Seeded.Answers))
	if refused := refusal(s.Seeded.Answers); refused != nil {
		if refused.Reason == hearsay.ReasonBarred {
			return summary, fmt.Sprintf(`An operator lifts the bar at a seed: "hearsay bar --lift %s"; then it is admitted when it asks next.`, s.Member.ID)
		}
		return summary, s.refusalNearest(refused.Reason, refused.Text)
	}
	return summary, fmt.Sprintf("It is in once it reaches %d of the %d seeds, and they see that it answers at %s.", needed, seeds, s.Member.Addr)
}

// strangerSummary tells of a node that is in no roster.
func (s *seeded) strangerSummary() (verdict, summary, nearest string) {
	name, addr := s.Member.Name, s.Member.Addr
	needed, seeds := s.needed()
	if bar := s.Seeded.Bar; bar != nil {
		s.tellsBar = true
		return "barred", fmt.Sprintf("%s is barred since %s (%s): the seeds do not admit it, whatever it asks.", name, casebook.Moment(bar.At).Format(time.RFC3339), orNothing(bar.Why)),
			fmt.Sprintf(`An operator lifts it at a seed: "hearsay bar --lift %s".`, s.Member.ID)
	}
	for i := range slices.Backward(s.Events) {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventCaseRefused, hearsay.EventTurnedAway:
			return "refused", fmt.Sprintf("%s asked to be admitted and was refused at %s: %s. No case was opened, and it was never in.", name, s.sinceWords(e.At), e.Text),
				s.refusalNearest(e.Reason, e.Text)
		case hearsay.EventCaseAborted:
			return "refused", fmt.Sprintf("%s asked to be admitted at %s; its case ended without a ruling at %s: %s. It was never in.", name, addr, s.sinceWords(e.At), e.Text),
				fmt.Sprintf("It would have been admitted, had it answered %d of %d seeds at %s before %s. It may ask again.", needed, seeds, addr, exactly(e.At.UnixMilli()))
		case hearsay.EventCaseOpened:
			return "unknown", fmt.Sprintf("%s has asked to be admitted at %s, and the seeds are deciding.", name, addr) + s.abstaining(),
				fmt.Sprintf("It is admitted once it answers %d of %d seeds at %s.", needed, seeds, addr)
		}
	}
	return "unknown", fmt.Sprintf("%s was heard of, and has never been in.", name), ""
}

// refusalNearest says what would have opened a case.
func (s *seeded) refusalNearest(reason hearsay.Reason, why string) string {
	switch reason {
	case hearsay.ReasonElsewhere:
		return fmt.Sprintf("A case would have been opened, had it asked from the address that it says is its own, %s.", s.Member.Addr.Addr())
	case hearsay.ReasonBarred:
		return fmt.Sprintf(`A case would have been opened, were it not barred: "hearsay bar --lift %s" at a seed lifts that.`, s.Member.ID)
	}
	return fmt.Sprintf("A case would have been opened, but for this: %s.", why)
}

// unknownSummary says what is known of a name that no node here has.
func (s *seeded) unknownSummary() (summary, nearest string) {
	needed, seeds := s.needed()
	summary = fmt.Sprintf("Nobody called %s has been admitted: nobody has been ruled in here yet, and none was refused.", s.Member.Name)
	if s.Seeded.Epoch > 0 {
		summary = fmt.Sprintf("Nobody called %s has been admitted, as far back as this node's ledger goes (epoch %d of %d), and here none was refused. "+
			"Other seeds may have refused one: they can be asked, too.", s.Member.Name, s.Seeded.Oldest, s.Seeded.Epoch)
	}
	return summary + s.ofSeeds(),
		fmt.Sprintf("It is admitted once it asks a seed, and %d of %d seeds see that it answers at its address.", needed, seeds)
}

// seedsWhy says what is wrong with the seeds, as far as this node knows, and what they have answered it; "" if nothing
// is.
func (s *seeded) seedsWhy() string { return join(s.Seeded.Why, answered(s.Seeded.Answers)) }

// ofSeeds is seedsWhy as a sentence.
func (s *seeded) ofSeeds() string {
	why := s.seedsWhy()
	switch {
	case why == "":
		return ""
	case s.Seeded.AtSeed && !s.Seeded.Ready: // it is of the teller's own seat
		return fmt.Sprintf(" %s, which tells this, takes no part itself: %s.", s.Teller.Name, why)
	}
	return fmt.Sprintf(" Of the seeds this node knows: %s.", why)
}
