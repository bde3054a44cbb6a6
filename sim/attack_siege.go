package sim

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ring"
	"hearsay/testkit"
	"hearsay/wire"
)

// The course of a siege, in virtual time.
const (
	siegeBegins = 15 * time.Second // by then all have started and agree
	siegeLasts  = 30 * time.Second
	siegeTruce  = 60 * time.Second // at most, until the truth is back
	siegeStep   = 100 * time.Millisecond
	rumorGrace  = 10 * time.Second // until neighbors have compared
	never       = 1000 * time.Hour // when what a siege starts itself is planned
)

// siege is one world under attack. It looks at what honest nodes hold of
// honest members that are there.
type siege struct {
	w      *World
	nodes  int // members; machines beyond are an outsider's, or start late, and then there are the seeds
	liars  []int
	lying  []bool // by machine
	random *rand.Rand
	begun  bool // liars lie

	held     []holding // by holder and subject
	events   func(m *machine, e *hearsay.Event)
	invents  bool // there are members that no machine is
	injected uint64
	broken   []Violation

	suspicions, deaths int
	suspectFor         time.Duration // summed over holders and subjects
	deadFor            time.Duration
	deadLongest        time.Duration
	latest             time.Duration // delivery of a rumor
	deadNow            []int         // holders, by subject
	deadMost           int           // holders of one subject's death at a time
	victims            []bool
	// of them, buried by a node that held no other victim dead: others keep their observers there
	first []bool
}

// holding is what an honest node holds of another against the truth.
type holding struct {
	state hearsay.State // 0: alive
	since time.Duration
}

// newSiege makes a world of the trial's members and some machines besides,
// which do not start by themselves. Liars are drawn unless they are given, as
// indexes. twisted is the twist of liars.
func (t *trial) newSiege(besides int, liars []int, twisted *twist) *siege {
	config := DefaultConfig()
	config.Seed, config.Nodes, config.Seeds = t.seed, t.attack.Nodes+besides, t.attack.seeds(t.kind)
	if t.attack.weaken != nil {
		t.attack.weaken(&config)
	}
	stream := draws(t.seed, purposeAttack)
	all := config.Nodes + config.Seeds
	s := &siege{
		w: NewWorld(config, nil), nodes: t.attack.Nodes, random: rand.New(&stream),
		held: make([]holding, all*all), lying: make([]bool, all),
		deadNow: make([]int, all), victims: make([]bool, all), first: make([]bool, all),
	}
	if liars == nil {
		liars = s.random.Perm(s.nodes)[:t.liars]
	}
	s.liars = liars
	for _, i := range liars {
		s.lying[i] = true
	}
	plan := &Scenario{}
	for i := range s.w.machines {
		switch {
		case s.lying[i]:
			twisted.unjudged = true
			s.w.bend(i+1, twisted)
		default:
			s.w.bend(i+1, &twist{steps: s.look})
		}
		if i >= s.nodes && i < config.Nodes {
			plan.Actions = append(plan.Actions, Action{At: never, Verb: Start, Who: []int{i + 1}})
		}
	}
	s.w.Follow(plan)
	return s
}

// run lets the world go on, and calls turn, if it is set, at every step.
func (s *siege) run(lasts, step time.Duration, turn func()) {
	for end := s.w.now + lasts; s.w.now < end; {
		if turn != nil {
			turn()
		}
		s.w.RunUntil(min(end, s.w.now+step))
		s.judge()
	}
}

// judge keeps what the checker found that no lie excuses: an attack may make
// honest nodes believe what is not so, but not forget what they said.
func (s *siege) judge() {
	c := s.w.check
	for i := range c.violations {
		switch v := &c.violations[i]; v.Rule {
		case RuleIncarnation, RuleReturn, RuleProgress, RuleBatch:
			s.broken = append(s.broken, *v)
		case RuleBounds:
			if !s.invents {
				s.broken = append(s.broken, *v)
			}
		}
	}
	c.violations = c.violations[:0]
}

// besiege lets all start and agree, lets the attack go on while members talk,
// and ends it. turn is called at every step.
func (s *siege) besiege(turn func()) {
	s.run(siegeBegins-s.w.now, siegeStep, nil)
	s.begun = true
	s.run(siegeLasts, siegeStep, func() {
		s.talk()
		if turn != nil {
			turn()
		}
	})
	s.begun = false
}

