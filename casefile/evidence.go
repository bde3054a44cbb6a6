package casefile

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// This file tells what the observers of a member have signed.

// statements tells what the observers signed, when this node did not count
// them itself. The times are the observers' own.
func (s *story) statements(e *hearsay.Evidence) []hearsay.Step {
	steps := []hearsay.Step{{
		At: casebook.Moment(e.Suspected), Kind: hearsay.EventUnreachable.String(), By: s.name(e.Accuser),
		Text: fmt.Sprintf("%s got no answer from %s", s.accuser(e), s.name(e.Subject)),
	}}
	for i := range e.Statements {
		said := &e.Statements[i]
		steps = append(steps, hearsay.Step{
			At: casebook.Moment(said.At), Kind: hearsay.EventStatement.String(), By: s.name(said.Observer),
			Text:   fmt.Sprintf("observer %s signed: %s", s.name(said.Observer), said.Verdict),
			Detail: roundWords(said.Round),
		})
	}
	return steps
}

func roundWords(r hearsay.Round) string { return fmt.Sprintf("round %016x", uint64(r)) }

// counted reports whether this node counted the statements of a round itself.
func (s *story) counted(rounds ...hearsay.Round) bool {
	return slices.ContainsFunc(s.Events, func(e hearsay.Event) bool {
		return e.Kind == hearsay.EventStatement && slices.Contains(rounds, e.Round)
	})
}

// accuser gives the name of the node that accused. Evidence is signed by its observers:
// a node that has gathered it has signed nothing, unless it is one of them, has brought
// a seed the evidence or is this node: anybody could have gathered it, and put that name there.
func (s *story) accuser(e *hearsay.Evidence) string {
	name := s.name(e.Accuser)
	signed := func(said hearsay.Statement) bool {
		return said.Observer == e.Accuser && said.Verdict == hearsay.VerdictUnreachable
	}
	opened := func(by hearsay.NodeID) bool { // a seed has checked that this node has signed the report
		return slices.ContainsFunc(s.Events, func(c hearsay.Event) bool {
			return c.Kind == hearsay.EventCaseOpened && c.By == by && c.Evidence != nil && c.Evidence.Round == e.Round
		})
	}
	own := e.Accuser == s.Teller.ID && s.counted(e.Round)
	switch {
	case own || slices.ContainsFunc(e.Statements, signed) || opened(e.Accuser):
		return name
	case opened(hearsay.NodeID{}):
		return name + " (whose report was not signed)"
	}
	return name + " (named by the evidence, without a signature of its own)"
}

// observers names the observers of one verdict.
func (s *story) observers(e *hearsay.Evidence, v hearsay.Verdict) string {
	var names []string
	for i := range e.Statements {
		if e.Statements[i].Verdict == v {
			names = append(names, s.name(e.Statements[i].Observer))
		}
	}
	return list(names, "and")
}

// observersWords says how many were asked.
func observersWords(e *hearsay.Evidence) string {
	if e.Observers == 1 {
		return "its only observer"
	}
	return fmt.Sprintf("its %d observers", e.Observers)
}

// againstWords says which observers were against a member.
func (s *story) againstWords(e *hearsay.Evidence) string {
	names := s.observers(e, hearsay.VerdictUnreachable)
	if e.Observers == 1 {
		return fmt.Sprintf("that one (%s)", names)
	}
	return fmt.Sprintf("%s of them (%s)", number(e.Against()), names)
}

// ruleWords says by which rule evidence condemned.
func ruleWords(e *hearsay.Evidence) string {
	if e.Rule == hearsay.RuleTimeout {
		return "the suspicion ran out, and nobody reached it"
	}
	return wereWords(int(e.Needed)) + " needed"
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
			number(against), observersWords(e), s.observers(e, hearsay.VerdictUnreachable))
	}
}

// suspectedAt is when the suspicion began that was over at a time, as far as this
// node saw it: zero, if it did not.
func (s *story) suspectedAt(over time.Time) (began time.Time) {
	for i := range s.Events {
		switch e := &s.Events[i]; {
		case e.At.After(over):
			return began
		case e.Kind == hearsay.EventMemberReturned || e.Kind == hearsay.EventSuspectFreed || e.Kind == hearsay.EventCleared ||
			e.Kind == hearsay.EventRuled && e.Ruling.Kind == hearsay.RulingAdmit:
			began = time.Time{}
		case began.IsZero() && casebook.Accuses(*e):
			began = e.At
		}
	}
	return began
}

// hearing is what has come of a suspicion so far.
type hearing struct {
	asked     int       // observers, in this node's newest round; 0: it has not asked
	reachable int       // of these, that said so
	against   int       // likewise
	abstained int       // likewise
	accuser   string    // the last
	aborted   time.Time // when the newest case that came of it ended without a ruling; zero: none
}

// hear gathers what has come of the newest suspicion.
func (s *story) hear() (h hearing) {
	for i := range s.Events {
		switch e := &s.Events[i]; e.Kind {
		case hearsay.EventMemberSuspected:
			h = hearing{accuser: s.by(e), aborted: h.aborted}
		case hearsay.EventRoundOpened:
			if !casebook.Folded(e) {
				h = hearing{asked: e.Count, accuser: h.accuser, aborted: h.aborted}
			}
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

// by names the node that did or said what an event tells.
func (s *story) by(e *hearsay.Event) string {
	if e.ByName != "" {
		return e.ByName
	}
	return s.name(e.By)
}

// suspectWords tells since when the member is suspect, and which node accuses it.
func (s *story) suspectWords(h *hearing) string {
	text := fmt.Sprintf("%s is suspect since %s", s.Member.Name, s.since())
	if h.accuser != "" {
		text += fmt.Sprintf(": %s got no answer from it", h.accuser)
	}
	return text + ". "
}
