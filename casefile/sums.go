package casefile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file sums a case of a seeded network up: the paragraph that a person reads, and by which
// rule it would have come otherwise.

// sum says what a case came to.
func (s *seeded) sum(file *hearsay.CaseFile) {
	m, r := &s.Member, s.last()
	switch {
	case m.Role == hearsay.RoleSeed:
		file.Summary, file.Nearest = s.seedSummary()
	case m.ID == s.Teller.ID && s.Seeded.Outside && m.State != hearsay.StateLeft:
		file.Verdict = "unknown"
		file.Summary, file.Nearest = s.outsiderSummary(r)
	case m.State == hearsay.StateSuspect:
		file.Summary, file.Nearest = s.suspectSummary()
	case r != nil && r.Kind == hearsay.RulingRemove:
		file.Verdict = hearsay.StateDead.String()
		file.Summary, file.Nearest = s.removedSummary(r), s.removedNearest(r)
	case r != nil && r.Kind == hearsay.RulingLeave || m.State == hearsay.StateLeft:
		file.Verdict = hearsay.StateLeft.String()
		file.Summary = s.leftSummary(r)
		file.Nearest = "Nothing but its own word ends a stay so: no answer of anybody would have changed it."
	case m.State == hearsay.StateAlive:
		file.Summary, file.Nearest = s.aliveSummary(r)
	case m.State == hearsay.StateDead:
		file.Summary = fmt.Sprintf("%s is out since %s; the ruling is older than the ledger that this node keeps. A seed has it.", m.Name, s.since())
	default:
		file.Verdict, file.Summary, file.Nearest = s.strangerSummary()
	}
	if bar := s.Seeded.Bar; bar != nil && !s.tellsBar {
		what := "once it is out it is not admitted again"
		if !m.State.Living() {
			what = "it is not admitted again"
		}
		file.Summary += fmt.Sprintf(" It is barred since %s (%s): %s.", casebook.Moment(bar.At).Format(time.RFC3339), orNothing(bar.Why), what)
	}
}

// votes tells ballots in one phrase: which seeds, and why.
func (s *seeded) votes(ballots []hearsay.Ballot) string {
	words := make([]string, len(ballots))
	for i := range ballots {
		words[i] = fmt.Sprintf("%s (%s)", s.seed(&ballots[i]), ballots[i].Why)
	}
	return list(words, "and")
}

// voters tells which seeds cast ballots, and by when each had to be told otherwise, and likewise others.
func (s *seeded) voters(ballots []hearsay.Ballot, others ...string) string {
	words := make([]string, len(ballots))
	for i := range ballots {
		words[i] = fmt.Sprintf("%s before %s", s.seed(&ballots[i]), exactly(ballots[i].At))
	}
	return list(append(words, others...), "or")
}

// removedSummary tells why a stay was ended.
func (s *seeded) removedSummary(r *casebook.Ruling) string {
	name, q := s.Member.Name, s.decided(r.Ruling)
	text := fmt.Sprintf("%s is out since %s, by the ruling of epoch %d. ", name, s.ruledAt(r.Ruling), r.Epoch)
	text += s.broughtWords(r) + s.operatorWords(r)
	text += fmt.Sprintf("Of the %s %d found it unreachable by their own probes: %s; %d were needed", q.the(), len(r.Ballots), s.votes(r.Ballots), q.needed)
	if r.Rule != hearsay.RuleMajority {
		text += fmt.Sprintf(", for %s each, and none that reached it", s.shortTrial())
	}
	text += s.duration(r)
	text += fmt.Sprintf(". That ended its stay since epoch %d; ", r.Stay.Epoch)
	returns, refused := "if it lives, it asks to be admitted again by itself", "and is refused"
	switch {
	case r.Key.IsZero(): // a guest's program asks once, at its start
		returns, refused = "for a day the seeds probe it every few seconds, and admit it again once it answers", "but not as long as it is barred"
	case s.Member.ID == s.Teller.ID:
		returns = "it asks to be admitted again by itself"
	}
	switch bar := s.Seeded.Bar; {
	case bar != nil:
		s.tellsBar = true
		return text + fmt.Sprintf("%s, %s: it is barred since %s (%s).",
			returns, refused, casebook.Moment(bar.At).Format(time.RFC3339), orNothing(bar.Why))
	case spent(s.Member.Incarnation):
		return text + spentWords
	case s.Member.ID != s.Teller.ID && !s.Seeded.AtSeed:
		return text + returns + ", unless it is barred, which only seeds know."
	}
	return text + returns + "."
}

