package node

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/casebook"
	"hearsay/detect"
	"hearsay/internal/when"
	"hearsay/quorum"
	"hearsay/roster"
)

// This file gathers what this node knows of a member, for its case file.

// Facts gives what this node knows of a member, given by name, NodeID or the beginning of its NodeID. A name of nobody
// gives facts that say so; a name of several is an error that lists them. The caller may keep them.
func (n *Node) Facts(now time.Time, name string) (*casebook.Facts, error) {
	f := &casebook.Facts{
		Now: now, Teller: n.Self(), Names: make(map[hearsay.NodeID]string), Answered: n.silent.last, Blind: n.blind(),
		ForgetAfter: n.cfg.Roster.ForgetAfter, DeadHold: n.cfg.Roster.DeadHold, RoundEvery: n.cfg.Roster.RoundEvery, Period: n.cfg.Detect.Longest(),
	}
	g := gatherer{
		cfg: &n.cfg, id: n.id, roster: n.roster, detect: n.detect, ways: &n.ways, deaf: n.deaf.is, cases: &n.cases, seeded: &n.seeded, rulings: &n.rulings,
	}
	found := n.finder.meant(name)
	switch len(found) {
	case 0:
		f.Unknown, f.Member.Name = true, name
		if len(name) < idDigitsMin && isHex(name) {
			f.NeedsDigits = idDigitsMin
		}
	case 1:
		f.Member = found[0]
		g.memberFacts(f)
	default:
		return nil, ambiguous(name, found)
	}
	if n.seeded.authority != nil {
		f.Seeded = g.seededFacts(f)
	}
	if !f.Unknown {
		f.Bearer = g.bearer(f.Member.ID, f.Member.Name)
	}
	g.nameFacts(f)
	return f, nil
}

// blind gathers what keeps from this node what happens elsewhere.
func (n *Node) blind() (b casebook.Blind) {
	if heard := &n.silent.heard; heard.told {
		b.Unheard = heard.last
	}
	if answered := &n.silent.answered; answered.told {
		b.Unanswered = answered.last
	}
	b.Streamless = lostSince(n.ways.streams, n.id)
	s := &n.seeded
	switch {
	case s.seat != nil:
		b.NoQuorum = s.seat.LostSince()
	case s.quorumLost:
		b.NoQuorum = s.quorumGone
	}
	if s.follower != nil && !s.follower.AnsweredAt().IsZero() { // that something is lost is found out later
		b.Streamless = when.Earlier(b.Streamless, s.follower.AnsweredAt())
		b.NoQuorum = when.Earlier(b.NoQuorum, s.follower.AnsweredAt())
	}
	return b
}

// gatherer gathers facts from the parts that have them.
type gatherer struct {
	cfg     *Config
	id      hearsay.NodeID
	roster  *roster.Roster
	detect  *detect.Detector
	ways    *ways
	deaf    bool // no datagrams come to this node
	cases   *casebook.Book
	seeded  *Seeded
	rulings *rulings
}

// memberFacts gathers what both kinds of networks have.
func (g *gatherer) memberFacts(f *casebook.Facts) {
	id := f.Member.ID
	if listed, is := g.roster.Member(id); is {
		if f.Held = listed.State; listed.Name != f.Member.Name {
			f.Former, f.Member = f.Member.Name, listed
		}
	}
	f.Met, f.Events, f.Evidence = g.roster.Met(id), g.cases.All(id), g.roster.EvidenceOf(id)
	f.Away, _ = g.roster.IsAway(id)
	if id != g.id {
		addr, listed := g.roster.Addr(id)
		f.Way.Streamed = listed && (g.deaf || g.detect.IsStreamed(addr))
		if g.roster.Trusted(id) { // of others nothing may come at all
			f.Way.Streamless, f.Way.Narrow = lostSince(g.ways.streams, id), lostSince(g.ways.narrow, id)
		}
		g.detect.EachIndirect(f.Now, func(one hearsay.NodeID, since time.Time) {
			if one == id {
				f.Way.Indirect = since
			}
		})
	}
	s, _ := g.roster.Suspicion(id)
	f.Suspect = casebook.Suspicion{Observers: len(s.Observers), Majority: s.Majority, RunsOut: s.RunsOut, OwnRunsOut: s.OwnRunsOut}
	for _, observer := range s.Observers {
		if m, known := g.roster.Member(observer); observer == g.id || known && m.State == hearsay.StateAlive && m.AwayUntil.IsZero() {
			f.Suspect.Alive++
		}
	}
}

