package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ring"
	"hearsay/testkit"
	"hearsay/wire"
)

// Old words, words in another's name, and members that nobody is.

// recording is what a listener heard.
type recording struct {
	bytes []byte
	from  int // machine
}

// recordings a listener keeps, and how many it plays at a step.
const (
	recordingsKept = 1 << 14
	playedAtOnce   = 50
)

// layReplay lets liars record all that comes to them while one member dies and
// comes back and another is frozen for a while, and later say all of it
// again, to everybody, from its senders' addresses and from their own.
func layReplay(t *trial) {
	var s *siege
	var tape []recording
	s = t.newSiege(0, nil, &twist{takes: func(w *World, _ *machine, p *core.Packet) bool {
		from, found := w.network.machineAt(p.Addr)
		if found && !p.Stream && len(tape) < recordingsKept && !s.begun {
			tape = append(tape, recording{wire.AppendPacket(nil, w.id, p), int(from)})
		}
		return true
	}})
	twice := s.hearTwice()
	s.run(6*time.Second, siegeStep, nil) // all have started
	victims := s.random.Perm(s.nodes)
	killed, frozen := s.honestOf(victims, 0), s.honestOf(victims, 1)
	s.w.Do(Action{Verb: Kill, Who: []int{killed + 1}})
	s.w.Do(Action{Verb: Pause, Who: []int{frozen + 1}})
	chatter := func() { s.w.say(&s.w.machines[s.someone()], 0) }
	s.run(6*time.Second, siegeStep, chatter)
	s.w.Do(Action{Verb: Restart, Who: []int{killed + 1}})
	s.w.Do(Action{Verb: Resume, Who: []int{frozen + 1}})
	s.run(6*time.Second, siegeStep, chatter)
	old := s.truce()
	s.forget()
	s.begun = true
	s.run(siegeLasts, siegeStep, func() {
		s.talk()
		for range playedAtOnce * len(s.liars) {
			one := &tape[s.random.IntN(len(tape))]
			source := one.from
			if s.random.IntN(2) == 0 {
				source = s.liars[s.random.IntN(len(s.liars))]
			}
			s.replay(source, s.someone(), one.bytes)
		}
	})
	s.begun = false
	t.mean("recorded_packets", float64(len(tape)))
	t.mean("replayed_packets_s", playedAtOnce*float64(len(s.liars))/siegeStep.Seconds())
	t.membership(s, s.truce())
	t.most("rumors_heard_twice", float64(*twice))
	t.drops(s, hearsay.DropUnexpected, hearsay.DropRate)
	t.claim(old < siegeTruce, "the network was not well before the attack")
	t.claim(s.deaths == 0, "an old word buried somebody")
	t.claim(*twice == 0, "an old rumor was delivered again")
	t.succeeded = s.deaths > 0 || *twice > 0
}

// honestOf gives the n-th honest one of a list.
func (s *siege) honestOf(list []int, n int) int {
	for _, i := range list {
		if !s.lying[i] {
			if n == 0 {
				return i
			}
			n--
		}
	}
	panic("sim: not so many honest members")
}

// hearTwice counts rumors that a life of an honest node is told again.
func (s *siege) hearTwice() *int {
	twice := new(int)
	type hearing struct {
		machine, life int32
		origin        hearsay.NodeID
		number        uint64
	}
	heard := make(map[hearing]bool)
	s.events = func(m *machine, e *hearsay.Event) {
		if e.Kind != hearsay.EventRumor {
			return
		}
		this := hearing{m.index, m.life, e.Subject, e.Rumor.ID.Counter}
		if heard[this] {
			*twice++
		}
		heard[this] = true
	}
	return twice
}

// drops tells what honest nodes dropped, for these reasons.
func (t *trial) drops(s *siege, reasons ...hearsay.Drop) {
	for _, reason := range reasons {
		sum := uint64(0)
		for i := range s.w.machines {
			if s.present(i) {
				sum += s.w.machines[i].node.Stats().Drops[reason]
			}
		}
		t.mean("dropped_"+dropKey(reason), float64(sum))
	}
}

func dropKey(d hearsay.Drop) string {
	b := []byte(d.String())
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}

