// Package casefile puts into words what a node knows of a member: what the member is, why, and what would change it.
//
// A node gathers facts (node.Node.Facts), and Tell makes sentences of them, beside the node's loop. It decides by facts
// alone, and never by what a text says.
package casefile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/casebook"
)

// story is a case while it is told.
type story struct {
	*casebook.Facts
	promises []hearsay.Promise // made in words so far

	silenceTold bool // it has been said since when the member does not answer the teller
}

// Tell makes the case file of a member.
func Tell(f *casebook.Facts) (file hearsay.CaseFile) {
	s := &story{Facts: f}
	file = hearsay.CaseFile{Member: f.Member, Verdict: f.Member.State.String(), Steps: []hearsay.Step{}}
	switch {
	case f.Unknown:
		s.tellUnknown(&file)
		file.Summary = s.blindWords() + file.Summary
		return file
	case f.Seeded != nil:
		(&seeded{story: s}).tell(&file)
	default:
		s.tellOpen(&file)
	}
	if f.Former != "" {
		file.Summary = fmt.Sprintf("%s is called %s now. ", f.Former, f.Member.Name) + file.Summary
	}
	file.Summary = s.blindWords() + file.Summary
	file.Summary += s.bearerWords() + s.awayWords() + s.wayWords() + s.twinWords()
	if len(f.Troubles) > 0 {
		file.Summary += " But " + strings.Join(f.Troubles, "; ") + "."
	}
	file.Promises = s.promises
	return file
}

// blindWords says of another member, or of none, that what is told of it may be out of date, as the teller does not
// hear what happens; "" if it does. Of the teller itself that is a trouble of its own.
func (s *story) blindWords() string {
	me, b := s.Teller.Name, &s.Blind
	switch {
	case !s.Unknown && s.Member.ID == s.Teller.ID:
	case !b.Unheard.IsZero():
		return fmt.Sprintf("This is as of %s: %s has heard nobody since, and may be cut off. ", s.sinceWords(b.Unheard), me)
	case !b.Unanswered.IsZero():
		return fmt.Sprintf("This is as of %s: nobody has answered %s since, though packets of others come in, and it may be cut off. ", s.sinceWords(b.Unanswered), me)
	case !b.NoQuorum.IsZero():
		return fmt.Sprintf("What seeds have ruled since %s, if they have, may not be known here: %s hears no quorum of them. ", s.sinceWords(b.NoQuorum), me)
	case s.Seeded != nil && !b.Streamless.IsZero():
		return fmt.Sprintf("What seeds have ruled since %s, if they have, may not be known here: no stream (TCP) gets out from %s. ", s.sinceWords(b.Streamless), me)
	}
	return ""
}

// tellUnknown says what is known of a name that no node here has.
func (s *story) tellUnknown(file *hearsay.CaseFile) {
	name := s.Member.Name
	file.Verdict = "unknown"
	file.Summary = fmt.Sprintf("Nobody called %s has been heard of here, or it was forgotten (%s after it died or left).", name, s.ForgetAfter)
	if s.Seeded != nil {
		file.Summary, file.Nearest = (&seeded{story: s}).unknownSummary()
	}
	if s.NeedsDigits > 0 {
		file.Summary += fmt.Sprintf(" For the beginning of an id it is too short: %d digits are needed.", s.NeedsDigits)
	}
}

// bearerWords says which other node had the member's name before; "" if none is known to have had it.
func (s *story) bearerWords() string {
	b := &s.Bearer
	if b.ID.IsZero() || s.Member.Role == hearsay.RoleSeed { // of seats the rulings say it
		return ""
	}
	how := "died"
	switch {
	case b.State == hearsay.StateLeft:
		how = "left"
	case b.Epoch > 0:
		how = "was removed"
	}
	until := fmt.Sprintf("it %s at %s", how, b.Until.Format(time.RFC3339))
	if b.Epoch > 0 {
		until = fmt.Sprintf("epoch %d, when it %s (%s)", b.Epoch, how, b.Until.Format(time.RFC3339))
	}
	text := fmt.Sprintf(" Another node was called %s until %s: its id is %s, and that of this one is %s. A process that is started with an empty data directory is another node.",
		s.Member.Name, until, b.ID.Short(), s.Member.ID.Short())
	if b.More > 0 {
		text += fmt.Sprintf(" Before that %s had the name.", plural(b.More, "other node"))
	}
	return text
}

// name is how the teller calls a node.
func (s *story) name(id hearsay.NodeID) string {
	if name, listed := s.Names[id]; listed {
		return name
	}
	return id.Short()
}

