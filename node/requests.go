package node

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/internal/core"
	"hearsay/internal/when"
	"hearsay/quorum"
	"hearsay/quota"
)

// Limits per seed.
const (
	// maxOwed bounds the answers owed to askers whose case is open.
	maxOwed = 4096

	// answerIn: after this an asker hears "pending". Earlier programs wait 1.8 s, and a busy machine takes some of it.
	answerIn = 1300 * time.Millisecond

	// What may be asked a second, of one source and of all of a class: a request is up to 17 signatures to verify, of
	// 60 µs. All are guesses.
	asksPerSource  = 200
	asksPerClass   = 1000
	asksClassBurst = 4000 // a network that starts together

	// Of the nodes that it turns away, it tells maxTurned as events in turnedEvery. The rest is only kept.
	turnedEvery = time.Second
	maxTurned   = 5
)

var askShares = quota.PerSource(quota.PerSecond(asksPerSource, asksPerSource), quota.PerSecond(asksPerClass, asksClassBurst))

// requests are what is asked of a seed, and the answers that it owes.
type requests struct {
	network hearsay.NetworkID
	signer  hearsay.Signer
	seat    *quorum.Quorum
	sender  func(*core.Packet) quota.Sender
	cases   *casebook.Book
	stats   *hearsay.Stats
	out     *core.Effects

	asks     *quota.Quota // what is asked
	owed     []owed       // oldest first
	turned   int          // nodes turned away since turnedAt
	turnedAt time.Time
}

// owed is an answer to an asker.
type owed struct {
	addr  netip.AddrPort
	kind  hearsay.RulingKind
	stay  hearsay.Stay
	until time.Time
}

// answer answers a request from an address by what the quorum says to it, or owes the answer.
func (r *requests) answer(now time.Time, from netip.AddrPort, kind hearsay.RulingKind, stay hearsay.Stay, said hearsay.Outcome) {
	o := owed{addr: from, kind: kind, stay: stay, until: now.Add(answerIn)}
	switch {
	case said.Code != hearsay.OutcomePending:
		if said.Stay.Epoch != 0 {
			o.stay = said.Stay
		}
		r.give(&o, said)
	case len(r.owed) >= maxOwed:
		r.give(&o, hearsay.Outcome{Code: hearsay.OutcomePending, Text: "too many wait"})
	default:
		r.owed = append(r.owed, o)
	}
}

// give tells an asker what became of its request.
func (r *requests) give(o *owed, said hearsay.Outcome) {
	said.Kind, said.Stay, said.Needed = o.kind, o.stay, uint8(r.seat.Needed())
	r.out.Send = append(r.out.Send, core.Packet{Addr: o.addr, Stream: true, Body: &core.Outcome{Outcome: said}})
}

// explain adds to the refusal of a node that is barred that it is, and why an operator has barred it.
func (r *requests) explain(said *hearsay.Outcome, id hearsay.NodeID) {
	if said.Code != hearsay.OutcomeRefused {
		return
	}
	for _, b := range r.seat.Barred(nil) {
		if b.ID == id {
			said.Reason, said.Text = hearsay.ReasonBarred, "barred"
			if b.Why != "" {
				said.Text = fmt.Sprintf("barred (%s)", b.Why)
				said.Text = said.Text[:min(len(said.Text), hearsay.MaxWhyLen)]
			}
		}
	}
}

// giveUp tells all that asked about a subject that nothing comes of it, or not now, unless another case has taken the
// place of the one that has ended: that decides.
func (r *requests) giveUp(e *hearsay.Event) {
	if len(r.owed) == 0 {
		return
	}
	if _, open := r.seat.Case(e.Subject); open && e.Kind == hearsay.EventCaseAborted {
		return
	}
	said := hearsay.Outcome{Code: hearsay.OutcomeWait, Text: e.Text}
	if e.Kind == hearsay.EventCaseRefused {
		said.Code = hearsay.OutcomeRefused
	}
	r.giveAll(hearsay.Stay{ID: e.Subject}, said)
}

// giveAll tells all that have asked about a node what became of it. Stay is the
// one that was admitted, if it was that.
func (r *requests) giveAll(stay hearsay.Stay, said hearsay.Outcome) {
	r.owed = slices.DeleteFunc(r.owed, func(o owed) bool {
		if o.stay.ID != stay.ID {
			return false
		}
		told := said
		if o.kind == hearsay.RulingAdmit {
			o.stay = stay
			r.explain(&told, stay.ID)
		}
		r.give(&o, told)
		return true
	})
}

// tick tells the askers that have waited for long that nothing is decided yet.
func (r *requests) tick(now time.Time) {
	late := 0
	for late < len(r.owed) && !now.Before(r.owed[late].until) {
		o := &r.owed[late]
		said := hearsay.Outcome{Code: hearsay.OutcomePending, Text: "it is being decided"}
		if _, open := r.seat.Case(o.stay.ID); !open && o.kind == hearsay.RulingAdmit {
			said.Text += ": first something must answer at its address"
		}
		r.give(o, said)
		late++
	}
	r.owed = slices.Delete(r.owed, 0, late)
}

