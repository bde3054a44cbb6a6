package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearsay"
)

// This file sums a case up: the paragraph that a person reads, and by which
// rule it would have come otherwise.

// sum says what a case came to.
func (s *story) sum(now time.Time, file *hearsay.CaseFile) {
	r := s.last()
	switch {
	case s.m.Role == hearsay.RoleSeed:
		file.Summary, file.Nearest = s.seedSummary(now)
	case s.m.ID == s.n.id && s.n.seeded.stay.Epoch == 0 && s.m.State != hearsay.StateLeft:
		file.Verdict = "unknown"
		file.Summary, file.Nearest = s.outsiderSummary(now, r)
	case s.m.State == hearsay.StateSuspect:
		file.Summary, file.Nearest = s.suspectSummary(now)
	case r != nil && r.Kind == hearsay.RulingRemove:
		file.Verdict = hearsay.StateDead.String()
		file.Summary, file.Nearest = s.removedSummary(now, r), s.removedNearest(r)
	case r != nil && r.Kind == hearsay.RulingLeave || s.m.State == hearsay.StateLeft:
		file.Verdict = hearsay.StateLeft.String()
		file.Summary = s.leftSummary(now, r)
		file.Nearest = "Nothing but its own word ends a stay so: no answer of anybody would have changed it."
	case s.m.State == hearsay.StateAlive:
		file.Summary, file.Nearest = s.aliveSummary(now, r)
	case s.m.State == hearsay.StateDead:
		file.Summary = fmt.Sprintf("%s is out since %s; the ruling is older than the ledger that this node keeps. A seed has it.", s.m.Name, s.since(now))
	default:
		file.Verdict, file.Summary, file.Nearest = s.strangerSummary(now)
		return
	}
	if s.bar != nil && !strings.Contains(file.Summary, "it is barred since") {
		what := "once it is out it is not admitted again"
		if !s.m.State.Living() {
			what = "it is not admitted again"
		}
		file.Summary += fmt.Sprintf(" It is barred since %s (%s): %s.", moment(s.bar.At).Format(time.RFC3339), orNothing(s.bar.Why), what)
	}
}

func (s *story) since(now time.Time) string { return sinceWords(now, s.m.Since) }

func sinceWords(now, since time.Time) string {
	return fmt.Sprintf("%s (%s ago)", since.Format(time.RFC3339), now.Sub(since).Round(time.Second))
}

// votes tells ballots in one phrase: who, and why.
func (s *story) votes(ballots []hearsay.Ballot) string {
	words := make([]string, len(ballots))
	for i := range ballots {
		words[i] = fmt.Sprintf("%s (%s)", s.seed(&ballots[i]), ballots[i].Why)
	}
	return list(words, "and")
}

// voters tells who cast ballots, and by when each had to be told otherwise, and likewise others.
func (s *story) voters(ballots []hearsay.Ballot, others ...string) string {
	words := make([]string, len(ballots))
	for i := range ballots {
		words[i] = fmt.Sprintf("%s before %s", s.seed(&ballots[i]), exactly(ballots[i].At))
	}
	return list(append(words, others...), "or")
}