// wayWords says what gets lost between this node and a member; "" if nothing does.
func (s *story) wayWords() (text string) {
	me, way := s.Teller.Name, &s.Way
	switch {
	case way.Indirect.IsZero():
	case s.silenceTold:
		text += " Others reach it: the way between the two is cut."
	default:
		text += fmt.Sprintf(" But no answer of it comes to %s itself since at least %s, though others reach it: the way between the two is cut.", me, s.sinceWords(way.Indirect))
	}
	if way.Streamed {
		text += fmt.Sprintf(" But datagrams (UDP) do not get through between it and %s: all goes by stream (TCP).", me)
	}
	if !way.Streamless.IsZero() {
		text += fmt.Sprintf(" But streams (TCP) do not get to it from %s since at least %s, though datagrams (UDP) do: what is longer than a datagram is lost.", me, s.sinceWords(way.Streamless))
	}
	if !way.Narrow.IsZero() {
		text += fmt.Sprintf(" But large packets do not get to it from %s since at least %s, though small ones do.", me, s.sinceWords(way.Narrow))
	}
	return text
}

// Two processes with one identity tell others of their addresses in turn, every few seconds.
const (
	// so often a member came back to an address that it had left: it may be two processes. A guess
	twinReturns = 2
	// between two of these, and after the last. A guess: a network changes addresses more slowly
	twinReturnsFor     = 30 * time.Second
	twinReturnsPeriods = 10 // of the detector, if that is longer
)

// twinWords says of another member that it is two processes, as far as this node hears of that; "" if it
// hears nothing.
func (s *story) twinWords() string {
	if s.Member.ID == s.Teller.ID {
		return "" // that is a trouble of its own
	}
	apart := max(twinReturnsFor, twinReturnsPeriods*s.Period)
	count, last, places := returns(s.Events, apart)
	if ago := s.Now.Sub(last).Round(time.Second); count >= twinReturns && ago <= apart {
		return fmt.Sprintf(" But it has moved back to an address that it had left (%s) %d times, last %s ago: two processes may run with its identity, on a data directory and a copy of it.",
			list(places, "and"), count, ago)
	}
	return ""
}

// returns counts how often a member came back to an address that it had left, with no longer than that between two,
// until when, and to which.
func returns(events []hearsay.Event, apart time.Duration) (count int, last time.Time, places []string) {
	var left []netip.AddrPort // and where it is, at the end
	for i := range events {
		e := &events[i]
		if e.Kind != hearsay.EventMemberMoved || len(left) > 0 && e.Addr == left[len(left)-1] {
			continue
		}
		if slices.Contains(left, e.Addr) {
			if e.At.Sub(last) > apart {
				count, places = 0, nil
			}
			if count, last = count+1, e.At; !slices.Contains(places, e.Addr.String()) {
				places = append(places, e.Addr.String())
			}
		}
		left = append(left, e.Addr)
	}
	return count, last, places
}

// awayBlamed is how soon after the time is over a member is accused that was away: that is why it does not answer.
// Guess: all that probe it have done so by then.
const awayBlamed = 30 * time.Second

// awayWords says of a member that it is away, or of one that is held against it that it was, and did not come back in
// time; "" if neither is so.
func (s *story) awayWords() string {
	switch {
	case !s.Away.IsZero():
		return fmt.Sprintf(" It has said that its process is started again, and is not probed until %s (in %s): if it is not back by then, it is looked for as any member.",
			exactly(s.Away.UnixMilli()), s.Away.Sub(s.Now).Round(time.Second))
	case s.Held != hearsay.StateAlive:
		return s.wasAwayWords()
	}
	return ""
}

// wasAwayWords says of a member that it said that it is started again, and was accused because it was not back in time.
func (s *story) wasAwayWords() string {
	var over, accused time.Time
	for i := range s.Events {
		switch e := &s.Events[i]; {
		case e.Kind == hearsay.EventAwayOver:
			over, accused = e.At, time.Time{}
		case e.Kind == hearsay.EventMemberBack || e.Kind == hearsay.EventMemberReturned:
			over = time.Time{}
		case accused.IsZero() && casebook.Accuses(*e):
			accused = e.At
		}
	}
	if over.IsZero() || accused.IsZero() || accused.Sub(over) > awayBlamed {
		return ""
	}
	return fmt.Sprintf(" Before that it had said that its process is started again, and was not back by %s, for which its silence was not held against it.", exactly(over.UnixMilli()))
}