// talkEvery is how often a member, each time another, says something.
const talkEvery = 100 * time.Millisecond

// talk has another honest member say something now and then.
func (s *siege) talk() {
	if s.w.now%talkEvery == 0 {
		s.w.say(&s.w.machines[s.someone()], 0)
	}
}

// hears notes how late an honest node hears what was said while it was there.
func (s *siege) hears(m *machine, e *hearsay.Event) {
	g := &s.w.check.gossip
	if number, known := g.byID[e.Rumor.ID]; known && s.w.check.views[m.index].began < g.said[number].at {
		s.latest = max(s.latest, s.w.now-g.said[number].at)
	}
}

// unheard is the share of deliveries of what honest members said that never
// came.
func (s *siege) unheard() float64 {
	g, owed, missed := &s.w.check.gossip, 0, 0
	for i := range g.said {
		one := &g.said[i]
		speaker := int(s.w.check.identities[one.identity].machine)
		if s.lying[speaker] {
			continue
		}
		for m := range s.w.machines {
			if m == speaker || !s.present(m) || s.w.isSeed(&s.w.machines[m]) {
				continue
			}
			if owed++; !s.w.check.views[m].heard.has(i) {
				missed++
			}
		}
	}
	return share(float64(missed), float64(owed))
}

// truce lets the world go on until all honest nodes hold all honest ones that
// run alive, and gives how long that took.
func (s *siege) truce() time.Duration {
	began := s.w.now
	for !s.truth() && s.w.now-began < siegeTruce {
		s.run(siegeStep, siegeStep, nil)
	}
	return s.w.now - began
}

// truth reports whether honest nodes hold honest ones for what they are.
func (s *siege) truth() bool {
	honest := 0
	for i := range s.w.machines {
		if s.present(i) {
			honest++
		}
	}
	for i := range s.w.machines {
		if !s.present(i) {
			continue
		}
		s.w.members = s.w.machines[i].node.Members(s.w.members[:0])
		alive := 0
		for j := range s.w.members {
			if one := &s.w.members[j]; one.State == hearsay.StateAlive && s.honestAt(one.ID) >= 0 {
				alive++
			}
		}
		if alive != honest {
			return false
		}
	}
	return true
}

// present reports whether a machine is honest and its process runs.
func (s *siege) present(i int) bool { return !s.lying[i] && s.w.convergence.steady(&s.w.machines[i]) }

// honestAt gives the machine of an identity, if it is honest and its process
// runs; else -1.
func (s *siege) honestAt(id hearsay.NodeID) int {
	i := int(s.w.check.machineOf(id))
	if i < 0 || !s.present(i) || s.w.machines[i].id != id {
		return -1
	}
	return i
}

// look is the twist of honest machines: it changes nothing.
func (s *siege) look(_ *World, m *machine, e *core.Effects) {
	for i := range e.Events {
		one := &e.Events[i]
		switch one.Kind {
		case hearsay.EventMemberSuspected:
			s.hold(m, one.Subject, hearsay.StateSuspect)
		case hearsay.EventMemberDead, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
			s.hold(m, one.Subject, hearsay.StateDead)
		case hearsay.EventMemberReturned, hearsay.EventMemberJoined, hearsay.EventSuspectFreed, hearsay.EventCleared:
			s.hold(m, one.Subject, 0)
		case hearsay.EventRumor:
			s.hears(m, one)
		}
		if s.events != nil {
			s.events(m, one)
		}
	}
}

// buries reports whether an event says that somebody is out.
func buries(e *hearsay.Event) bool {
	return e.Kind == hearsay.EventMemberDead || e.Kind == hearsay.EventMemberRemoved
}

// hold notes what an honest node holds of a member from now.
func (s *siege) hold(m *machine, subject hearsay.NodeID, state hearsay.State) {
	i := s.honestAt(subject)
	if i < 0 && state != 0 || i == int(m.index) {
		return // it is so
	}
	if i = int(s.w.check.machineOf(subject)); i < 0 {
		return
	}
	h := &s.held[int(m.index)*len(s.w.machines)+i]
	if h.state == state {
		return
	}
	s.settleHolding(h, i)
	h.state, h.since = state, s.w.now
	switch state {
	case hearsay.StateSuspect:
		s.suspicions++
	case hearsay.StateDead:
		s.deaths++
		s.victims[i] = true
		s.first[i] = s.first[i] || s.heldDead(int(m.index)) == 1
		s.deadNow[i]++
		s.deadMost = max(s.deadMost, s.deadNow[i])
	}
}