// list writes "a, b and c".
func list(words []string, last string) string {
	switch n := len(words); n {
	case 0:
		return "nobody"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
}

// exactly gives a time of Unix milliseconds to the millisecond.
func exactly(unixMilli int64) string { return moment(unixMilli).Format("15:04:05.000Z") }

// removedSummary tells why a stay was ended.
func (s *story) removedSummary(now time.Time, r *hearsay.Ruling) string {
	n, name := s.n, s.m.Name
	needed, of := s.decided(r)
	text := fmt.Sprintf("%s is out since %s, by the ruling of epoch %d. ", name, sinceWords(now, moment(r.At)), r.Epoch)
	e := s.evidence(r)
	switch {
	case e != nil && r.Rule == hearsay.RuleMajority:
		text += fmt.Sprintf("%s got no answer from it and asked %s; %s could not reach it either, %s needed. ",
			n.accuser(e), observersWords(e), n.againstWords(e), wereWords(int(e.Needed)))
	case e != nil:
		text += fmt.Sprintf("%s got no answer from it. When its suspicion ran out, %s: so it was reported without a majority (rule: timeout, with %s). ",
			n.accuser(e), s.saidAtTimeout(e), plural(len(e.Statements), "statement"))
	case r.Rule == hearsay.RuleWatch:
		t, source := n.timing()
		text += fmt.Sprintf("It had not answered a seed's own probes for %s%s as a suspect, or for %s, so that seed brought it before the others itself, whatever its observers said (rule: watch). ", t.ShortTrial, source, t.SilentFor)
	case r.Evidence.IsZero():
		text += "It was reported without evidence, as an operator does, so only what the seeds saw themselves counted. "
	case r.Rule == hearsay.RuleTimeout:
		text += "When its suspicion ran out it was reported without a majority of its observers; this node has only the hash of what they said, a seed has that. "
	default:
		text += "Its observers could not reach it and that was reported; this node has only the hash of their statements, a seed has them. "
	}
	text += fmt.Sprintf("Of the %s %d found it unreachable by their own probes: %s; %d were needed", strings.TrimPrefix(of, "the "), len(r.Ballots), s.votes(r.Ballots), needed)
	if r.Rule != hearsay.RuleMajority {
		t, source := n.timing()
		text += fmt.Sprintf(", for %s%s each, and none that reached it", t.ShortTrial, source)
	}
	text += s.duration(r, e)
	text += fmt.Sprintf(". That ended its stay since epoch %d; ", r.Stay.Epoch)
	if s.bar != nil {
		return text + fmt.Sprintf("if it lives, it asks to be admitted again by itself, and is refused: it is barred since %s (%s).",
			sinceWords(now, moment(s.bar.At)), orNothing(s.bar.Why))
	}
	if spent(s.m.Incarnation) {
		return text + spentWords
	}
	if s.m.ID == n.id {
		return text + "it asks to be admitted again by itself."
	}
	text += "if it lives, it asks to be admitted again by itself"
	if n.seeded.seat == nil {
		text += ", unless it is barred, which only seeds know"
	}
	return text + "."
}

// duration tells how long a removal took: from the first suspicion that this
// node saw or, if it saw none, from the last accusation, which the evidence names.
// A suspicion that nobody could decide may be older than that.
func (s *story) duration(r *hearsay.Ruling, e *hearsay.Evidence) string {
	over := moment(r.At)
	began := suspectedAt(s.events, over)
	switch {
	case !began.IsZero():
		if e != nil && moment(e.Suspected).Before(began) {
			began = moment(e.Suspected)
		}
		return fmt.Sprintf(". From the suspicion to the ruling it took %s", over.Sub(began).Round(time.Millisecond))
	case e != nil:
		return fmt.Sprintf(". From the suspicion that was reported to the ruling it took %s", over.Sub(moment(e.Suspected)))
	}
	return ""
}

// observersWords says how many were asked.
func observersWords(e *hearsay.Evidence) string {
	if e.Observers == 1 {
		return "its only observer"
	}
	return fmt.Sprintf("its %d observers", e.Observers)
}

// againstWords says which observers were against a member.
func (n *Node) againstWords(e *hearsay.Evidence) string {
	names := n.observers(e, hearsay.VerdictUnreachable)
	if e.Observers == 1 {
		return fmt.Sprintf("that one (%s)", names)
	}
	return fmt.Sprintf("%s of them (%s)", number(e.Against()), names)
}

// number writes a count as a person does.
func number(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

func wereWords(n int) string {
	if n == 1 {
		return "one was"
	}
	return fmt.Sprintf("%d were", n)
}

// someOf writes "one of a, b and c".
func someOf(n, all int, names string) string {
	switch {
	case all == 1:
		return names
	case n == all:
		return "all of " + names
	}
	return number(n) + " of " + names
}

// saidAtTimeout tells what observers had said of a member when its suspicion ran
// out: none that it is reachable.
func (s *story) saidAtTimeout(e *hearsay.Evidence) string {
	switch against := e.Against(); {
	case e.Observers == 0:
		return "it had no observers left to ask"
	case len(e.Statements) == 0:
		return fmt.Sprintf("of %s none had answered", observersWords(e))
	case against == 0:
		return fmt.Sprintf("of %s those who had answered abstained", observersWords(e))
	default:
		return fmt.Sprintf("%s of %s (%s) had found it unreachable, and none had reached it",
			number(against), observersWords(e), s.n.observers(e, hearsay.VerdictUnreachable))
	}
}

// plural counts things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// observers names the observers of one verdict.
func (n *Node) observers(e *hearsay.Evidence, v hearsay.Verdict) string {
	var names []string
	for i := range e.Statements {
		if e.Statements[i].Verdict == v {
			names = append(names, n.roster.Name(e.Statements[i].Observer))
		}
	}
	return list(names, "and")
}

// removedNearest says what would have kept a member in.
func (s *story) removedNearest(r *hearsay.Ruling) string {
	name := s.m.Name
	var ways []string
	e := s.evidence(r)
	if e != nil {
		if unread := int(e.Observers) - len(e.Statements); r.Rule == hearsay.RuleMajority && unread > 0 {
			ways = append(ways, fmt.Sprintf("%s answering %d of its %d observers before %s (then fewer than %d of them would have been against it, whatever those found that the evidence does not have)",
				name, e.Against()+unread-int(e.Needed)+1, e.Observers, exactly(e.Condemned), e.Needed))
		} else if r.Rule == hearsay.RuleMajority {
			ways = append(ways, fmt.Sprintf("%s answering %s before %s (then fewer than %d of its observers would have been against it)",
				name, someOf(e.Against()-int(e.Needed)+1, e.Against(), s.n.observers(e, hearsay.VerdictUnreachable)), exactly(e.Condemned), e.Needed))
		} else if e.Observers > 0 {
			ways = append(ways, fmt.Sprintf("one of its observers reaching %s before %s (then the suspicion would not have run out against it)", name, exactly(e.Condemned)))
		}
		if !spent(e.Incarnation) {
			ways = append(ways, fmt.Sprintf("%s refuting with an incarnation above %d before the first ballot (then the statements would have been void)", name, e.Incarnation))
		}
	}
	needed, _ := s.decided(r)
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

func (s *story) leftSummary(now time.Time, r *hearsay.Ruling) string {
	if r == nil || r.Kind != hearsay.RulingLeave {
		return fmt.Sprintf("%s left by its own signed word at %s.", s.m.Name, s.since(now))
	}
	return fmt.Sprintf("%s left by its own signed word at %s: the ruling of epoch %d ended its stay since epoch %d. The seeds only checked the signature.",
		s.m.Name, sinceWords(now, moment(r.At)), r.Epoch, r.Stay.Epoch)
}

// aliveSummary tells of a member that is in.
func (s *story) aliveSummary(now time.Time, r *hearsay.Ruling) (summary, nearest string) {
	name := s.m.Name
	needed, seeds := s.needed()
	if r == nil || r.Kind != hearsay.RulingAdmit {
		summary = fmt.Sprintf("%s is in; its admission is older than the ledger that this node keeps.", name)
	} else {
		quorum, of := s.decided(r)
		summary = fmt.Sprintf("%s is in since %s, from epoch %d: %d of %s admitted it, %s; %d were needed.",
			name, sinceWords(now, moment(r.At)), r.Epoch, len(r.Ballots), of, s.votes(r.Ballots), quorum)
		nearest = fmt.Sprintf("It would not have been admitted then, had it not answered %s: %d of %s must say yes.", s.voters(r.Ballots), quorum, of)
	}
	if n := len(s.rulings); n > 1 && s.rulings[n-2].Kind != hearsay.RulingAdmit {
		before := s.rulings[n-2]
		how := "ended by the seeds, who could not reach it"
		if before.Kind == hearsay.RulingLeave {
			how = "ended by its own word"
		}
		summary += fmt.Sprintf(" It was in before: its stay since epoch %d was %s, with epoch %d.", before.Stay.Epoch, how, before.Epoch)
	}
	if f := s.n.seeded.follower; f != nil && f.Apart() {
		return fmt.Sprintf("%s But nobody follows that ledger any more: %s.", summary, f.Why()), ""
	}
	if words, ways, open := s.openCase(); open {
		return summary + words, ways
	}
	if words, ways, silent := s.silence(now); silent {
		t, source := s.n.timing()
		return summary + words, strings.TrimSpace(ways) + fmt.Sprintf(" Then it is removed once %d of %d seeds have had no answer from it for %s%s each, and none reaches it.",
			needed, seeds, t.ShortTrial, source)
	}
	for i := range slices.Backward(s.events) {
		e := &s.events[i]
		if r != nil && e.At.Before(moment(r.At)) {
			break // of an earlier stay
		}
		switch e.Kind {
		case hearsay.EventCleared:
			needed := s.against(e.Round)
			return fmt.Sprintf("%s It was suspected, and cleared: %d of its observers reached it.", summary, e.Count),
				fmt.Sprintf("It would have been reported to the seeds, had a majority of its observers not reached it; %d did not. Then %d of %d seeds would have had to find it unreachable, too.", needed, hearsay.QuorumOf(seeds), seeds)
		case hearsay.EventSuspectFreed:
			return fmt.Sprintf("%s It was suspected, and then answered %s itself.", summary, s.n.Self().Name),
				"Had it not answered, its observers would have been asked, and a majority of them could have reported it to the seeds."
		case hearsay.EventRefuted:
			if e.State == hearsay.StateAlive {
				return fmt.Sprintf("%s It is this node, and heard that it is at %v, by %s.", summary, e.Addr, e.Text), nearest
			}
			return fmt.Sprintf("%s It is this node: it was claimed %s by %s, and refuted that.", summary, e.State, s.n.roster.Name(e.By)), nearest
		case hearsay.EventCaseAborted:
			return fmt.Sprintf("%s A case against it ended without a ruling: %s.", summary, e.Text),
				fmt.Sprintf("It would have been removed, had %d of %d seeds found it unreachable before %s.", needed, seeds, exactly(e.At.UnixMilli()))
		}
	}
	if s.m.ID == s.n.id && s.n.unheard {
		return summary, nearest
	}
	return summary + " Nothing is held against it here.", nearest
}

// against counts the statements of a round that this node has against it.
func (s *story) against(round hearsay.Round) (against int) {
	for i := range s.events {
		if e := &s.events[i]; e.Kind == hearsay.EventStatement && e.Round == round && e.Verdict == hearsay.VerdictUnreachable {
			against++
		}
	}
	return against
}

// outsiderSummary tells of this node itself, while it is not in.
func (s *story) outsiderSummary(now time.Time, r *hearsay.Ruling) (summary, nearest string) {
	needed, seeds := s.needed()
	summary = fmt.Sprintf("%s is this node, and is not in: it asks the seeds, and goes on asking.", s.m.Name)
	switch {
	case r != nil && r.Kind == hearsay.RulingRemove:
		summary = s.removedSummary(now, r) + " " + summary
	case r != nil && r.Kind == hearsay.RulingLeave:
		summary = s.leftSummary(now, r) + " " + summary
	}
	if s.n.gone() {
		return summary, ""
	}
	if f := s.n.seeded.follower; f != nil && f.Why() != "" {
		summary += fmt.Sprintf(" Of the seeds it knows: %s.", f.Why())
	}
	summary += fmt.Sprintf(" What they have answered last: %s.", s.n.admission())
	if refused := s.n.refusal(); refused != nil {
		if strings.HasPrefix(refused.Text, barredWord) {
			return summary, fmt.Sprintf(`An operator lifts the bar at a seed: "hearsay bar --lift %s"; then it is admitted when it asks next.`, s.m.ID)
		}
		return summary, refusalNearest(refused.Text, s.m)
	}
	return summary, fmt.Sprintf("It is in once it reaches %d of the %d seeds, and they see that it answers at %s.", needed, seeds, s.m.Addr)
}

// strangerSummary tells of somebody who is in no roster.
func (s *story) strangerSummary(now time.Time) (verdict, summary, nearest string) {
	name := s.m.Name
	needed, seeds := s.needed()
	if s.bar != nil {
		return "barred", fmt.Sprintf("%s is barred since %s (%s): the seeds do not admit it, whatever it asks.", name, sinceWords(now, moment(s.bar.At)), orNothing(s.bar.Why)),
			fmt.Sprintf(`An operator lifts it at a seed: "hearsay bar --lift %s".`, s.m.ID)
	}
	for i := range slices.Backward(s.events) {
		switch e := &s.events[i]; e.Kind {
		case hearsay.EventCaseRefused, hearsay.EventTurnedAway:
			return "refused", fmt.Sprintf("%s asked to be admitted and was refused at %s: %s. No case was opened, and it was never in.", name, sinceWords(now, e.At), e.Text),
				refusalNearest(e.Text, s.m)
		case hearsay.EventCaseAborted:
			return "refused", fmt.Sprintf("%s asked to be admitted at %s; its case ended without a ruling at %s: %s. It was never in.", name, s.m.Addr, sinceWords(now, e.At), e.Text),
				fmt.Sprintf("It would have been admitted, had it answered %d of %d seeds at %s before %s. It may ask again.", needed, seeds, s.m.Addr, exactly(e.At.UnixMilli()))
		case hearsay.EventCaseOpened:
			return "unknown", fmt.Sprintf("%s has asked to be admitted at %s, and the seeds are deciding.", name, s.m.Addr) + s.abstaining(),
				fmt.Sprintf("It is admitted once it answers %d of %d seeds at %s.", needed, seeds, s.m.Addr)
		}
	}
	return "unknown", fmt.Sprintf("%s was heard of, and has never been in.", name), ""
}

// refusalNearest says what would have opened a case.
func refusalNearest(why string, m hearsay.Member) string {
	switch {
	case strings.HasPrefix(why, "asks from"):
		return fmt.Sprintf("A case would have been opened, had it asked from the address that it says is its own, %s.", m.Addr.Addr())
	case strings.HasPrefix(why, barredWord):
		return fmt.Sprintf(`A case would have been opened, were it not barred: "hearsay bar --lift %s" at a seed lifts that.`, m.ID)
	}
	return fmt.Sprintf("A case would have been opened, but for this: %s.", why)
}

// tellNobody says what is known of a name that nobody here ever bore.
func (n *Node) tellNobody(file *hearsay.CaseFile) {
	needed := hearsay.QuorumOf(len(n.seeds()))
	file.Summary = fmt.Sprintf("Nobody called %s has been admitted: nobody has been ruled in here yet, and none was refused.", file.Member.Name)
	if n.seeded.authority.Epoch() > 0 {
		file.Summary = fmt.Sprintf("Nobody called %s has been admitted, as far back as this node's ledger goes (epoch %d of %d), and here none was refused. "+
			"Other seeds may have refused one: they can be asked, too.", file.Member.Name, n.seeded.authority.Oldest(), n.seeded.authority.Epoch())
	}
	if why := n.Authority().Why; why != "" {
		file.Summary += fmt.Sprintf(" Of the seeds this node knows: %s.", why)
	}
	file.Nearest = fmt.Sprintf("It is admitted once it asks a seed, and %d of %d seeds see that it answers at its address.", needed, len(n.seeds()))
}

// spent reports whether a member has signed the highest incarnation that is believed: it can refute nothing
// more, nor come back.
func spent(i hearsay.Incarnation) bool { return i >= hearsay.MaxIncarnation }

const spentWords = "it cannot come back with this identity, as its incarnation is the highest that is believed: it needs an empty data directory."

// byRefutation is a part of the ways in which a suspect is cleared, if it is one.
func byRefutation(i hearsay.Incarnation) string {
	if spent(i) {
		return ""
	}
	return "by a refutation of its own, "
}

// nearestOpen says what would have changed the outcome in an open network.
func (n *Node) nearestOpen(m hearsay.Member, events []hearsay.Event) string {
	switch m.State {
	case hearsay.StateDead:
		e := n.roster.EvidenceOf(m.ID)
		if e == nil {
			return ""
		}
		refuting := fmt.Sprintf(", or by refuting with an incarnation above %d", e.Incarnation)
		if spent(e.Incarnation) {
			refuting = ""
		}
		if e.Rule == hearsay.RuleTimeout {
			return fmt.Sprintf("It would be alive here, had it answered one of its observers before %s%s.", exactly(e.Condemned), refuting)
		}
		return fmt.Sprintf("It would be alive here, had it answered %s before %s (then fewer than %d would have been against it)%s.",
			someOf(e.Against()-int(e.Needed)+1, e.Against(), n.observers(e, hearsay.VerdictUnreachable)), exactly(e.Condemned), e.Needed, refuting)
	case hearsay.StateSuspect:
		return "It is cleared by one answer to who accuses it, " + byRefutation(m.Incarnation) + "or by a majority of its observers who reach it; it is dead once a majority of them cannot, or once the suspicion has run out and two of them cannot, and none can."
	}
	for i := range slices.Backward(events) {
		if e := &events[i]; e.Kind == hearsay.EventCleared {
			return "It would be dead, had a majority of its observers not reached it in that round."
		}
	}
	return ""
}
