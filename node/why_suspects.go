package node

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/quorum"
	"hearsay/roster"
)

// This file tells how things stand with a suspect of a seeded network, and what
// comes next, and when.

// hearing is what the observers of a suspect can still say.
type hearing struct {
	roster.Suspicion
	alive     int       // of the observers, by this node's roster
	asked     int       // of them, in this node's newest round; 0: it has not asked
	reachable int       // who said so in it
	against   int       // likewise
	abstained int       // likewise
	accuser   string    // the last
	aborted   time.Time // when the newest case that came of it ended without a ruling; zero: none
}

// hear gathers what is known of a suspicion.
func (s *story) hear() (h hearing) {
	h.Suspicion, _ = s.n.roster.Suspicion(s.m.ID)
	for _, id := range h.Observers {
		if m, known := s.n.roster.Member(id); id == s.n.id || known && m.State == hearsay.StateAlive && m.AwayUntil.IsZero() {
			h.alive++
		}
	}
	for i := range s.events {
		switch e := &s.events[i]; e.Kind {
		case hearsay.EventMemberSuspected:
			if h.accuser = e.ByName; h.accuser == "" {
				h.accuser = s.n.roster.Name(e.By)
			}
			h.asked, h.reachable, h.against, h.abstained = 0, 0, 0, 0
		case hearsay.EventRoundOpened:
			if folded(e) {
				continue
			}
			h.asked, h.reachable, h.against, h.abstained = e.Count, 0, 0, 0
		case hearsay.EventStatement:
			switch e.Verdict {
			case hearsay.VerdictReachable:
				h.reachable++
			case hearsay.VerdictUnreachable:
				h.against++
			case hearsay.VerdictAbstains:
				h.abstained++
			}
		case hearsay.EventCaseAborted:
			h.aborted = e.At
		}
	}
	return h
}

