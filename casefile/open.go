package casefile

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file tells the cases of an open network.

// tellOpen makes the case file of a member.
func (s *story) tellOpen(file *hearsay.CaseFile) {
	m := &s.Member
	file.Steps = append(file.Steps, hearsay.Step{
		At: s.Met, Kind: hearsay.EventMemberJoined.String(), By: s.Teller.Name,
		Text: fmt.Sprintf("%s first heard of %s at %s", s.Teller.Name, m.Name, m.Addr),
	})
	for i := range s.Events {
		if e := &s.Events[i]; e.Kind == hearsay.EventMemberDead && e.Evidence != nil && !s.counted(e.Round, e.Evidence.Round) {
			file.Steps = append(file.Steps, s.statements(e.Evidence)...)
		}
		file.Steps = append(file.Steps, s.step(&s.Events[i]))
	}
	slices.SortStableFunc(file.Steps, func(a, b hearsay.Step) int { return a.At.Compare(b.At) })
	switch m.State {
	case hearsay.StateLeft:
		file.Summary = s.leftWords()
	case hearsay.StateDead:
		file.Summary, file.Nearest = s.deathSummary()
	case hearsay.StateSuspect:
		file.Summary, file.Nearest = s.openSuspectSummary()
	default:
		file.Summary, file.Nearest = s.livingSummary()
	}
}

// leaveHint says what others cannot know of a leave.
const leaveHint = "A node leaves when it is told to end, and when its disk fails: its own log says which."

// leftWords tells of a member that has left.
func (s *story) leftWords() string {
	return fmt.Sprintf("%s left by its own signed word at %s. %s", s.Member.Name, s.since(), leaveHint)
}

// livingSummary tells of a member that is alive, and what was held against it last.
func (s *story) livingSummary() (summary, nearest string) {
	m := &s.Member
	for i := range slices.Backward(s.Events) {
		if s.Events[i].Kind == hearsay.EventCleared {
			nearest = "It would be dead, had a majority of its observers not reached it in that round."
			break
		}
	}
	for i := range slices.Backward(s.Events) {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventMemberReturned:
			return fmt.Sprintf("%s is alive since %s, by its own signed word with a higher incarnation; before that it was %s here.", m.Name, s.since(), e.State), nearest
		case hearsay.EventCleared:
			return fmt.Sprintf("%s is alive. It was accused, and cleared: %d of its observers reached it.", m.Name, e.Count), nearest
		case hearsay.EventSuspectFreed:
			return fmt.Sprintf("%s is alive. It was suspect, and then answered %s itself.", m.Name, s.Teller.Name), nearest
		case hearsay.EventRefuted:
			return fmt.Sprintf("%s is this node. %s", m.Name, s.refutedWords(e)), nearest
		}
	}
	switch {
	case m.ID == s.Teller.ID && s.Blind.CutOff():
		return fmt.Sprintf("%s is this node, and alive.", m.Name), nearest
	case s.Way.Cut():
		return fmt.Sprintf("%s is alive since %s.", m.Name, s.since()), nearest
	}
	return fmt.Sprintf("%s is alive since %s, and nothing has been held against it here.", m.Name, s.since()), nearest
}

// deathSummary tells which nodes decided a death.
func (s *story) deathSummary() (summary, nearest string) {
	m, e := &s.Member, s.Evidence
	if e == nil {
		return fmt.Sprintf("%s is dead since %s; that was before this node was in, and it has not seen the evidence.", m.Name, s.since()), ""
	}
	took := casebook.Moment(e.Condemned).Sub(casebook.Moment(e.Suspected))
	if seen := s.suspectedAt(m.Since); !seen.IsZero() { // the node that condemned it may not be the first to accuse it
		took = max(took, m.Since.Sub(seen)) // each by one clock
	}
	returns := "It returns by itself if it lives."
	if spent(m.Incarnation) {
		returns = capital(spentWords)
	}
	summary = fmt.Sprintf("%s is dead since %s: %s got no answer from it and asked %s; %s could not reach it either; %s. "+
		"%s%s",
		m.Name, s.since(), s.accuser(e), observersWords(e), s.againstWords(e), ruleWords(e),
		tookWords(took), returns)
	refuting := fmt.Sprintf(", or by refuting with an incarnation above %d", e.Incarnation)
	if spent(e.Incarnation) {
		refuting = ""
	}
	if e.Rule == hearsay.RuleTimeout {
		return summary, fmt.Sprintf("It would be alive here, had it answered one of its observers before %s%s.", exactly(e.Condemned), refuting)
	}
	return summary, fmt.Sprintf("It would be alive here, had it answered %s before %s (then fewer than %d would have been against it)%s.",
		someOf(e.Against()-int(e.Needed)+1, e.Against(), s.observers(e, hearsay.VerdictUnreachable)), exactly(e.Condemned), e.Needed, refuting)
}

// tookWords says how long it was from a suspicion to a death; "" if the evidence says nothing that can be.
func tookWords(took time.Duration) string {
	if took = took.Round(time.Millisecond); took <= 0 {
		return ""
	}
	return fmt.Sprintf("From the suspicion to the decision it took %s. ", took)
}

// openSuspectSummary tells how a case stands: which node accuses, and
// what the observers said so far.
func (s *story) openSuspectSummary() (summary, nearest string) {
	h := s.hear()
	refuting := "by a refutation of its own, "
	if spent(s.Member.Incarnation) {
		refuting = ""
	}
	return s.suspectWords(&h) + fmt.Sprintf("Its observers are asked; of those who answered this node %d reach it and %d do not."+
			" Nothing is decided: it is alive again as soon as it answers, and dead when a majority of its observers cannot reach it.", h.reachable, h.against),
		"It is cleared by one answer to its accuser, " + refuting + "or by a majority of its observers who reach it; it is dead once a majority of them cannot, or once the suspicion has run out and two of them cannot, and none can."
}
