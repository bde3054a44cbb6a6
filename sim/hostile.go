package sim

import (
	"math/rand/v2"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// This file makes members of drawn worlds with seeds lie while the storm lasts.
// Whatever they say, no member that is well is removed: the seeds, which are honest,
// probe for themselves.

// liesEachTime is how often a hostile member lies without being asked.
const liesEachTime = 500 * time.Millisecond

// hostile is one of them: it says of the living that it does not reach them, and
// of the dead that it does, suspects others, and reports them by what it signs
// itself. It says again that others are away, long after they were, and of itself at all times.
type hostile struct {
	random *rand.Rand
	next   time.Duration
	words  []core.Away // that it has heard
}

// bendHostile makes so many peers hostile as the configuration says: n2 and those
// that follow.
func (w *World) bendHostile() {
	for i := range w.config.Hostile {
		stream := draws(w.config.Seed, purposeHostile, uint64(i))
		h := &hostile{random: rand.New(&stream), next: stormBegins}
		w.bend(i+2, &twist{unjudged: true, takes: h.takes, steps: h.steps})
	}
}

func (h *hostile) lies(w *World) bool { return w.now >= stormBegins && w.now < stormEnds }

// takes answers what its node is asked about others.
func (h *hostile) takes(w *World, m *machine, p *core.Packet) bool {
	if !h.lies(w) {
		return true
	}
	switch body := p.Body.(type) {
	case *core.WitnessReq:
		said := w.untrue(m, body.Subject, body.Incarnation, body.Round)
		w.network.send(m, &core.Packet{Addr: p.Addr, Body: &core.Statement{Statement: said}})
	case *core.RelayReq:
		w.network.send(m, &core.Packet{Addr: p.Addr, Body: &core.Nack{Seq: body.Seq}})
	case *core.Away:
		h.words = append(h.words, *body)
		return true
	default:
		return true
	}
	w.counts.Lies++
	return false
}

// untrue is a statement of the contrary of what is so.
func (w *World) untrue(m *machine, subject hearsay.NodeID, incarnation hearsay.Incarnation, round hearsay.Round) hearsay.Statement {
	s := hearsay.Statement{
		Observer: m.id, Subject: subject, Incarnation: incarnation, Round: round,
		Verdict: hearsay.VerdictUnreachable, At: epoch.Add(w.now).UnixMilli(),
	}
	if number, known := w.check.numbers[subject]; known && !w.check.identities[number].running {
		s.Verdict = hearsay.VerdictReachable
	}
	s.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, int(m.index)+1, m.disks))
	return s
}

// steps adds lies that nobody has asked for.
func (h *hostile) steps(w *World, m *machine, e *core.Effects) {
	if !h.lies(w) || w.now < h.next {
		return
	}
	h.next = w.now + liesEachTime
	one := &w.machines[h.random.IntN(w.config.Nodes)]
	to := &w.machines[h.random.IntN(len(w.machines))]
	seed := &w.machines[w.config.Nodes+h.random.IntN(w.config.Seeds)]
	last := w.check.ledger.last(one.id)
	if one == m || to == m || last == nil {
		return
	}
	incarnation := w.check.identities[one.identity].claimed
	e.Now = append(e.Now, core.Packet{Addr: to.addr, Body: &core.News{}, Claims: []hearsay.Claim{
		{Subject: one.id, State: hearsay.StateSuspect, Incarnation: incarnation, By: m.id},
	}})
	round := hearsay.Round(h.random.Uint64())
	report := &core.Report{Stay: hearsay.Stay{ID: one.id, Epoch: last.began}, Evidence: &hearsay.Evidence{
		Subject: one.id, Incarnation: incarnation, Round: round, Rule: hearsay.RuleMajority, Accuser: m.id,
		Suspected: epoch.Add(w.now - 5*time.Second).UnixMilli(), Condemned: epoch.Add(w.now).UnixMilli(),
		Observers: 1, Needed: 1, Statements: []hearsay.Statement{w.untrue(m, one.id, incarnation, round)},
	}}
	report.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, int(m.index)+1, m.disks))
	e.Now = append(e.Now, core.Packet{Addr: seed.addr, Stream: true, Body: report})
	h.saysAway(w, m, e, to)
	w.counts.Lies++
}

// saysAway adds its own word that it is away, though it is not, and one that it has heard.
func (h *hostile) saysAway(w *World, m *machine, e *core.Effects, to *machine) {
	if last := w.check.ledger.last(m.id); last != nil {
		own := core.Away{Stay: hearsay.Stay{ID: m.id, Epoch: last.began}, Incarnation: w.check.identities[m.identity].claimed, Left: core.AwayFor}
		own.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, int(m.index)+1, m.disks))
		e.Now = append(e.Now, core.Packet{Addr: to.addr, Body: &own})
	}
	if len(h.words) > 0 {
		word := h.words[h.random.IntN(len(h.words))]
		e.Now = append(e.Now, core.Packet{Addr: to.addr, Body: &word})
	}
}