// layForged lets liars say, in the name of others and with keys of their own,
// what only the others may say, and of themselves what is too far ahead.
func layForged(t *trial) {
	f := &forger{}
	f.siege = t.newSiege(0, nil, &twist{takes: f.takes})
	raised := make([]hearsay.Incarnation, t.attack.Nodes)
	f.run(siegeBegins, siegeStep, nil)
	for i := range raised {
		raised[i] = f.incarnationOf(i)
	}
	before := f.traffic()
	f.besiege(f.forge)
	t.load(f.siege, before)
	t.membership(f.siege, f.truce())
	ahead, most := 0, 0.0
	for i := range raised {
		if !f.present(i) {
			continue
		}
		for _, one := range f.known(i) {
			if own := f.incarnationOf(f.honestAt(one.ID)); one.Incarnation > own {
				ahead++
			}
		}
		most = max(most, float64(f.w.machines[i].node.Stats().Refutations))
	}
	t.most("incarnations_believed_ahead", float64(ahead))
	t.most("refutations_of_one_per_s", most/siegeLasts.Seconds())
	t.drops(f.siege, hearsay.DropBadSignature, hearsay.DropFarFuture, hearsay.DropUnproven, hearsay.DropRate)
	t.succeeded = f.deaths > 0 || ahead > 0
	t.claim(f.deaths == 0, "a forged word buried somebody, or had it leave")
	t.claim(ahead == 0, "an incarnation is believed that its member never had")
	t.claim(most/siegeLasts.Seconds() <= 6, "forged words made a member refute %s times a second", figure(most/siegeLasts.Seconds()))
}

// forger says what only others may say.
type forger struct {
	*siege
	proofs []*hearsay.Evidence
}

// takes serves evidence that is forged.
func (f *forger) takes(w *World, m *machine, p *core.Packet) bool {
	request, ok := p.Body.(*core.EvidenceReq)
	if !ok || !f.begun {
		return true
	}
	for _, e := range f.proofs {
		if e.Hash(w.id) == request.Hash {
			f.inject(int(m.index), m.id, p.Addr, &core.Evidence{Evidence: e})
			return false
		}
	}
	return true
}

// forge has each liar forge all there is of one victim, and tell it.
func (f *forger) forge() {
	const told, kept = 4, 64
	for _, liar := range f.liars {
		victim := f.someone()
		claims := f.forgeries(liar, victim)
		f.proofs = f.proofs[max(0, len(f.proofs)-kept):]
		for range told {
			f.inject(liar, f.w.machines[liar].id, f.addr(f.someone()), &core.News{}, claims...)
		}
	}
}

// forgeries are claims about a victim, and about the liar itself.
func (f *forger) forgeries(liar, victim int) []hearsay.Claim {
	const day = 24 * time.Hour
	self, own := f.w.machines[victim].node.Self(), f.identityOf(liar)
	ahead := self.Incarnation + 1000
	card := hearsay.Card{Key: f.identityOf(victim).Public(), Name: self.Name, Addr: f.addr(liar), Role: self.Role}
	claim := hearsay.Claim{Subject: self.ID, State: hearsay.StateAlive, Incarnation: ahead, Card: card}
	forged := func(state hearsay.State, incarnation hearsay.Incarnation) hearsay.Claim {
		c := claim
		c.State, c.Incarnation = state, incarnation
		c.Card.Signature = own.Sign(c.AppendSigned(nil, f.w.id)) // by the wrong key
		return c
	}
	own2 := hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.MaxIncarnation + 1}
	own2.Card = hearsay.Card{Name: f.w.machines[liar].name, Addr: f.addr(liar), Role: hearsay.RolePeer}
	own2.Sign(f.w.id, own)
	e := f.forgedEvidence(liar, victim, self.Incarnation)
	bareAhead := f.suspect(liar, self.ID, ahead)
	return []hearsay.Claim{
		forged(hearsay.StateAlive, ahead),
		forged(hearsay.StateLeft, self.Incarnation),
		forged(hearsay.StateAlive, hearsay.Incarnation(f.time().Add(2*day).UnixMilli())),
		bareAhead, own2, f.dead(liar, e),
		{Subject: self.ID, State: hearsay.StateDead, Incarnation: self.Incarnation, By: f.w.machines[liar].id},
		{Subject: self.ID, State: hearsay.StateDead, Incarnation: ahead, By: f.w.machines[liar].id, Evidence: e.Hash(f.w.id)},
	}
}

// forgedEvidence has all observers of the victim say that it is dead, signed
// by the liar.
func (f *forger) forgedEvidence(liar, victim int, incarnation hearsay.Incarnation) *hearsay.Evidence {
	ids := make([]hearsay.NodeID, 0, f.nodes)
	for i := range f.nodes {
		ids = append(ids, f.w.machines[i].id)
	}
	var said []hearsay.Statement
	round := hearsay.Round(f.random.Uint64())
	for _, observer := range ring.Observers(nil, ids[victim], ring.Of(ids), f.w.config.Roster.Observers) {
		one := f.statement(liar, ids[victim], incarnation, round, hearsay.VerdictUnreachable)
		one.Observer = observer
		said = append(said, *one)
	}
	e := f.charge(liar, hearsay.RuleMajority, said)
	f.proofs = append(f.proofs, e)
	return e
}

