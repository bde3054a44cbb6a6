package casefile

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/when"
)

// This file tells how things stand with a suspect of a seeded network, and what
// comes next, and when.

// suspectSummary tells how things stand with a suspect.
func (s *seeded) suspectSummary() (summary, nearest string) {
	needed, seeds := s.needed()
	h := s.hear()
	summary = s.suspectWords(&h) + s.heardWords(&h) + s.abstaining() + s.untakenWords()
	if words, ways, open := s.openCase(); open {
		summary, nearest = summary+words, ways
	} else {
		nearest = s.suspectNearest(&h)
		words, ways, _ := s.silence()
		summary, nearest = summary+words, nearest+ways
	}
	return summary + fmt.Sprintf(" Nothing is decided: it is a member until %d of %d seeds rule otherwise.", needed, seeds) + s.quorumMissing(), nearest
}

// heardWords tells which observers have been asked, and what came of it.
func (s *seeded) heardWords(h *hearing) string {
	all, alive := s.Suspect.Observers, s.Suspect.Alive
	text := fmt.Sprintf("Of its %s %d %s alive.", plural(all, "observer"), alive, isAre(alive))
	switch {
	case all == 0:
		text = "It has no observers: no other peer is in."
	case h.asked == 0:
		text += " This node has not asked them: others accuse it."
	default:
		text += fmt.Sprintf(" In its newest round this node asked %d, of which %d answered: %d reach it, %d do not.",
			h.asked, h.reachable+h.against+h.abstained, h.reachable, h.against)
		if h.abstained > 0 {
			text += fmt.Sprintf(" %d abstained.", h.abstained)
		}
	}
	return text
}

// promise adds what comes of the case by some time.
func (s *seeded) promise(p hearsay.Promise) { s.promises = append(s.promises, p) }

// openCase tells of a case about a removal that is open, on a seed.
func (s *seeded) openCase() (summary, nearest string, open bool) {
	c := s.Seeded.Open
	if c == nil {
		return "", "", false
	}
	_, seeds := s.needed()
	one, some := "any one seed", "seeds"
	if c.Yes > 0 {
		one, some = "any other seed", "other seeds" // a seed votes once
	}
	answers := fmt.Sprintf("%d of %d %s", seeds-c.Needed+1, seeds-c.Yes, some)
	if c.Rule != hearsay.RuleMajority {
		answers = one
	}
	summary = fmt.Sprintf(" A case is open (%s): %d of %d seeds found it unreachable so far, %d are needed.", caseWords(c.ID), c.Yes, seeds, c.Needed)
	removed := fmt.Sprintf("; it is removed once %d more found it unreachable.", c.Needed-c.Yes)
	if why := s.cutOff(time.Time{}); why != "" {
		return summary, fmt.Sprintf("It stays in if it answers %s%s Until when cannot be said %s.", answers, removed, why), true
	}
	if !c.Expires.After(s.Now) { // as the seeds had no quorum meanwhile
		return summary, fmt.Sprintf("It stays in if it answers %s%s The time of the case was over at about %s: it is closed, and another is opened, once the log of the seeds goes on.",
			answers, removed, exactly(c.Expires.UnixMilli())), true
	}
	s.promise(hearsay.Promise{What: hearsay.PromiseDecided, By: c.Expires, AnySeed: c.Rule != hearsay.RuleMajority})
	return summary, fmt.Sprintf("It stays in if it answers %s before about %s%s", answers, exactly(c.Expires.UnixMilli()), removed), true
}