// heldDead counts the members that a node holds dead against the truth.
func (s *siege) heldDead(holder int) (n int) {
	all := len(s.w.machines)
	for i := range s.held[holder*all : (holder+1)*all] {
		if s.held[holder*all+i].state == hearsay.StateDead {
			n++
		}
	}
	return n
}

// settleHolding sums up what was held until now.
func (s *siege) settleHolding(h *holding, subject int) {
	lasted := s.w.now - h.since
	switch h.state {
	case hearsay.StateSuspect:
		s.suspectFor += lasted
	case hearsay.StateDead:
		s.deadFor += lasted
		s.deadLongest = max(s.deadLongest, lasted)
		s.deadNow[subject]--
	}
	h.state = 0
}

// settleAll sums up what is held still.
func (s *siege) settleAll() {
	for i := range s.held {
		s.settleHolding(&s.held[i], i%len(s.w.machines))
	}
}

// forget forgets what was held so far: the attack begins only now.
func (s *siege) forget() {
	s.suspicions, s.deaths, s.deadMost = 0, 0, 0
	s.suspectFor, s.deadFor, s.deadLongest, s.latest = 0, 0, 0, 0
	clear(s.victims)
	clear(s.first)
}

// honest is how many honest members there are.
func (s *siege) honest() int { return s.nodes - len(s.liars) }

// membership tells what the attack did to the membership of honest members,
// and claims what no attack may do to it.
func (t *trial) membership(s *siege, truth time.Duration) {
	s.settleAll()
	pairs := float64(s.honest()*(s.honest()-1)) * siegeLasts.Seconds()
	victims := 0
	for i := range s.victims {
		if s.victims[i] {
			victims++
		}
	}
	t.mean("members_wrongly_dead", float64(victims))
	t.most("wrongly_dead_on_nodes", float64(s.deadMost))
	t.most("wrongly_dead_longest_s", s.deadLongest.Seconds())
	t.mean("wrongly_dead_share", s.deadFor.Seconds()/pairs)
	t.mean("wrong_suspicions_per_node_minute", float64(s.suspicions)/float64(s.honest())/siegeLasts.Minutes())
	t.mean("wrongly_suspect_share", s.suspectFor.Seconds()/pairs)
	t.most("truth_back_s", truth.Seconds())
	s.run(rumorGrace, siegeStep, nil)
	lost := s.unheard()
	t.most("rumors_latest_s", s.latest.Seconds())
	t.mean("rumors_lost_share", lost)
	t.claim(lost == 0, "%s of what members said was not heard", percent(lost))
	t.claim(truth < siegeTruce, "a minute after the attack the truth is not back")
	t.lawful(s)
}

// lawful claims that honest nodes kept to the rules that no lie excuses.
func (t *trial) lawful(s *siege) {
	if len(s.broken) > 0 {
		t.claim(false, "%s", &s.broken[0])
	}
}

// traffic is what all nodes sent since the world began, without what the
// attacker made.
func (s *siege) traffic() float64 {
	return float64(s.w.counts.Bytes + s.w.counts.StreamBytes - s.injected)
}

// calm is the traffic of the same world without an attack, in bytes a node and
// second.
func (t *trial) calm() float64 {
	s := t.newSiege(0, []int{}, &twist{})
	s.run(siegeBegins, siegeStep, nil)
	before := s.traffic()
	s.run(siegeLasts, siegeStep, s.talk)
	return (s.traffic() - before) / float64(s.nodes) / siegeLasts.Seconds()
}

