package casefile

import (
	"fmt"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file tells single events.

// step puts an event into words.
func (s *story) step(e *hearsay.Event) hearsay.Step {
	me := s.Teller.Name
	step := hearsay.Step{At: e.At, Kind: e.Kind.String(), By: me}
	if e.ByName != "" {
		step.By = e.ByName
	}
	if e.Round != 0 {
		step.Detail = roundWords(e.Round)
	}
	switch e.Kind {
	case hearsay.EventUnreachable:
		step.Text = fmt.Sprintf("%s pinged %s, and has no answer in %s; %s", me, e.Name, e.Took.Round(time.Millisecond), e.Relays())
		step.Detail = e.Text
	case hearsay.EventMemberSuspected:
		step.Text = fmt.Sprintf("%s is suspect: accused by %s", e.Name, step.By)
	case hearsay.EventMemberDead:
		step.Text = fmt.Sprintf("%s is dead: condemned by its observers on the accusation of %s", e.Name, step.By)
	case hearsay.EventMemberReturned:
		step.By = e.Name
		step.Text = fmt.Sprintf("%s is alive by its own signed word (it was %s)", e.Name, e.State)
		step.Detail = fmt.Sprintf("incarnation %d", e.Incarnation)
	case hearsay.EventMemberMoved:
		step.Text = fmt.Sprintf("%s moved to %s", e.Name, e.Addr)
	case hearsay.EventMemberLeft:
		step.Text = fmt.Sprintf("%s left by its own signed word", e.Name)
	case hearsay.EventRefuted:
		step.Text = fmt.Sprintf("%s was claimed %s and refuted it with a higher incarnation", me, e.State)
		if e.CutOff {
			step.Text += "; its accuser did not answer itself"
		}
		if e.State == hearsay.StateAlive {
			step.Text = fmt.Sprintf("%s heard that it is at %v, by %s; it took a higher incarnation", me, e.Addr, e.Text)
		}
		step.Detail = fmt.Sprintf("incarnation %d", e.Incarnation)
	case hearsay.EventClaimDelayed:
		step.Text = fmt.Sprintf("%s says that %s is dead; %s is told first and has %s to refute", step.By, e.Name, e.Name, s.DeadHold)
	case hearsay.EventSuspectFreed:
		step.Text = fmt.Sprintf("%s answered %s: the suspicion ends here", e.Name, me)
	case hearsay.EventMemberAway:
		step.Text = fmt.Sprintf("%s has said that its process ends and is started again: %s holds its silence against it after %s only", e.Name, me, e.Took)
	case hearsay.EventMemberBack:
		step.Text = fmt.Sprintf("%s is back, with a new incarnation", e.Name)
	case hearsay.EventAwayOver:
		step.Text = fmt.Sprintf("%s is not back in time: %s probes it again", e.Name, me)
	default:
		step.Text = s.otherStep(e, step.By)
	}
	return step
}

// otherStep puts into words what the observers of a member do, and what a node tells of itself.
func (s *story) otherStep(e *hearsay.Event, by string) string {
	me, took := s.Teller.Name, e.Took.Round(time.Millisecond)
	switch e.Kind {
	case hearsay.EventRoundOpened:
		if casebook.Folded(e) {
			return fmt.Sprintf("... and %s like that until %s", plural(e.Count, "more round"), e.At.UTC().Format(time.TimeOnly+"Z"))
		}
		return fmt.Sprintf("%s asked the observers of %s (%d) to probe it now", me, e.Name, e.Count)
	case hearsay.EventAsked:
		if e.By == s.Teller.ID {
			return fmt.Sprintf("%s is an observer of %s itself and probes it now, too", me, e.Name)
		}
		return fmt.Sprintf("%s asked %s, an observer, to probe %s now", by, me, e.Name)
	case hearsay.EventExamined:
		return fmt.Sprintf("%s pinged %s %d times in %s: %s", me, e.Name, e.Count, took, e.Verdict)
	case hearsay.EventStatement:
		return fmt.Sprintf("observer %s signed: %s", by, e.Verdict)
	case hearsay.EventUndecided:
		return fmt.Sprintf("the round closed without a decision: %d against", e.Count)
	case hearsay.EventCleared:
		return fmt.Sprintf("cleared: of its observers %d reach %s", e.Count, e.Name)
	case hearsay.EventCondemned:
		return fmt.Sprintf("condemned: %d of %d observers do not reach %s; %s", e.Count, e.Evidence.Observers, e.Name, ruleWords(e.Evidence))
	case hearsay.EventLate:
		return fmt.Sprintf("%s was paused or starved for %s and accuses nobody for now", me, took)
	case hearsay.EventUnheard:
		return fmt.Sprintf("%s has heard no member for %s, and may be cut off", me, took)
	case hearsay.EventUnanswered:
		return fmt.Sprintf("no member has answered %s for %s, and it may be cut off", me, took)
	case hearsay.EventHeard:
		return me + " hears others again"
	}
	if e.Text == "" {
		return me + " " + e.Story(s.Teller.ID, s.name)
	}
	return e.Text
}