// silence tells of a member that does not answer this seed's own probes, and when the seed
// brings it before the others.
func (s *seeded) silence() (summary, nearest string, silent bool) {
	own, me := s.Seeded.Silence, s.Teller.Name
	if own == nil {
		return "", "", false
	}
	s.silenceTold = true
	summary = fmt.Sprintf(" But %s has had no answer from it to its own probes since %s (%s ago).",
		me, exactly(own.Since.UnixMilli()), s.Now.Sub(own.Since).Round(time.Second))
	why := s.cutOff(own.Since)
	if own.By.IsZero() {
		why = "while no quorum of them decides"
	}
	if why != "" {
		return summary, fmt.Sprintf(" When %s brings it before the other seeds cannot be said %s.", me, why), true
	}
	promise := hearsay.Promise{What: hearsay.PromiseBrought, By: own.By}
	from, by := exactly(own.From.UnixMilli()), exactly(own.By.UnixMilli())
	switch {
	case own.Vain:
		promise.Again = own.From
		nearest = fmt.Sprintf(" The last case about it ended without a ruling at %s: if it goes on not answering %s, that brings it before the other seeds again %s after that, by about %s.",
			from, me, own.After, by)
	case own.From.After(own.Since):
		promise.Again = when.Later(own.From, own.Freed)
		nearest = fmt.Sprintf(" If it goes on not answering %s, that brings it before the other seeds %s after %s, when a quorum of them was heard again: by about %s.",
			me, own.After, from, by)
	case !own.Freed.IsZero():
		promise.Again = own.Freed
		nearest = fmt.Sprintf(" Since %s it is suspect no more: if it goes on not answering %s, that brings it before the other seeds after %s, by about %s.",
			exactly(own.Freed.UnixMilli()), me, own.After, by)
	case s.Member.State == hearsay.StateSuspect:
		nearest = fmt.Sprintf(" If it goes on not answering %s and stays suspect, that brings it before the other seeds after %s, by about %s.", me, own.After, by)
	default:
		nearest = fmt.Sprintf(" If it goes on not answering %s, that brings it before the other seeds after %s, by about %s.", me, own.After, by)
	}
	s.promise(promise)
	return summary, nearest, true
}

// quorumMissing says that nothing can be decided now, if no quorum of seeds is heard here.
func (s *seeded) quorumMissing() string {
	if s.Seeded.Ready {
		return ""
	}
	needed, seeds := s.needed()
	text := fmt.Sprintf(" No quorum of seeds is heard here now, and while there is none nobody is removed: %d of %d are needed", needed, seeds)
	if why := s.seedsWhy(); why != "" {
		text += " (" + why + ")"
	}
	return text + "."
}

// answeredWithin is how many periods ago a member must have answered this node, for it to promise what others do. A
// guess: where all answer one does in each period.
const answeredWithin = 3

// cutOff says that no member has answered this node for long, or not since a time: what the others do it does not know.
// "": one has.
func (s *seeded) cutOff(since time.Time) string {
	late := s.Now.Sub(s.Answered) > answeredWithin*s.Period
	switch {
	case !late && !s.Answered.Before(since):
		return ""
	case !late:
		return fmt.Sprintf("yet, as it has not answered since %s only", exactly(since.UnixMilli()))
	}
	return fmt.Sprintf("as nobody has answered %s since %s", s.Teller.Name, exactly(s.Answered.UnixMilli()))
}

// untakenWords says that no seed takes this node's report of the suspect. That the seeds answer that they hear no
// quorum explains it, and so does that nobody answers this node.
func (s *seeded) untakenWords() string {
	u := s.Seeded.Untaken
	if u == nil || u.ID != s.Member.ID || u.Waits && !s.Seeded.Ready || s.Answered.Before(u.Since) {
		return ""
	}
	text := fmt.Sprintf(" No seed has taken this node's report of it since %s.", u.Words())
	if !u.Waits {
		text += " If no stream gets through to the seeds, what they rule does not come here, either."
	}
	return text
}

// unforeseen says why this node promises no time by which a suspect is out; "": it may. What takes how long rests on
// a quorum of seeds that has been there since the suspicion began: one that is back elects a leader first, and probes
// anew.
func (s *seeded) unforeseen() string {
	if !s.Seeded.Ready {
		return "while no quorum of seeds is heard"
	}
	if why := s.cutOff(s.Member.Since); why != "" {
		return why
	}
	if since := s.Seeded.Since; since.After(s.Member.Since) {
		return fmt.Sprintf("yet, as a quorum of seeds is back since %s only", exactly(since.UnixMilli()))
	}
	if s.Seeded.Untaken != nil {
		return "as no seed takes this node's reports"
	}
	return ""
}