// broughtWords tells how a removal came before the seeds.
func (s *seeded) broughtWords(r *casebook.Ruling) string {
	e := r.Brought
	switch {
	case e != nil && r.Rule == hearsay.RuleMajority:
		return fmt.Sprintf("%s got no answer from it and asked %s; %s could not reach it either, %s needed. ",
			s.accuser(e), observersWords(e), s.againstWords(e), wereWords(int(e.Needed)))
	case e != nil:
		return fmt.Sprintf("%s got no answer from it. When its suspicion ran out, %s: so it was reported without a majority (rule: timeout, with %s). ",
			s.accuser(e), s.saidAtTimeout(e), plural(len(e.Statements), "statement"))
	case r.Rule == hearsay.RuleWatch:
		t, _ := s.timing()
		return fmt.Sprintf("It had not answered a seed's own probes for %s as a suspect, or for %s, so that seed brought it before the others itself, whatever its observers said (rule: watch). ", s.shortTrial(), t.SilentFor)
	case r.Evidence.IsZero():
		return fmt.Sprintf("It was reported without evidence, %s, so only what the seeds saw themselves counted. ", s.askedWords(r.Case))
	case r.Rule == hearsay.RuleTimeout:
		return "When its suspicion ran out it was reported without a majority of its observers; this node has only the hash of what they said, a seed has that. "
	}
	return "Its observers could not reach it and that was reported; this node has only the hash of their statements, a seed has them. "
}

// operatorWords says that a removal that came about by other means had been asked for without evidence, and where; ""
// if that is not known.
func (s *seeded) operatorWords(r *casebook.Ruling) string {
	if r.Rule == hearsay.RuleTrial {
		return "" // that is told
	}
	if s.operatorAsked(r.Stay.Epoch) {
		return fmt.Sprintf("An operator had asked for that at %s. ", s.Teller.Name)
	}
	for i := range s.Events {
		e := &s.Events[i]
		if e.Kind == hearsay.EventCaseOpened && e.Rule == hearsay.RuleTrial && e.Epoch == r.Stay.Epoch && !e.By.IsZero() {
			return fmt.Sprintf("By the seeds' log %s had asked for that, too (an operator may have asked there). ", s.by(e))
		}
	}
	return ""
}

// duration tells how long a removal took: from the first suspicion that this node saw or, if it saw none, from the
// last accusation, which the evidence names. A suspicion that nobody could decide may be older than that. It may have
// waited for a quorum of seeds. "" if a clock is known to be wrong: two clocks do not tell it then.
func (s *seeded) duration(r *casebook.Ruling) (text string) {
	over := casebook.Moment(r.At)
	began, which := s.suspectedAt(over), "the suspicion"
	if e := r.Brought; began.IsZero() && e != nil {
		began, which = casebook.Moment(e.Suspected), fmt.Sprintf("the suspicion that was reported, by the clock of %s,", s.name(e.Accuser))
	}
	took := over.Sub(began).Round(time.Millisecond)
	if s.dated(r.Ruling) != "" || s.Seeded.ClockOff != 0 || began.IsZero() || took <= 0 {
		return ""
	}
	text = fmt.Sprintf(". From %s to the ruling it took %s", which, took)
	for _, back := range s.Seeded.Backs {
		if back.After(began) && back.Before(over) {
			return text + fmt.Sprintf("; %s hears a quorum of seeds since %s only, and without one nobody is removed", s.Teller.Name, exactly(back.UnixMilli()))
		}
	}
	return text
}

// removedNearest says what would have kept a member in.
func (s *seeded) removedNearest(r *casebook.Ruling) string {
	name := s.Member.Name
	var ways []string
	if e := r.Brought; e != nil {
		against := e.Against()
		if unread := int(e.Observers) - len(e.Statements); r.Rule == hearsay.RuleMajority && unread > 0 {
			ways = append(ways, fmt.Sprintf("%s answering %d of its %d observers before %s (then fewer than %d of them would have been against it, whatever those found that the evidence does not have)",
				name, against+unread-int(e.Needed)+1, e.Observers, exactly(e.Condemned), e.Needed))
		} else if r.Rule == hearsay.RuleMajority {
			ways = append(ways, fmt.Sprintf("%s answering %s before %s (then fewer than %d of its observers would have been against it)",
				name, someOf(against-int(e.Needed)+1, against, s.observers(e, hearsay.VerdictUnreachable)), exactly(e.Condemned), e.Needed))
		} else if e.Observers > 0 {
			ways = append(ways, fmt.Sprintf("one of its observers reaching %s before %s (then the suspicion would not have run out against it)", name, exactly(e.Condemned)))
		}
		if !spent(e.Incarnation) {
			ways = append(ways, fmt.Sprintf("%s refuting with an incarnation above %d before the first ballot (then the statements would have been void)", name, e.Incarnation))
		}
	}
	needed := s.decided(r.Ruling).needed
	if spare := len(r.Ballots) - needed; r.Rule == hearsay.RuleMajority {
		ways = append(ways, fmt.Sprintf("%s answering %s of the seeds: %s (then fewer than %d would have said yes by then)", name, number(spare+1), s.voters(r.Ballots), needed))
	} else {
		var others []string
		if _, seeds := s.needed(); len(r.Ballots) < seeds {
			others = []string{"any other before " + exactly(r.At)}
		}
		ways = append(ways, fmt.Sprintf("%s answering any one seed: %s (a single no ends a case without a majority of observers)", name, s.voters(r.Ballots, others...)))
	}
	return "It would have stayed in by any of these: " + strings.Join(ways, "; ") + "."
}

