package sim

import (
	"fmt"
	"math"
	"time"

	"hearsay"
	"hearsay/clock"
)

// Rule is one of the rules of DESIGN.md, section 3, as far as what is built
// can break it.
type Rule uint8

// The rules.
const (
	RuleIncarnation Rule = iota + 1 // 3: incarnations only grow; one's own is durable before it is told, and never used again
	RuleFalseDeath                  // 4: nobody dies who was always there
	RuleEvidence                    // 4: a death has evidence that holds: signed, by enough, and true
	RuleReturn                      // 5: a dead or left incarnation never comes back
	RuleRumor                       // 7: a rumor is told as it was said, once durable, and delivered once in a process's life; that all get it is part of converging
	RuleConverge                    // 8: after faults stop, all agree
	RuleBounds                      // 9: queues and packets are bounded
	RuleDecode                      // 10: what a node sends can be read
	RuleProgress                    // a node does not stand still: its deadline moves on
)

var ruleWords = [...]string{
	RuleIncarnation: "incarnation", RuleFalseDeath: "false-death", RuleEvidence: "evidence", RuleReturn: "return",
	RuleRumor: "rumor", RuleConverge: "converge", RuleBounds: "bounds", RuleDecode: "decode", RuleProgress: "progress",
}

// String gives the rule's word.
func (r Rule) String() string { return ruleWords[r] }

// MarshalText gives the form of String.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Violation is a rule broken.
type Violation struct {
	At   time.Duration `json:"at"` // since the world began, nanoseconds
	Node string        `json:"node,omitempty"`
	Rule Rule          `json:"rule"`
	Text string        `json:"text"`
}

func (v *Violation) String() string {
	return fmt.Sprintf("%s %s: rule %s broken: %s", seconds(v.At), v.Node, v.Rule, v.Text)
}

// Bounds that the checker holds nodes to.
const (
	violationsKept = 16               // described; more are only counted
	packetsPerStep = 1024             // that one step may send (guess: a roster of 10,000 in packets of tens of claims, and room)
	recordsPerStep = 4096             // that one step may persist
	ticksPerMoment = 64               // of one node at one time
	troubleGrace   = time.Minute      // after a pause, a cut or a start a death may still be its consequence
	pingsKept      = 1024             // of each node, to tell a true statement from a false one: a minute's, with many rounds in it
	chronicWindow  = 65 * time.Second // of the rule for chronic failure (DESIGN.md, section 5), and the length of a round
	chronicPercent = 20               // of pings that failed in it: half of what an observer needs, as it counts only those of its rounds
)

// checker is told all that nodes do, and the truth of the world besides, and
// says where the two do not fit. It changes nothing.
type checker struct {
	network    hearsay.NetworkID
	verifier   signer
	timeoutMin time.Duration // an answer within this counts for whoever pinged
	strict     bool          // a false death breaks a rule

	identities  []identity // all that ever were, in order
	numbers     map[hearsay.NodeID]int
	views       []view // by machine
	said        map[examination]verdicts
	whole       bool // the network has no cuts
	mended      time.Duration
	violations  []Violation
	broken      int // violations in all
	falseDeaths int
	gossip      gossip
	linksMost   int // of a node
}

// identity is one who is or was in the world.
type identity struct {
	id       hearsay.NodeID
	key      hearsay.PublicKey
	unjudged bool                // see twist
	name     string              // the machine's; of its later identities with a number
	machine  int32               // by index
	claimed  hearsay.Incarnation // the highest that it has sent
	spent    hearsay.Incarnation // what its earlier lives had sent: never to be used again
	written  hearsay.Incarnation // the highest that it has asked its disk to keep: what it sends after may tell it
	durable  hearsay.Incarnation // of that, what a crash cannot take: what it sends now may tell it
	running  bool                // as far as others can tell: not paused, and not leaving
	keeping  []int               // sayings that it has asked its disk to keep
	troubled time.Duration       // when it last ceased to run, or came to run again; 0: it was always there
}

// view is what one life of one node has said of the others.
type view struct {
	seen     []seen   // by identity
	pings    []pinged // the newest is at pingNext-1, around the end
	pingNext int
	heard    set // sayings
	began    time.Duration
	tickedAt time.Duration
	ticks    int // at that time
}