// words tells who has been asked, and what came of it.
func (h *hearing) words() string {
	text := fmt.Sprintf("Of its %s %d %s alive.", plural(len(h.Observers), "observer"), h.alive, isAre(h.alive))
	switch {
	case len(h.Observers) == 0:
		text = "It has no observers: no other peer is in."
	case h.asked == 0:
		text += " This node has not asked them: others accuse it."
	default:
		text += fmt.Sprintf(" In its newest round this node asked %d, of whom %d answered: %d reach it, %d do not.",
			h.asked, h.reachable+h.against+h.abstained, h.reachable, h.against)
		if h.abstained > 0 {
			text += fmt.Sprintf(" %d abstained.", h.abstained)
		}
	}
	return text
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// suspectSummary tells how things stand with a suspect.
func (s *story) suspectSummary(now time.Time) (summary, nearest string) {
	needed, seeds := s.needed()
	h := s.hear()
	summary = fmt.Sprintf("%s is suspect since %s", s.m.Name, s.since(now))
	if h.accuser != "" {
		summary += fmt.Sprintf(": %s got no answer from it", h.accuser)
	}
	summary += ". " + h.words()
	summary += s.abstaining()
	if words, ways, open := s.openCase(); open {
		summary, nearest = summary+words, ways
	} else {
		nearest = s.suspectNearest(now, &h)
		words, ways, _ := s.silence(now)
		summary, nearest = summary+words, nearest+ways
	}
	return summary + fmt.Sprintf(" Nothing is decided: it is a member until %d of %d seeds rule otherwise.", needed, seeds) + s.quorumMissing(), nearest
}

// openCase tells of a case about a removal that is open, on a seed.
func (s *story) openCase() (summary, nearest string, open bool) {
	if s.n.seeded.seat == nil {
		return "", "", false
	}
	c, open := s.n.seeded.seat.Case(s.m.ID)
	if !open {
		return "", "", false
	}
	_, seeds := s.needed()
	yes := 0
	for i := range c.Ballots {
		if c.Ballots[i].Verdict == hearsay.BallotYes {
			yes++
		}
	}
	s.promises = append(s.promises, hearsay.Promise{What: hearsay.PromiseDecided, By: c.Expires, AnySeed: c.Rule != hearsay.RuleMajority})
	one, some := "any one seed", "seeds"
	if yes > 0 {
		one, some = "any other seed", "other seeds" // who has voted, has voted
	}
	answers := fmt.Sprintf("%d of %d %s", seeds-c.Needed+1, seeds-yes, some)
	if c.Rule != hearsay.RuleMajority {
		answers = one
	}
	return fmt.Sprintf(" A case is open (%s): %d of %d seeds found it unreachable so far, %d are needed.", caseWords(c.ID), yes, seeds, c.Needed),
		fmt.Sprintf("It stays in if it answers %s before about %s; it is removed by %d more that find it unreachable.",
			answers, exactly(c.Expires.UnixMilli()), c.Needed-yes), true
}

// silence tells of a member that does not answer this seed's own probes, and when the seed
// brings it before the others.
func (s *story) silence(now time.Time) (summary, nearest string, silent bool) {
	if s.n.seeded.seat == nil {
		return "", "", false
	}
	own, silent := s.n.seeded.seat.Silence(now, s.m.ID)
	if !silent {
		return "", "", false
	}
	me := s.n.Self().Name
	summary = fmt.Sprintf(" But %s has had no answer from it to its own probes since %s (%s ago).",
		me, exactly(own.Since.UnixMilli()), now.Sub(own.Since).Round(time.Second))
	if own.By.IsZero() {
		return summary, fmt.Sprintf(" When %s brings it before the other seeds cannot be said while no quorum of them decides.", me), true
	}
	s.promises = append(s.promises, hearsay.Promise{What: hearsay.PromiseBrought, By: own.By})
	return summary, fmt.Sprintf(" If it goes on not answering %s, that brings it before the other seeds after %s, by about %s.",
		me, own.After, exactly(own.By.UnixMilli())), true
}

// quorumMissing says that nothing can be decided now, if no quorum of seeds is heard here.
func (s *story) quorumMissing() string {
	a := s.n.Authority()
	if a.Ready {
		return ""
	}
	text := fmt.Sprintf(" No quorum of seeds is heard here now, and while there is none nobody is removed: %d of %d are needed", a.Quorum, len(a.Seeds))
	if a.Why != "" {
		text += " (" + a.Why + ")"
	}
	return text + "."
}

// quorumSince is since when a quorum of seeds is there: as a seed hears it, or as a peer lists them.
func (n *Node) quorumSince() time.Time {
	if n.seeded.seat != nil {
		return n.seeded.seat.HeardSince()
	}
	var since []time.Time
	for slot, seed := range n.Authority().Seeds {
		if m, listed := n.roster.Member(seed.ID); listed && m.State == hearsay.StateAlive && n.seeded.follower.Met(slot) {
			since = append(since, laterOf(m.Since, n.seeded.follower.MetSince(slot)))
		}
	}
	slices.SortFunc(since, time.Time.Compare)
	if needed := hearsay.QuorumOf(len(n.seeds())); needed <= len(since) {
		return since[needed-1]
	}
	return time.Time{}
}

// abstaining says of a seed that it cannot judge now, if so.
func (s *story) abstaining() string {
	if seat := s.n.seeded.seat; seat != nil && seat.Abstaining(s.m.ID) {
		return " Here " + quorum.Abstains + "."
	}
	return ""
}

// silentToSeeds tells of the way in which a suspect comes before the seeds without
// anybody's report.
func (s *story) silentToSeeds() string {
	q, source := s.n.timing()
	return fmt.Sprintf(" While it is suspect, a seed that it has not answered for %s%s brings it before the others in any case; else for %s.", q.ShortTrial, source, q.SilentFor)
}

// suspectNearest tells by what a suspicion ends, either way.
func (s *story) suspectNearest(now time.Time, h *hearing) string {
	needed, seeds := s.needed()
	observers := len(h.Observers)
	text := "It is cleared by one answer to who accuses it"
	if !spent(s.m.Incarnation) {
		text += ", by a refutation of its own"
	}
	if observers > 0 {
		text += fmt.Sprintf(", or by %d of its observers who reach it", observers-h.Majority+1)
	}
	text += ". "
	switch {
	case h.alive >= h.Majority && observers > 0:
		text += fmt.Sprintf("It is removed once %d of its observers cannot reach it, and %d of %d seeds cannot either. Without such a majority its", h.Majority, needed, seeds)
	case observers > 0:
		text += fmt.Sprintf("Its observers cannot have it removed: %d of them would be needed, and %d %s alive. So its", h.Majority, h.alive, isAre(h.alive))
	default:
		text += "Nobody but the seeds can say that it is unreachable. So its"
	}
	q, source := s.n.timing()
	reported := h.RunsOut.Add(s.n.cfg.Roster.RoundEvery) // when the round is over in which it does
	if now.Before(h.RunsOut) {
		text += fmt.Sprintf(" suspicion runs out at about %s", exactly(h.RunsOut.UnixMilli()))
	} else {
		text += fmt.Sprintf(" suspicion has run out at about %s", exactly(h.RunsOut.UnixMilli()))
	}
	if h.reachable > 0 {
		return text + "; but while an observer reaches it, that brings it before no seed." + s.silentToSeeds()
	}
	text += fmt.Sprintf(": then it is reported to the seeds with what statements there are, unless an observer reaches it, and removed once %d of %d seeds have had no answer from it for %s%s each and none reaches it",
		needed, seeds, q.ShortTrial, source)
	if until := h.aborted.Add(q.ReportPause); !h.aborted.IsZero() && until.After(reported) {
		reported = until
		text += fmt.Sprintf("; as a case has ended without a ruling, such a report waits until %s", exactly(until.UnixMilli()))
	}
	if !s.n.Authority().Ready {
		return text + ". When that is cannot be said while no quorum of seeds is heard." + s.silentToSeeds()
	}
	if since := s.n.quorumSince(); since.After(reported) { // they elect who leads first, and probe anew
		return text + fmt.Sprintf(". When that is cannot be said yet, as a quorum of seeds is back since %s only.", exactly(since.UnixMilli())) + s.silentToSeeds()
	}
	if by := reported.Add(q.ShortTrial); now.Before(by) {
		s.promises = append(s.promises, hearsay.Promise{What: hearsay.PromiseRemoved, By: by})
		return text + fmt.Sprintf(". That is by about %s.", exactly(by.UnixMilli())) + s.silentToSeeds()
	}
	return text + ". Until then each member that accuses it goes on reporting it, if the seeds can be reached and a quorum of them is there." + s.silentToSeeds()
}