// due is when tick must be called next, if at all before at.
func (r *requests) due(at time.Time) time.Time {
	if len(r.owed) > 0 {
		at = when.Earlier(at, r.owed[0].until)
	}
	return at
}

// receive takes what is asked of a seed.
func (r *requests) receive(now time.Time, p *core.Packet) {
	var stay hearsay.Stay
	var kind hearsay.RulingKind
	var ask func() hearsay.Outcome
	switch m := p.Body.(type) {
	case *core.Register:
		kind, stay, ask = hearsay.RulingAdmit, hearsay.Stay{ID: p.From}, func() hearsay.Outcome { return r.register(now, p) }
	case *core.Report:
		kind, stay, ask = hearsay.RulingRemove, m.Stay, func() hearsay.Outcome { return r.report(now, p.From, m) }
	case *core.Depart:
		kind, stay, ask = hearsay.RulingLeave, m.Leave.Stay, func() hearsay.Outcome { return r.seat.Leave(now, &m.Leave) }
	}
	switch {
	case !p.Stream: // anybody could forge where a datagram came from
		r.stats.Drops[hearsay.DropUnexpected]++
	case kind == hearsay.RulingAdmit && (len(p.Claims) == 0 || p.Claims[0].Subject != p.From):
		r.stats.Drops[hearsay.DropMalformed]++
	case !r.asks.Take(now, r.sender(p), 1):
		r.stats.Drops[hearsay.DropRate]++
		r.answer(now, p.Addr, kind, stay, hearsay.Outcome{Code: hearsay.OutcomeWait, Text: "too much is asked from there at once; try again"})
	default:
		r.answer(now, p.Addr, kind, stay, ask())
	}
}

// report takes what a member reports of another. What is not signed by a member counts if a majority of observers has
// signed it: evidence by another rule may be without any statement, and anybody can make that.
func (r *requests) report(now time.Time, from hearsay.NodeID, m *core.Report) hearsay.Outcome {
	report := quorum.Report{Stay: m.Stay, Evidence: m.Evidence}
	if member, in := r.seat.Member(from); in && m.Verify(r.seat.Ledger(), r.signer, member.Claim.Card.Key) {
		report.By = from
	}
	if report.By.IsZero() && (report.Evidence == nil || report.Evidence.Rule != hearsay.RuleMajority) {
		r.stats.Drops[hearsay.DropUnproven]++
		return hearsay.Outcome{Code: hearsay.OutcomeRefused, Text: "no member has signed it, and it brings no word of a majority of observers"}
	}
	return r.seat.Report(now, &report)
}

// register takes a request for admission: of a node that is where it asks from.
func (r *requests) register(now time.Time, p *core.Packet) (answer hearsay.Outcome) {
	claim := p.Claims[0]
	if from, says := p.Addr.Addr().Unmap(), claim.Card.Addr.Addr().Unmap(); from != says {
		answer = hearsay.Outcome{Code: hearsay.OutcomeRefused, Reason: hearsay.ReasonElsewhere, Text: fmt.Sprintf("asks from %s and says that it is at %s", from, says)}
	} else {
		answer = r.seat.Admit(now, &claim)
		r.explain(&answer, claim.Subject)
	}
	if answer.Code == hearsay.OutcomeRefused {
		r.turnAway(now, &claim, answer.Text, answer.Reason)
	}
	return answer
}

// turnAwaySilent tells the nodes that asked to be in, and did not answer at their
// address, that it is so.
func (r *requests) turnAwaySilent(now time.Time) {
	silent := r.seat.Silent()
	for i := range silent {
		c := &silent[i].Claim
		if !silent[i].Yielded { // a crowd may have that so often that to tell of each would be work
			r.turnAway(now, c, silent[i].Why, 0)
		}
		r.giveAll(hearsay.Stay{ID: c.Subject}, hearsay.Outcome{Code: hearsay.OutcomeWait, Text: silent[i].Why})
	}
}

// turnAway tells that a node may not even have a case, and why. A claim that
// nobody signed is nobody's, but for a guest's, which has no key.
func (r *requests) turnAway(now time.Time, c *hearsay.Claim, why string, reason hearsay.Reason) {
	guest := c.Bare() && core.GuestDialect(r.network, c.Card.Addr, c.Subject) != 0
	if !guest && !c.Verify(r.network, r.signer) || hearsay.CheckName(c.Card.Name) != nil {
		return
	}
	e := hearsay.Event{
		At: now, Kind: hearsay.EventTurnedAway, Subject: c.Subject, Name: c.Card.Name, Addr: c.Card.Addr, Incarnation: c.Incarnation, Text: why, Reason: reason,
	}
	if now.Sub(r.turnedAt) >= turnedEvery {
		r.turnedAt, r.turned = now, 0
	}
	if r.turned++; r.turned > maxTurned {
		r.cases.Note(e)
		return
	}
	r.out.Events = append(r.out.Events, e)
}