// seen is what a node held of a member when it was last looked at.
type seen struct {
	state       hearsay.State
	incarnation hearsay.Incarnation
}

// pinged is one ping that a node has sent.
type pinged struct {
	seq      uint64
	subject  hearsay.NodeID
	sent     time.Duration
	answered time.Duration // never: the largest
}

// examination names one answer of one observer.
type examination struct {
	observer, subject hearsay.NodeID
	round             hearsay.Round
}

// verdicts are an observer's answers in one round: one in each life, as a
// process that is started again has forgotten what it said.
type verdicts struct {
	life int32 // of the last
	last hearsay.Verdict
	all  uint8 // bit v: it said v
}

func newChecker(network hearsay.NetworkID, config Config, machines int) *checker {
	return &checker{
		network: network, timeoutMin: config.Detect.TimeoutMin, strict: config.NoFalseDeath,
		numbers: make(map[hearsay.NodeID]int), views: make([]view, machines),
		said: make(map[examination]verdicts), whole: true, violations: []Violation{},
		gossip:    gossip{keep: config.Rumors, byID: make(map[clock.Dot]int)},
		linksMost: 2 * config.Overlay.Links,
	}
}

// violate notes that a machine breaks a rule, unless it lies on purpose.
func (c *checker) violate(now time.Duration, m *machine, rule Rule, format string, args ...any) {
	if m.twist.unjudged {
		return
	}
	if c.broken++; len(c.violations) < violationsKept {
		c.violations = append(c.violations, Violation{At: now, Node: m.name, Rule: rule, Text: fmt.Sprintf(format, args...)})
	}
}

// name is what to call who has this identity.
func (c *checker) name(id hearsay.NodeID) string {
	if number, known := c.numbers[id]; known {
		return c.identities[number].name
	}
	if id.IsZero() {
		return "nobody"
	}
	return id.Short()
}

// started is told that a machine runs, and gives the number of its identity.
func (c *checker) started(m *machine, key hearsay.PublicKey, now time.Duration) int {
	id := key.NodeID()
	number, known := c.numbers[id]
	if !known {
		number = len(c.identities)
		name := m.name
		if m.disks > 1 {
			name = fmt.Sprintf("%s(%d)", m.name, m.disks)
		}
		c.identities = append(c.identities, identity{id: id, key: key, name: name, machine: m.index, unjudged: m.twist.unjudged})
		c.numbers[id] = number
	}
	one := &c.identities[number]
	if one.running = true; known {
		one.troubled = now
	}
	one.spent, one.written, one.durable = one.claimed, one.claimed, one.claimed
	one.keeping = nil
	c.views[m.index] = view{began: now}
	return number
}

func (c *checker) stopped(m *machine, now time.Duration) { c.setRunning(m, now, false) }
func (c *checker) paused(m *machine, now time.Duration)  { c.setRunning(m, now, false) }
func (c *checker) resumed(m *machine, now time.Duration) { c.setRunning(m, now, true) }

func (c *checker) setRunning(m *machine, now time.Duration, running bool) {
	one := &c.identities[m.identity]
	one.running, one.troubled = running, now
}

// leaves is told that a node was asked to leave: its death would be no lie.
func (c *checker) leaves(m *machine) { c.identities[m.identity].running = false }

// disturbed is told that the network changed.
func (c *checker) disturbed(now time.Duration, whole bool) { c.whole, c.mended = whole, now }

// alwaysThere reports whether nothing happened lately for which a death of
// this one could be an honest mistake.
func (c *checker) alwaysThere(one *identity, now time.Duration) bool {
	calm := func(trouble time.Duration) bool { return trouble == 0 || now-trouble > troubleGrace }
	return one.running && c.whole && calm(c.mended) && calm(one.troubled)
}

// ticked is told that a node was called at its deadline.
func (c *checker) ticked(m *machine, now time.Duration) {
	v := &c.views[m.index]
	if v.tickedAt != now {
		v.tickedAt, v.ticks = now, 0
	}
	if v.ticks++; v.ticks > ticksPerMoment {
		panic(fmt.Sprintf("sim: %s %s: ticked %d times and its deadline is still now", seconds(now), m.name, v.ticks))
	}
}