// seededFacts gathers what a seeded network has besides.
func (g *gatherer) seededFacts(f *casebook.Facts) *casebook.Seeded {
	s, a, id := g.seeded, g.seeded.Authority(), f.Member.ID
	facts := &casebook.Seeded{
		Seats: s.authority.Seats(nil), Oldest: s.authority.Oldest(), Epoch: s.authority.Epoch(), Ready: a.Ready, Why: a.Why,
		Since: g.seeded.quorumSince(), Backs: slices.Clone(g.rulings.backs), AtSeed: s.seat != nil, Leaves: g.roster.HasLeft(),
	}
	facts.ClockOff = s.clockOff(f.Now)
	g.seeded.isSeed(id) // looks which nodes have the seats
	facts.Seated = slices.Clone(s.sitting)
	for slot, seed := range g.seeded.seeds() {
		facts.Seeds, facts.Clocks = append(facts.Seeds, seed.Addr), append(facts.Clocks, s.clockOf(f.Now, slot))
		if status := &a.Seeds[slot]; status.ID == id {
			facts.Heard, facts.Other = s.heardAt(slot)
			if !status.Silent.IsZero() {
				facts.Silent = status
			}
		}
	}
	for _, m := range byName(g.roster, nil) {
		if m.Role == hearsay.RoleSeed {
			facts.Listed = append(facts.Listed, m)
		}
	}
	for r := range g.seeded.ledger() {
		if len(r.Seats) > 0 || r.Kind == hearsay.RulingRecover {
			facts.SeatRulings = append(facts.SeatRulings, r)
		}
		if r.Stay.ID == id && !f.Unknown {
			facts.Rulings = append(facts.Rulings, casebook.Ruling{Ruling: r, Brought: g.broughtBefore(r, f.Events)})
		}
	}
	if s.seat != nil {
		g.seatFacts(f, facts)
	} else {
		g.peerFacts(f, facts)
	}
	return facts
}

// clockOff is how far this node's clock is ahead of those of a quorum of seeds, or behind where it is negative; 0: it
// is not, as far as is known.
func (s *Seeded) clockOff(now time.Time) time.Duration {
	if s.seat != nil {
		return s.seat.ClockOff()
	}
	return s.follower.ClockOff(now)
}

// clockOf tells how the clock of the seed in a slot differs, as it shows it now.
func (s *Seeded) clockOf(now time.Time, slot int) (c casebook.Clock) {
	if s.seat != nil {
		c.Ahead, c.OfQuorum = s.seat.ClockOf(slot)
	} else {
		c.Ahead, c.OfQuorum = s.follower.ClockOf(now, slot)
	}
	return c
}

// heardAt is when this node heard the seed in a slot last by stream; zero: not in this life, or something else has
// answered a peer there since, last then.
func (s *Seeded) heardAt(slot int) (seed, other time.Time) {
	if s.seat != nil {
		return s.seat.HeardAt(slot), other
	}
	return s.follower.HeardAt(slot)
}

// bearer gives the node that had the name of a member before it.
func (g *gatherer) bearer(id hearsay.NodeID, name string) (last casebook.Bearer) {
	found := make(map[hearsay.NodeID]casebook.Bearer)
	bore := make(map[hearsay.NodeID]bool) // the name, as the roster has it now or a ruling has let it in
	for _, m := range g.roster.All(nil) {
		if m.Name != name {
			continue
		}
		if bore[m.ID] = true; !m.State.Living() {
			found[m.ID] = casebook.Bearer{ID: m.ID, Until: m.Since, State: m.State}
		}
	}
	if g.seeded.authority != nil {
		for r := range g.seeded.ledger() {
			switch one := r.Stay.ID; r.Kind {
			case hearsay.RulingAdmit:
				bore[one] = bore[one] || r.Claim.Card.Name == name
				delete(found, one)
			case hearsay.RulingRemove, hearsay.RulingLeave:
				if !bore[one] {
					continue
				}
				b := casebook.Bearer{ID: one, Until: casebook.Moment(r.At), Epoch: r.Epoch, State: hearsay.StateDead}
				if r.Kind == hearsay.RulingLeave {
					b.State = hearsay.StateLeft
				}
				found[one] = b
			}
		}
	}
	delete(found, id)
	for _, b := range found { // order does not matter: the newest is one, and equal times are told apart by the id
		if newer := cmp.Or(b.Until.Compare(last.Until), b.ID.Compare(last.ID)); newer > 0 {
			last = b
		}
	}
	last.More = max(0, len(found)-1)
	return last
}