// abstaining says of a seed that it casts no ballot about a node that it has probed, or tried to, if so.
func (s *seeded) abstaining() string {
	switch {
	case !s.Seeded.Abstaining:
		return ""
	case !s.Seeded.Ready:
		return " Here this seed abstains, as it hears no quorum of seeds."
	}
	return " Here this seed abstains: it was late, or has too much to do."
}

// silentToSeeds tells of the way in which a suspect comes before the seeds without
// anybody's report.
func (s *seeded) silentToSeeds() string {
	t, _ := s.timing()
	return fmt.Sprintf(" While it is suspect, a seed that it has not answered for %s brings it before the others in any case; else for %s.", s.shortTrial(), t.SilentFor)
}

// shortTrial is for how long a member must not have answered a seed where no majority of its observers speaks against
// it.
func (s *seeded) shortTrial() string {
	t, source := s.timing()
	return t.ShortTrial.String() + source
}

// suspectNearest tells by what a suspicion ends, either way.
func (s *seeded) suspectNearest(h *hearing) string {
	needed, seeds := s.needed()
	text := s.suspicionEnds()
	t, _ := s.timing()
	runsOut := s.Suspect.RunsOut
	reported := s.Suspect.OwnRunsOut.Add(s.RoundEvery) // when the round is over in which it does
	if s.Now.Before(runsOut) {
		text += fmt.Sprintf(" suspicion runs out at about %s", exactly(runsOut.UnixMilli()))
	} else {
		text += fmt.Sprintf(" suspicion has run out at about %s", exactly(runsOut.UnixMilli()))
	}
	if h.reachable > 0 {
		return text + "; but while an observer reaches it, that brings it before no seed." + s.silentToSeeds()
	}
	text += fmt.Sprintf(": then it is reported to the seeds with what statements there are, unless an observer reaches it, and removed once %d of %d seeds have had no answer from it for %s each and none reaches it",
		needed, seeds, s.shortTrial())
	promise := hearsay.Promise{What: hearsay.PromiseRemoved}
	if until := h.aborted.Add(t.ReportPause); !h.aborted.IsZero() && until.After(reported) {
		reported, promise.Again = until, h.aborted
		text += fmt.Sprintf("; as a case has ended without a ruling, such a report waits until %s", exactly(until.UnixMilli()))
	}
	if why := s.unforeseen(); why != "" {
		return text + ". When that is cannot be said " + why + "." + s.silentToSeeds()
	}
	if promise.By = reported.Add(t.ShortTrial); s.Now.Before(promise.By) {
		s.promise(promise)
		return text + fmt.Sprintf(". That is by about %s.", exactly(promise.By.UnixMilli())) + s.silentToSeeds()
	}
	return text + ". Until then each member that accuses it goes on reporting it, if the seeds can be reached and a quorum of them is there." + s.silentToSeeds()
}

// suspicionEnds tells by which answers a suspicion ends, and begins to tell when it runs out.
func (s *seeded) suspicionEnds() string {
	needed, seeds := s.needed()
	all, alive, majority := s.Suspect.Observers, s.Suspect.Alive, s.Suspect.Majority
	text := "It is cleared by one answer to its accuser"
	if !spent(s.Member.Incarnation) {
		text += ", by a refutation of its own"
	}
	if all > 0 {
		text += fmt.Sprintf(", or by %d of its observers who reach it", all-majority+1)
	}
	text += ". "
	switch {
	case alive >= majority && all > 0:
		return text + fmt.Sprintf("It is removed once %d of its observers cannot reach it, and %d of %d seeds cannot either. Without such a majority its", majority, needed, seeds)
	case all > 0:
		return text + fmt.Sprintf("Its observers cannot have it removed: %d of them would be needed, and %d %s alive. So its", majority, alive, isAre(alive))
	}
	return text + "Nobody but the seeds can say that it is unreachable. So its"
}
