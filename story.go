package hearsay

import (
	"fmt"
	"strings"
	"time"
)

// Story puts an event into a sentence whose subject, not written, is the node that tells it: "holds
// peer-3 suspect, accused by peer-2". Name gives how nodes are called.
func (e *Event) Story(teller NodeID, name func(NodeID) string) string {
	if int(e.Kind) >= len(eventKinds) || eventKinds[e.Kind].story == "" {
		return e.Kind.String()
	}
	of := &eventKinds[e.Kind]
	form := of.story
	if of.own != "" && e.Subject == teller {
		form = of.own
	}
	return fillForm(form, func(field string) string { return e.told(field, name) })
}

// fillForm writes {field} as what value gives of it, and leaves out a part in brackets of which a field
// is empty.
func fillForm(form string, value func(string) string) string {
	var out strings.Builder
	part, within, empty := 0, false, false
	for form != "" {
		text, rest := form, ""
		at := strings.IndexAny(form, "{[]")
		if at >= 0 {
			text, rest = form[:at], form[at+1:]
		}
		out.WriteString(text)
		switch {
		case at < 0:
		case form[at] == '[':
			part, within, empty = out.Len(), true, false
		case form[at] == ']':
			if within = false; empty {
				kept := out.String()[:part]
				out.Reset()
				out.WriteString(kept)
			}
		default:
			field, after, _ := strings.Cut(rest, "}")
			v := value(field)
			out.WriteString(v)
			empty = empty || within && v == ""
			rest = after
		}
		form = rest
	}
	return out.String()
}

// told gives one field of an event for its story.
func (e *Event) told(field string, name func(NodeID) string) string {
	switch field {
	case "subject":
		if e.Ruling != nil && len(e.Ruling.Seats) > 0 {
			return name(e.Ruling.Seats[len(e.Ruling.Seats)-1].Key.NodeID())
		}
		return name(e.Subject)
	case "name":
		return e.Name
	case "by":
		if e.By.IsZero() {
			return ""
		}
		return name(e.By)
	case "state":
		return e.State.String()
	case "addr":
		return e.Addr.String()
	case "verdict":
		return e.Verdict.String()
	case "count":
		return fmt.Sprint(e.Count)
	case "relays":
		return e.Relays()
	case "members":
		if e.Count == 1 {
			return "1 member"
		}
		return fmt.Sprintf("%d members", e.Count)
	case "took":
		return e.Took.Round(time.Millisecond).String()
	case "text":
		return e.Text
	case "epoch":
		return fmt.Sprint(e.Epoch)
	case "outcome":
		if e.Outcome != 0 {
			return e.Outcome.String()
		}
		return ""
	case "stay":
		if e.Epoch > 0 {
			return fmt.Sprint(e.Epoch)
		}
		return ""
	}
	return e.toldDetail(field)
}

// Relays says of a probe that was not answered what came of asking others: one that says nothing has not reached its
// target, or was not reached itself.
func (e *Event) Relays() string {
	switch {
	case e.Count == 0:
		return "no relay was asked"
	case e.Heard == 0:
		return fmt.Sprintf("no relay was reached, of %d asked", e.Count)
	}
	return fmt.Sprintf("of %d relays asked %d had none, either", e.Count, e.Heard)
}

// toldDetail gives what an event points to.
func (e *Event) toldDetail(field string) string {
	switch {
	case field == "evidence" && e.Evidence != nil:
		return fmt.Sprintf("%d of %d observers do not reach it (%s)", e.Evidence.Against(), e.Evidence.Observers, e.Evidence.Rule)
	case field == "number" && e.Rumor != nil:
		return fmt.Sprint(e.Rumor.ID.Counter)
	case field == "data" && e.Rumor != nil:
		return fmt.Sprintf("%.40q", e.Rumor.Data)
	case field == "ballot" && e.Ballot != nil:
		return e.Ballot.Verdict.String()
	case field == "ballots" && e.Ruling != nil:
		var seeds []string
		for i := range e.Ruling.Ballots {
			seeds = append(seeds, fmt.Sprintf("s%d", e.Ruling.Ballots[i].Slot+1))
		}
		return strings.Join(seeds, ", ")
	}
	return ""
}