// seatFacts gathers what only a seed knows.
func (g *gatherer) seatFacts(f *casebook.Facts, facts *casebook.Seeded) {
	seat, id := g.seeded.seat, f.Member.ID
	facts.Founding, facts.Abstaining, facts.Timing = seat.Founding(), seat.Abstaining(id), timing(&g.cfg.Quorum)
	for _, b := range seat.Barred(nil) {
		if b.ID == id {
			facts.Bar = &b
		}
	}
	if c, open := seat.Case(id); open {
		facts.Open = &casebook.Case{ID: c.ID, Rule: c.Rule, Needed: c.Needed, Expires: c.Expires}
		for i := range c.Ballots {
			if c.Ballots[i].Verdict == hearsay.BallotYes {
				facts.Open.Yes++
			}
		}
	}
	if silence, silent := seat.Silence(f.Now, id); silent {
		facts.Silence = &casebook.Silence{Since: silence.Since, After: silence.After, From: silence.From, Vain: silence.Vain, Freed: silence.Freed, By: silence.By}
		if since := g.detect.IndirectSince(id); !since.IsZero() { // probes of two kinds have shown it: it is one silence
			facts.Silence.Since = when.Earlier(since, silence.Since)
			if silence.From.Equal(silence.Since) {
				facts.Silence.From = facts.Silence.Since
			}
		}
	}
}

// peerFacts gathers what only a peer knows.
func (g *gatherer) peerFacts(f *casebook.Facts, facts *casebook.Seeded) {
	s, defaults := g.seeded, quorum.DefaultConfig()
	facts.Timing = timing(&defaults)
	facts.Timing.Assumed = true
	facts.Outside, facts.Apart, facts.Answers = s.stay.Epoch == 0, s.follower.Apart(), g.seeded.Answers()
	if u, is := s.petitions.InVain(f.Member.ID); is {
		u.Name = g.roster.Name(u.ID)
		facts.Untaken = &u
	}
}

func timing(c *quorum.Config) casebook.Timing {
	return casebook.Timing{Trial: c.Trial, ShortTrial: c.ShortTrial, SilentFor: c.SilentFor, AdmitTimeout: c.AdmitTimeout, ReportPause: c.ReportPause}
}

// broughtBefore gives the evidence of a ruling, if it is here.
func (g *gatherer) broughtBefore(r *hearsay.Ruling, events []hearsay.Event) *hearsay.Evidence {
	if r.Evidence.IsZero() {
		return nil
	}
	if seat := g.seeded.seat; seat != nil {
		if e := seat.EvidenceOf(r.Epoch); e != nil {
			return e
		}
	}
	for i := range events {
		if e := events[i].Evidence; e != nil && e.Hash(g.cfg.Network) == r.Evidence {
			return e
		}
	}
	return g.roster.Evidence(r.Evidence)
}

// nameFacts gives the names of all that facts refer to by their NodeID.
func (g *gatherer) nameFacts(f *casebook.Facts) {
	name := func(id hearsay.NodeID) {
		if m, listed := g.roster.Member(id); listed {
			f.Names[id] = m.Name
		}
	}
	evidence := func(e *hearsay.Evidence) {
		if e == nil {
			return
		}
		name(e.Accuser)
		name(e.Subject)
		for i := range e.Statements {
			name(e.Statements[i].Observer)
		}
	}
	name(f.Member.ID)
	for i := range f.Events {
		name(f.Events[i].By)
		evidence(f.Events[i].Evidence)
	}
	evidence(f.Evidence)
	if f.Seeded == nil {
		return
	}
	for _, r := range f.Seeded.Rulings {
		evidence(r.Brought)
	}
	seats := slices.Concat(f.Seeded.Seats, f.Seeded.Founding)
	for _, r := range f.Seeded.SeatRulings {
		seats = append(seats, r.Seats...)
	}
	for i := range seats {
		if !seats[i].Key.IsZero() {
			name(seats[i].Key.NodeID())
		}
	}
}