// stepped looks at the effects of one step before they are carried out.
func (c *checker) stepped(m *machine, e *hearsay.Effects, now time.Duration) {
	if n := len(e.Now) + len(e.Send); n > packetsPerStep {
		c.violate(now, m, RuleBounds, "one step sends %d packets, at most %d", n, packetsPerStep)
	}
	if n := len(e.Persist); n > recordsPerStep {
		c.violate(now, m, RuleBounds, "one step persists %d records, at most %d", n, recordsPerStep)
	}
	one := &c.identities[m.identity]
	// What goes out now must do without this step's records.
	for i := range e.Now {
		c.claims(m, &e.Now[i], one.durable, now)
		c.tells(m, &e.Now[i], true, now)
	}
	for _, record := range e.Persist {
		switch record := record.(type) {
		case *hearsay.OwnIncarnation:
			if record.Incarnation < one.written {
				c.violate(now, m, RuleIncarnation, "persists its own incarnation %d after %d", record.Incarnation, one.written)
			}
			one.written = max(one.written, record.Incarnation)
		case *hearsay.KeptRumor:
			c.keeps(m, record)
		}
	}
	for i := range e.Send {
		c.claims(m, &e.Send[i], one.written, now)
		c.tells(m, &e.Send[i], false, now)
	}
	for i := range e.Events {
		c.event(m, &e.Events[i], now)
	}
}

// synced is told that all that a node wrote is durable.
func (c *checker) synced(m *machine) {
	one := &c.identities[m.identity]
	one.durable = one.written
	c.kept(one)
}

// claims looks at what a node says of itself in a packet that it sends, of
// incarnations up to kept.
func (c *checker) claims(m *machine, p *hearsay.Packet, kept hearsay.Incarnation, now time.Duration) {
	for i := range p.Claims {
		claim := &p.Claims[i]
		if claim.Subject != m.id || claim.State != hearsay.StateAlive && claim.State != hearsay.StateLeft {
			continue
		}
		one := &c.identities[m.identity]
		switch {
		case claim.Incarnation <= one.spent:
			c.violate(now, m, RuleIncarnation, "uses its incarnation %d again: an earlier life had come to %d", claim.Incarnation, one.spent)
		case claim.Incarnation > kept:
			c.violate(now, m, RuleIncarnation, "tells its incarnation %d in %T before it is durable: that is %d", claim.Incarnation, p.Body, kept)
		}
		one.claimed = max(one.claimed, claim.Incarnation)
	}
}

// sent looks at a packet as it goes out.
func (c *checker) sent(m *machine, p *hearsay.Packet, f *flight, now time.Duration) {
	if f.stream && len(f.bytes) > hearsay.MaxStreamPacket {
		c.violate(now, m, RuleBounds, "a packet of %d bytes by stream, at most %d", len(f.bytes), hearsay.MaxStreamPacket)
	}
	if ping, ok := p.Body.(*hearsay.Ping); ok && !ping.Target.IsZero() {
		if f.stream && !p.Stream {
			c.violate(now, m, RuleBounds, "a ping of %d bytes does not fit a datagram", len(f.bytes))
		}
		v := &c.views[m.index]
		v.keep(pinged{seq: ping.Seq, subject: ping.Target, sent: now, answered: math.MaxInt64})
	}
}

// undecodable is told that a packet which m sent could not be read.
func (c *checker) undecodable(m *machine, drop hearsay.Drop, f *flight, now time.Duration) {
	c.violate(now, m, RuleDecode, "sends n%d %d bytes that cannot be read: %s", f.to+1, len(f.bytes), drop)
}

// received looks at a packet as its node takes it.
func (c *checker) received(m *machine, p *hearsay.Packet, now time.Duration) {
	switch body := p.Body.(type) {
	case *hearsay.Ack:
		c.answered(m, p, body, now)
	case *hearsay.Rumors:
		c.gets(m, body)
	}
}

// answered notes that a ping was.
func (c *checker) answered(m *machine, p *hearsay.Packet, ack *hearsay.Ack, now time.Duration) {
	v := &c.views[m.index]
	for back := 1; back <= len(v.pings); back++ {
		ping := &v.pings[(v.pingNext-back)%pingsKept]
		if ping.seq == ack.Seq && ping.subject == p.From {
			ping.answered = min(ping.answered, now)
			return
		}
	}
}