// puppets are identities that one machine makes up, and answers for.
type puppets struct {
	*siege
	at     int // machine
	all    []puppet
	proofs map[hearsay.Hash]*hearsay.Evidence
}

type puppet struct {
	id     hearsay.NodeID
	signer *testkit.Signer
	claim  hearsay.Claim
}

// firstPuppet is the number of the first machine that is none.
const firstPuppet = 1_000_000

// invent makes up one identity; the same number gives the same.
func (p *puppets) invent(number int) puppet {
	key := testkit.NewSigner(p.w.config.Seed, firstPuppet+number, 1)
	one := puppet{id: key.Public().NodeID(), signer: key}
	one.claim = hearsay.Claim{State: hearsay.StateAlive, Incarnation: hearsay.Incarnation(p.time().UnixMilli())}
	one.claim.Card = hearsay.Card{Name: "p" + one.id.Short(), Addr: p.addr(p.at), Role: hearsay.RolePeer}
	one.claim.Sign(p.w.id, key)
	return one
}

func (p *puppets) has(id hearsay.NodeID) bool {
	for i := range p.all {
		if p.all[i].id == id {
			return true
		}
	}
	return false
}

// meant gives the puppet that a ping is for.
func (p *puppets) meant(ping *core.Ping) (id hearsay.NodeID, ok bool) {
	for i := range p.all {
		if ping.Names(p.all[i].id) {
			return p.all[i].id, true
		}
	}
	return id, false
}

// takes answers for the puppets.
func (p *puppets) takes(_ *World, m *machine, packet *core.Packet) bool {
	answer := func(from hearsay.NodeID, body core.Message) {
		reply := core.Packet{From: from, Addr: packet.Addr, Stream: packet.Stream, Body: body}
		p.injectPacket(int(m.index), &reply)
	}
	switch body := packet.Body.(type) {
	case *core.Ping:
		if id, ok := p.meant(body); ok {
			answer(id, &core.Ack{Seq: body.Seq})
			return false
		}
	case *core.EvidenceReq:
		if e := p.proofs[body.Hash]; e != nil {
			answer(m.id, &core.Evidence{Evidence: e})
			return false
		}
	}
	return true
}

// laySybil has one member make up identities until a majority of a victim's
// observers is its own, and bury it again and again.
func laySybil(t *trial) {
	p := &puppets{proofs: make(map[hearsay.Hash]*hearsay.Evidence)}
	p.siege = t.newSiege(0, nil, &twist{takes: p.takes})
	p.at, p.invents = p.liars[0], true
	p.run(siegeBegins, siegeStep, nil)
	victim := p.someone()
	tried := p.grind(t, victim)
	for i := range p.all {
		for range 3 {
			to := &p.w.machines[p.someone()]
			p.inject(p.at, p.all[i].id, to.addr, naming(to), p.all[i].claim)
		}
	}
	p.run(3*time.Second, siegeStep, nil)
	c := &conspiracy{victim: victim, speaker: p.at}
	c.siege, c.proofs = p.siege, p.proofs
	for i := range p.all {
		c.signers = append(c.signers, p.all[i].signer)
	}
	p.begun = true
	p.run(siegeLasts, siegeStep, c.bury)
	p.begun = false
	t.mean("identities_made_up", float64(len(p.all)))
	t.mean("keys_tried", float64(tried))
	truth := p.truce()
	p.settleAll()
	t.mean("victim_dead_share", p.deadFor.Seconds()/float64(p.honest()-1)/siegeLasts.Seconds())
	t.most("wrongly_dead_on_nodes", float64(p.deadMost))
	t.most("wrongly_dead_longest_s", p.deadLongest.Seconds())
	t.most("truth_back_s", truth.Seconds())
	t.lawful(p.siege)
	t.succeeded = p.deaths > 0
	t.claim(truth < siegeTruce, "a minute after the attack the truth is not back")
}

// grind tries keys until a majority of the victim's observers are puppets, and
// gives how many it tried. Where members are few, more of them have more
// observers.
func (p *puppets) grind(t *trial, victim int) (tried int) {
	const enough = 1 << 20
	ids := t.ids()
	observers := func(ids []hearsay.NodeID) int { return min(p.w.config.Roster.Observers, len(ids)-1) }
	own := 0
	for tried = 0; own < observers(ids)/2+1 && tried < enough; tried++ {
		one := p.invent(tried)
		with := append(ids, one.id)
		mine := 0
		for _, id := range ring.Observers(nil, ids[victim], ring.Of(with), observers(with)) {
			if p.has(id) || id == one.id {
				mine++
			}
		}
		if mine > own {
			own, ids = mine, with
			p.all = append(p.all, one)
		}
	}
	return tried
}