// load tells how much more the nodes had to say than without an attack, from
// what they had sent before it.
func (t *trial) load(s *siege, before float64) {
	under := (s.traffic() - before) / float64(s.nodes) / siegeLasts.Seconds()
	calm := t.calm()
	t.mean("bytes_per_node_s", under)
	t.mean("bytes_per_node_s_without", calm)
	t.mean("load_factor", under/calm)
	if s.injected > 0 {
		t.mean("liars_bytes_s", float64(s.injected)/siegeLasts.Seconds())
		t.mean("bytes_caused_per_byte", (under-calm)*float64(s.nodes)*siegeLasts.Seconds()/float64(s.injected))
	}
}

// inject puts a packet on its way that no node made: from the address of one
// machine, which may be forged, in the name of an identity, which may be too.
func (s *siege) inject(source int, from hearsay.NodeID, to netip.AddrPort, body core.Message, claims ...hearsay.Claim) {
	p := core.Packet{From: from, Addr: to, Body: body, Claims: claims}
	s.injectPacket(source, &p)
}

func (s *siege) injectPacket(source int, p *core.Packet) {
	w := s.w
	to, found := w.network.machineAt(p.Addr)
	if !found {
		return
	}
	number := w.network.takeFlight()
	f := &w.network.flights[number]
	f.from, f.to, f.stream = int32(source), to, p.Stream
	if !f.stream {
		f.bytes = wire.AppendPacket(f.bytes[:0], w.id, p)
		f.stream = len(f.bytes) > core.MTU
	}
	if f.stream {
		f.bytes = wire.AppendFrame(f.bytes[:0], w.id, p)
	}
	s.injected += uint64(len(f.bytes))
	w.network.dispatch(number)
}

// naming is a ping of a machine's node by its name: what strangers send counts only so.
func naming(m *machine) *core.Ping { return &core.Ping{Seq: 1, Target: m.id} }

// replay puts bytes on their way.
func (s *siege) replay(source, to int, b []byte) {
	number := s.w.network.takeFlight()
	f := &s.w.network.flights[number]
	f.bytes = append(f.bytes[:0], b...)
	f.from, f.to, f.stream = int32(source), int32(to), false
	s.injected += uint64(len(b))
	s.w.network.dispatch(number)
}

// identityOf is the signer of a machine's first identity.
func (s *siege) identityOf(i int) *testkit.Signer { return testkit.NewSigner(s.w.config.Seed, i+1, 1) }

// ids are the identities of all members, as they are at their first start.
func (t *trial) ids() []hearsay.NodeID {
	ids := make([]hearsay.NodeID, t.attack.Nodes)
	for i := range ids {
		ids[i] = testkit.NewSigner(t.seed, i+1, 1).Public().NodeID()
	}
	return ids
}

// observersOf gives the observers of a member, as indexes of machines.
func (t *trial) observersOf(victim int) []int {
	ids := t.ids()
	var observers []int
	for _, id := range ring.Observers(nil, ids[victim], ring.Of(ids), t.observers()) {
		observers = append(observers, slices.Index(ids, id))
	}
	return observers
}

// observers is K.
func (t *trial) observers() int { return t.attack.observers() }

// majority is H: how many of K observers decide.
func (t *trial) majority() int { return t.observers()/2 + 1 }

// lyingObservers is how many of a member's observers lie.
func (t *trial) lyingObservers(member int, lying []bool) (n int) {
	for _, i := range t.observersOf(member) {
		if lying[i] {
			n++
		}
	}
	return n
}

// someone draws an honest member.
func (s *siege) someone() int {
	for {
		if i := s.random.IntN(s.nodes); s.present(i) {
			return i
		}
	}
}

// addr is where a machine is reached.
func (s *siege) addr(i int) netip.AddrPort { return s.w.machines[i].addr }

// known gives what a machine's node holds of the honest members that are
// present, but of no seeds: what a liar knows as well as anybody.
func (s *siege) known(i int) []hearsay.Member {
	members := s.w.machines[i].node.Members(nil)
	return slices.DeleteFunc(members, func(m hearsay.Member) bool { return m.Role == hearsay.RoleSeed || s.honestAt(m.ID) < 0 })
}

// incarnationOf is that of a member that runs.
func (s *siege) incarnationOf(i int) hearsay.Incarnation {
	return s.w.machines[i].node.Self().Incarnation
}

// share is a part of a whole, 0 of nothing.
func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Round(part/whole*10000) / 10000
}

// time is what a right clock shows.
func (s *siege) time() time.Time { return epoch.Add(s.w.now) }