// event looks at what a node says has happened.
func (c *checker) event(m *machine, e *hearsay.Event, now time.Duration) {
	switch e.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned:
		c.holds(m, e.Subject, seen{hearsay.StateAlive, e.Incarnation}, now)
	case hearsay.EventMemberForgotten:
		if number, known := c.numbers[e.Subject]; known {
			*c.views[m.index].of(number) = seen{}
		}
	case hearsay.EventMemberDead:
		c.death(m, e, now)
	case hearsay.EventExamined:
		c.examined(m, e, now)
	case hearsay.EventRumor:
		c.hears(m, e, now)
	case hearsay.EventRumorConflict:
		c.violate(now, m, RuleRumor, "got two payloads for rumor %d of %s, the second from %s",
			e.Rumor.ID.Counter, c.name(e.Subject), c.name(e.By))
	}
}

// keep remembers a ping, and forgets the oldest if it must.
func (v *view) keep(p pinged) {
	if len(v.pings) < pingsKept {
		v.pings = append(v.pings, p)
	} else {
		v.pings[v.pingNext%pingsKept] = p
	}
	v.pingNext++
}

// of gives what the node held of an identity.
func (v *view) of(number int) *seen {
	for len(v.seen) <= number {
		v.seen = append(v.seen, seen{})
	}
	return &v.seen[number]
}

// holds checks what a node holds of a member against what it held before.
func (c *checker) holds(m *machine, subject hearsay.NodeID, is seen, now time.Duration) {
	number, known := c.numbers[subject]
	if !known {
		c.violate(now, m, RuleEvidence, "holds %s a member, who never was", subject.Short())
		return
	}
	was := c.views[m.index].of(number)
	switch {
	case is.incarnation < was.incarnation:
		c.violate(now, m, RuleIncarnation, "holds %s at incarnation %d, and held it at %d", c.name(subject), is.incarnation, was.incarnation)
	case is.incarnation == was.incarnation && is.state.Living() && was.state != 0 && !was.state.Living():
		c.violate(now, m, RuleReturn, "%s is %s again at incarnation %d, which was %s", c.name(subject), is.state, is.incarnation, was.state)
	}
	*was = is
}

// roster checks what a node holds of everybody, and its tables and queues.
func (c *checker) roster(m *machine, members []hearsay.Member, links int, stats hearsay.Stats, now time.Duration) {
	for i := range members {
		one := &members[i]
		c.holds(m, one.ID, seen{one.State, one.Incarnation}, now)
	}
	if stats.NewsWaiting > len(c.identities) {
		c.violate(now, m, RuleBounds, "%d claims wait to be told, of %d identities", stats.NewsWaiting, len(c.identities))
	}
	if links > c.linksMost {
		c.violate(now, m, RuleBounds, "%d links, at most %d", links, c.linksMost)
	}
	if keep := &c.gossip.keep; stats.RumorsHeld > keep.KeepCount || stats.RumorsHeldBytes > keep.KeepBytes {
		c.violate(now, m, RuleBounds, "holds %d rumors of %d bytes, at most %d of %d",
			stats.RumorsHeld, stats.RumorsHeldBytes, keep.KeepCount, keep.KeepBytes)
	}
}

// examined checks an observer's verdict against what became of its pings, and
// keeps it.
func (c *checker) examined(m *machine, e *hearsay.Event, now time.Duration) {
	timeoutMin, took := m.clock.span(c.timeoutMin), m.clock.span(e.Took)
	key := examination{m.id, e.Subject, e.Round}
	before, twice := c.said[key]
	if twice && before.life == m.life && before.last != e.Verdict {
		c.violate(now, m, RuleEvidence, "says %s of %s after %s in one round", e.Verdict, c.name(e.Subject), before.last)
	}
	c.said[key] = verdicts{life: m.life, last: e.Verdict, all: before.all | 1<<e.Verdict}
	if e.Verdict != hearsay.VerdictUnreachable {
		return
	}
	// Pings that were answered as fast as the shortest timeout have not failed.
	// A probe of another purpose may have got through meanwhile: half decides.
	inRound, answered, lately, failed := 0, 0, 0, 0
	for i := range c.views[m.index].pings {
		p := &c.views[m.index].pings[i]
		if p.subject != e.Subject || now-p.sent > chronicWindow {
			continue
		}
		inTime := p.answered-p.sent <= timeoutMin
		lately++
		if !inTime {
			failed++
		}
		if p.sent >= now-took {
			inRound++
			if inTime {
				answered++
			}
		}
	}
	chronic := failed*100 >= chronicPercent*lately
	if answered > 0 && 2*answered >= inRound && !chronic {
		c.violate(now, m, RuleEvidence, "says that %s is unreachable, who answered %d of its %d pings in this round and all but %d of the last %d",
			c.name(e.Subject), answered, inRound, failed, lately)
	}
}