func (s *seeded) leftSummary(r *casebook.Ruling) string {
	if r == nil || r.Kind != hearsay.RulingLeave {
		return s.leftWords()
	}
	return fmt.Sprintf("%s left by its own signed word at %s: the ruling of epoch %d ended its stay since epoch %d. The seeds only checked the signature. %s",
		s.Member.Name, s.ruledAt(r.Ruling), r.Epoch, r.Stay.Epoch, leaveHint)
}

// aliveSummary tells of a member that is in.
func (s *seeded) aliveSummary(r *casebook.Ruling) (summary, nearest string) {
	summary, nearest = s.admissionSummary(r)
	if s.Seeded.Apart {
		return fmt.Sprintf("%s But nobody follows that ledger any more: %s.", summary, s.Seeded.Why), ""
	}
	if words, ways, open := s.openCase(); open {
		return summary + words, ways
	}
	needed, seeds := s.needed()
	if words, ways, silent := s.silence(); silent {
		return summary + words, strings.TrimSpace(ways) + fmt.Sprintf(" Then it is removed once %d of %d seeds have had no answer from it for %s each, and none reaches it.",
			needed, seeds, s.shortTrial())
	}
	for i := range slices.Backward(s.Events) {
		e := &s.Events[i]
		if beginsStay(e) {
			break // what was before is of an earlier stay; by the dates of rulings nobody knows
		}
		switch e.Kind {
		case hearsay.EventCleared:
			return fmt.Sprintf("%s It was suspected, and cleared: %d of its observers reached it.", summary, e.Count),
				fmt.Sprintf("It would have been reported to the seeds, had a majority of its observers not reached it; %d did not. Then %d of %d seeds would have had to find it unreachable, too.", s.against(e.Round), needed, seeds)
		case hearsay.EventSuspectFreed:
			return fmt.Sprintf("%s It was suspected, and then answered %s itself.", summary, s.Teller.Name),
				"Had it not answered, its observers would have been asked, and a majority of them could have reported it to the seeds."
		case hearsay.EventRefuted:
			return fmt.Sprintf("%s It is this node. %s", summary, s.refutedWords(e)), nearest
		case hearsay.EventCaseAborted:
			if casebook.OfAdmission(e) || r != nil && e.Epoch != r.Epoch {
				continue
			}
			return fmt.Sprintf("%s A case against it ended without a ruling: %s.", summary, e.Text),
				fmt.Sprintf("It would have been removed, had %d of %d seeds found it unreachable before %s.", needed, seeds, exactly(e.At.UnixMilli()))
		}
	}
	if s.Member.ID == s.Teller.ID && s.Blind.CutOff() || s.Way.Cut() {
		return summary, nearest
	}
	return summary + " Nothing is held against it here.", nearest
}

// beginsStay reports whether a stay begins with an event, or the one before is over.
func beginsStay(e *hearsay.Event) bool {
	return e.Kind == hearsay.EventRuled || e.Kind == hearsay.EventMemberRemoved || e.Kind == hearsay.EventMemberLeft
}

// admissionSummary tells how a member came in, and how its stay before ended, if there was one.
func (s *seeded) admissionSummary(r *casebook.Ruling) (summary, nearest string) {
	name := s.Member.Name
	if r == nil || r.Kind != hearsay.RulingAdmit {
		summary = fmt.Sprintf("%s is in; its admission is older than the ledger that this node keeps.", name)
	} else {
		q := s.decided(r.Ruling)
		summary = fmt.Sprintf("%s is in since %s, from epoch %d: %d of %s admitted it, %s; %d were needed.",
			name, s.ruledAt(r.Ruling), r.Epoch, len(r.Ballots), q.of(), s.votes(r.Ballots), q.needed)
		nearest = fmt.Sprintf("It would not have been admitted then, had it not answered %s: %d of %s must say yes.", s.voters(r.Ballots), q.needed, q.of())
	}
	if n := len(s.Seeded.Rulings); n > 1 && s.Seeded.Rulings[n-2].Kind != hearsay.RulingAdmit {
		before := s.Seeded.Rulings[n-2]
		how := "ended by the seeds, who could not reach it"
		if before.Kind == hearsay.RulingLeave {
			how = "ended by its own word"
		}
		summary += fmt.Sprintf(" It was in before: its stay since epoch %d was %s, with epoch %d.", before.Stay.Epoch, how, before.Epoch)
	}
	return summary, nearest
}

// against counts the statements of a round that this node has against it.
func (s *seeded) against(round hearsay.Round) (against int) {
	for i := range s.Events {
		if e := &s.Events[i]; e.Kind == hearsay.EventStatement && e.Round == round && e.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	return against
}
