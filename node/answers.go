package node

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/quorum"
)

// Limits per seed.
const (
	maxOwed  = 4096                    // answers about what is not decided yet
	answerIn = 1300 * time.Millisecond // then who asked is told so: the old programs wait 1.8 s, and a busy machine takes some of it
)

// answers are what a seed owes those who have asked it for something.
type answers struct {
	seat *quorum.Quorum
	out  *hearsay.Effects
	owed []owed // oldest first
}

// owed is an answer to somebody.
type owed struct {
	addr  netip.AddrPort
	kind  hearsay.RulingKind
	stay  hearsay.Stay
	until time.Time
}

// take answers a request by what the quorum says to it, or owes the answer.
func (a *answers) take(now time.Time, p *hearsay.Packet, kind hearsay.RulingKind, stay hearsay.Stay, said quorum.Answer) {
	o := owed{addr: p.Addr, kind: kind, stay: stay, until: now.Add(answerIn)}
	switch said.Code {
	case quorum.AnswerDone:
		if said.Stay.Epoch != 0 {
			o.stay = said.Stay
		}
		a.give(&o, hearsay.OutcomeDone, 0, said.Text)
	case quorum.AnswerRefused:
		a.give(&o, hearsay.OutcomeRefused, 0, said.Text)
	case quorum.AnswerWait:
		a.give(&o, hearsay.OutcomeWait, 0, said.Text)
	default:
		if len(a.owed) >= maxOwed {
			a.give(&o, hearsay.OutcomePending, 0, "too many wait")
			return
		}
		a.owed = append(a.owed, o)
	}
}

// give tells somebody what became of what was asked.
func (a *answers) give(o *owed, code hearsay.OutcomeCode, yes int, text string) {
	a.out.Send = append(a.out.Send, hearsay.Packet{Addr: o.addr, Stream: true, Body: &hearsay.Outcome{
		Kind: o.kind, Stay: o.stay, Code: code, Yes: uint8(yes), Needed: uint8(a.seat.Needed()), Text: text,
	}})
}

// giveUp tells all that asked about a subject that nothing comes of it, or not now.
func (a *answers) giveUp(e *hearsay.Event) {
	code := hearsay.OutcomeWait
	if e.Kind == hearsay.EventCaseRefused {
		code = hearsay.OutcomeRefused
	}
	a.giveAll(hearsay.Stay{ID: e.Subject}, code, 0, e.Text)
}

// giveAll tells all who have asked about a node what became of it. Stay is the
// one that was admitted, if it was that.
func (a *answers) giveAll(stay hearsay.Stay, code hearsay.OutcomeCode, yes int, text string) {
	a.owed = slices.DeleteFunc(a.owed, func(o owed) bool {
		if o.stay.ID != stay.ID {
			return false
		}
		if o.kind == hearsay.RulingAdmit {
			o.stay = stay
		}
		a.give(&o, code, yes, text)
		return true
	})
}

// tick tells those who have waited for long that nothing is decided yet.
func (a *answers) tick(now time.Time) {
	late := 0
	for late < len(a.owed) && !now.Before(a.owed[late].until) {
		a.give(&a.owed[late], hearsay.OutcomePending, 0, "it is being decided")
		late++
	}
	a.owed = slices.Delete(a.owed, 0, late)
}

// due is when tick must be called next, if at all before at.
func (a *answers) due(at time.Time) time.Time {
	if len(a.owed) > 0 {
		at = earlier(at, a.owed[0].until)
	}
	return at
}