// death checks that one who is held dead is, or at least that there is honest
// evidence.
func (c *checker) death(m *machine, e *hearsay.Event, now time.Duration) {
	number, known := c.numbers[e.Subject]
	if !known {
		c.violate(now, m, RuleEvidence, "%s is dead, who never was", e.Subject.Short())
		return
	}
	one := &c.identities[number]
	if c.alwaysThere(one, now) {
		c.falseDeaths++
		if c.strict {
			c.violate(now, m, RuleFalseDeath, "%s is dead, who was always there", one.name)
		}
	}
	if e.Evidence == nil {
		// Only the word of another who is at its address now ends one without.
		if c.alwaysThere(one, now) {
			c.violate(now, m, RuleEvidence, "%s is dead without evidence", one.name)
		}
		return
	}
	if e.Evidence.Subject != e.Subject {
		c.violate(now, m, RuleEvidence, "%s is dead by the evidence against %s", one.name, c.name(e.Evidence.Subject))
	}
	c.holds(m, e.Subject, seen{hearsay.StateDead, e.Evidence.Incarnation}, now)
	c.evidence(m, e.Evidence, now)
}

// evidence counts for itself.
func (c *checker) evidence(m *machine, e *hearsay.Evidence, now time.Duration) {
	name := c.name(e.Subject)
	against, reachable := 0, 0
	for i := range e.Statements {
		s := &e.Statements[i]
		if problem := c.statement(e, i); problem != "" {
			c.violate(now, m, RuleEvidence, "against %s, statement of %s: %s", name, c.name(s.Observer), problem)
			continue
		}
		switch s.Verdict {
		case hearsay.VerdictUnreachable:
			against++
		case hearsay.VerdictReachable:
			reachable++
		}
	}
	observers, needed := int(e.Observers), int(e.Needed)
	switch {
	case observers < 1 || needed != observers/2+1 || observers > len(c.identities) || len(e.Statements) > observers:
		c.violate(now, m, RuleEvidence, "against %s: %d statements, %d needed of %d observers", name, len(e.Statements), needed, observers)
	case e.Rule == hearsay.RuleMajority && against < needed:
		c.violate(now, m, RuleEvidence, "against %s: %d of %d against, %d needed", name, against, observers, needed)
	// Of three members one may have gone since the round began.
	case e.Rule == hearsay.RuleTimeout && (reachable > 0 || against < min(2, observers-1)):
		c.violate(now, m, RuleEvidence, "against %s at the timeout: %d against, %d reachable", name, against, reachable)
	case e.Rule != hearsay.RuleMajority && e.Rule != hearsay.RuleTimeout:
		c.violate(now, m, RuleEvidence, "against %s: %s is no rule", name, e.Rule)
	}
}

// statement says what is wrong with a statement, if anything.
func (c *checker) statement(e *hearsay.Evidence, i int) string {
	s := &e.Statements[i]
	number, known := c.numbers[s.Observer]
	for before := range i {
		if e.Statements[before].Observer == s.Observer {
			return "its second"
		}
	}
	switch found := c.said[examination{s.Observer, s.Subject, s.Round}]; {
	case !known:
		return "there is no such observer"
	case s.Observer == s.Subject:
		return "nobody is his own witness"
	case s.Subject != e.Subject || s.Round != e.Round || s.Incarnation != e.Incarnation:
		return "of another round"
	case !s.Verify(c.network, &c.verifier, c.identities[number].key):
		return "not signed by it"
	case found.all>>s.Verdict&1 == 0 && !c.identities[number].unjudged:
		return fmt.Sprintf("says %s, and it found %s", s.Verdict, found.last)
	}
	return ""
}
