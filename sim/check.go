package sim

import (
	"fmt"
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
	"hearsay/overlay"
	"hearsay/testkit"
)

// Rule is one of the rules that must always hold, as far as what is built
// can break it.
type Rule uint8

// The rules.
const (
	// 3: incarnations only grow; one's own is durable before it is told, and never used again
	RuleIncarnation Rule = iota + 1
	RuleFalseDeath       // 4: nobody dies who was always there
	RuleEvidence         // 4: a death has evidence that holds: signed, by enough, and true
	// 5: a dead or left incarnation never comes back, nor with seeds a stay that is over
	RuleReturn
	// 7: a rumor is told as it was said, once durable, and delivered once in a process's life; that all get it
	// is part of converging
	RuleRumor
	RuleConverge // 8: after faults stop, all agree
	RuleSeen     // 7, 8: and have seen the same rumors, as far as anybody can still tell
	RuleBounds   // 9: queues and packets are bounded
	RuleDecode   // 10: what a node sends can be read
	// 1: with seeds nobody is in without a ruling that admits, or out without one that removes or a word of his
	// own
	RuleRoster
	// 3, 6: one ledger: each epoch the same on all, in order, durable before it is told, and lost by no crash
	RuleLedger
	// 2, 4: a ruling has equal ballots of a quorum of the configured seeds, each cast by its own, who has
	// checked it
	RuleBallots
	RuleReflection // 10: to an address that never spoke go few more bytes than named it
	RuleForks      // 3: two ledgers of one founding are found out, and said
	RuleListed     // 8: a node that is well and lists others is listed by one of them
	RuleTold       // a node that is cut off says so in time, and one that is well does not
	RuleTwins      // of two processes with one identity one stops, and never both
	// nothing is held against a member that has said that it is away, for as long as that counts, which is once
	// for an incarnation
	RuleAway
	// with seeds: a quorum of them and few peers do all in time, whatever became of the others
	RuleCore
	RulePromise  // what a case file promises by a time comes true, if nothing further fails
	RuleWritten  // 6, 11: a value of the store that was acknowledged is there until a write that saw it replaces it
	RuleValue    // 11: no value of the store is there that nobody wrote
	RuleDeleted  // 11: no value returns that was replaced or deleted
	RuleBatch    // 11: a record of the store is there whole or not at all
	RuleEqual    // 8, 11: after faults stop, the store is the same on all
	RuleClock    // 9: what is seen of the store is bounded by its writers, what is held by what is live
	RuleTraffic  // 9: what exchanges bring was lacking
	RuleProgress // a node does not stand still: its deadline moves on
)

var ruleWords = [...]string{
	RuleIncarnation: "incarnation", RuleFalseDeath: "false-death", RuleEvidence: "evidence", RuleReturn: "return",
	RuleRumor: "rumor", RuleConverge: "converge", RuleSeen: "seen", RuleBounds: "bounds", RuleDecode: "decode", RuleProgress: "progress",
	RuleForks: "forks", RuleReflection: "reflection", RuleListed: "listed", RuleTold: "told", RuleTwins: "twins", RuleAway: "away", RulePromise: "promise", RuleCore: "core", RuleWritten: "written", RuleValue: "value", RuleDeleted: "deleted", RuleBatch: "batch", RuleEqual: "equal", RuleClock: "clock", RuleTraffic: "traffic", RuleRoster: "roster", RuleLedger: "ledger", RuleBallots: "ballots",
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

const (
	violationsKept = 16          // described; more are only counted
	troubleGrace   = time.Minute // after a pause, a cut or a start a death may still be its consequence
)

// checker is told all that nodes do, and the truth of the world besides, and
// says where the two do not fit. It changes nothing.
type checker struct {
	network    hearsay.NetworkID
	verifier   testkit.Signer
	timeoutMin time.Duration // an answer within this counts for the node that pinged
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
	written     written
	ballots     ballotRule
	peers       int // machines that are no seeds
	ledger      ledgerModel
	linksMost   int    // of a node
	ofSource    int    // newcomers from one, most
	well        []bool // by machine: nobody may remove it; nil: none
	twins       []twins
	fork        fork
	before      []*givenUp // ledgers that were, oldest first
	loss        quorumLoss
	cases       hearsay.CaseID // the highest number of one that was ruled, or that a seed has voted on
	mentions    mentions
}

// identity is one who is or was in the world.
type identity struct {
	id       hearsay.NodeID
	key      hearsay.PublicKey
	unjudged bool                // see twist
	untold   time.Duration       // until when statements count of which it told nothing, as its disk has failed; 0: none
	old      bool                // it runs, or ran, on an older copy of its disk
	twinned  bool                // two machines have, or had, this identity
	twinTill time.Duration       // until when what one of them does may still come of the other
	name     string              // the machine's; of its later identities with a number
	machine  int32               // by index
	claimed  hearsay.Incarnation // the highest that it has sent
	waiting  hearsay.Incarnation // the highest in what it will send once its disk has synced
	written  hearsay.Incarnation // the highest that it has asked its disk to keep: what it sends after may tell it
	durable  hearsay.Incarnation // of that, what a crash cannot take: what it sends now may tell it
	running  bool                // as far as others can tell: not paused, and not leaving
	keeping  []int               // sayings that it has asked its disk to keep
	troubled time.Duration       // when it last ceased to run, or came to run again; 0: it was always there

	away map[hearsay.Incarnation]bool // with which it has said that it is away

	told         hearsay.Epoch // of the ledger, by any of its lives
	life         hearsay.Life  // of a seed: of its disk
	ruledWritten hearsay.Epoch // of a seed: what it has asked its disk to keep
	ruledOnDisk  hearsay.Epoch // of that, what a crash cannot take

	// of a seed: members that any of its lives has voted to remove, in cases that are open to it
	against map[hearsay.NodeID]bool
}

// view is what one life of one node has said of the others.
type view struct {
	seen     []seen   // by identity
	pings    []pinged // the newest is at pingNext-1, around the end
	pingNext int
	asked    map[hearsay.NodeID]bool // to examine, as an observer or a seed
	heard    set                     // sayings
	spent    hearsay.Incarnation     // what earlier lives of its identity had sent: never to be used again
	epoch    hearsay.Epoch           // of the ledger, applied
	based    bool                    // it has a ledger to go on from
	looked   hearsay.Epoch           // at which its ledger was looked at
	parted   bool                    // it has another ledger, see fork
	old      *givenUp                // it follows this ledger; nil: the present one
	barred   []hearsay.NodeID        // as this seed has applied since its start
	telling  []telling               // what it has applied, and a crash could undo yet
	cast     []string                // ballots of this step
	tried    map[hearsay.NodeID]tried
	away     map[hearsay.NodeID]awayWord
	lostAt   time.Duration // by its clock, when this seed last told that no seed leads, or its disk stood still
	heardAt  time.Duration // when a message of another seed last came, by this seed's clock
	deafAt   time.Duration // when, after two elections' time without one, it was last seen that this seed heard nobody
	began    time.Duration
	tickedAt time.Duration
	ticks    int           // at that time
	cutFor   time.Duration // for how long nothing has come to it, or gone out
	narrow   time.Duration // for how long nothing large has got to it and from it, and all else has
	// for how long no stream has got to it and from it, and datagrams have
	streamless time.Duration
	wrongFor   time.Duration // for how long it has said so, though it is well
	unlisted   time.Duration // for how long it has been listed by nobody, though it is well
}

func newChecker(network hearsay.NetworkID, config Config, machines int) *checker {
	c := &checker{
		network: network, timeoutMin: config.Detect.TimeoutMin, strict: config.NoFalseDeath,
		numbers: make(map[hearsay.NodeID]int), views: make([]view, machines),
		said: make(map[examination]verdicts), whole: true, violations: []Violation{},
		gossip:    gossip{keep: config.Rumors, byID: make(map[clock.Dot]int)},
		linksMost: 2 * config.Overlay.Links,
		peers:     config.Nodes,
		ledger:    newLedger(network, config.Seeds),
		ofSource:  int(config.Quorum.Limits.MembersOfSource),
		loss:      quorumLoss{seed: -1},
	}
	c.gossip.check, c.ballots.check = c, c
	c.written = newWritten(c, machines)
	if config.Overlay.Kind == overlay.KindPowerLaw {
		c.linksMost *= 2
	}
	return c
}

// violate notes that a machine breaks a rule, unless it lies on purpose. Of two
// with one identity neither knows what the other says in its name: the rules of that
// hold for neither.
func (c *checker) violate(now time.Duration, m *machine, rule Rule, format string, args ...any) {
	if m.twist.unjudged || rule.ofIdentity() && m.identity < len(c.identities) && c.identities[m.identity].isTwin(now) {
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
		if c.isSeed(m) {
			c.ballots.wiped(m)
		}
	}
	one := &c.identities[number]
	if !one.running {
		one.machine = m.index
	}
	if one.running = true; known {
		one.troubled, one.twinTill = now, now+troubleGrace
		c.gossip.expire(m, number, now)
	}
	c.twinStarts(m, number)
	one.written, one.durable, one.waiting = one.claimed, one.claimed, 0
	one.keeping = nil
	c.views[m.index] = view{began: now, lostAt: longAgo, heardAt: longAgo, deafAt: longAgo, spent: one.claimed, seen: make([]seen, len(c.views))}
	return number
}

// restored is told that a machine starts with an older copy of its disk, and what
// is on that. It does not know what it has told since: which incarnations it had,
// what it said and what was ruled. A seed must stop if that harms anybody.
func (c *checker) restored(m *machine, records []core.Record) {
	number := m.identity
	one := &c.identities[number]
	one.old = true
	c.written.copied(m)
	one.told, one.claimed = 0, 0
	held := make(map[clock.Dot]bool)
	for _, record := range records {
		if r, is := record.(*core.KeptRumor); is && r.Rumor != nil {
			held[r.Rumor.ID] = true
		}
	}
	for i := range c.gossip.said {
		if s := &c.gossip.said[i]; s.identity == number && !held[s.id] {
			s.written, s.durable, s.lost = false, false, true // if it is to be had, others have it
		}
	}
}

func (c *checker) stopped(m *machine, now time.Duration) { c.setRunning(m, now, false) }

func (c *checker) paused(m *machine, now time.Duration) { c.setRunning(m, now, false) }

func (c *checker) resumed(m *machine, now time.Duration) { c.setRunning(m, now, true) }

func (c *checker) setRunning(m *machine, now time.Duration, running bool) {
	one := &c.identities[m.identity]
	if one.running, one.troubled = running, now; running {
		one.machine = m.index
	}
}

// leaves is told that a node was asked to leave: its death would be no lie.
func (c *checker) leaves(m *machine) {
	c.identities[m.identity].running = false
}

// losesDisk is told that nothing more of what a node does becomes durable, and that it leaves: what it was to tell it
// does not.
func (c *checker) losesDisk(m *machine, now time.Duration) {
	c.leaves(m)
	c.views[m.index].telling = nil
	c.identities[m.identity].untold = now + untoldFor
}

// disturbed is told that the network changed.
func (c *checker) disturbed(now time.Duration, whole bool) { c.whole, c.mended = whole, now }

// alwaysThere reports whether nothing happened lately for which a death of
// this one could be an honest mistake.
func (c *checker) alwaysThere(one *identity, now time.Duration) bool {
	calm := func(trouble time.Duration) bool { return trouble == 0 || now-trouble > troubleGrace }
	return one.running && !one.isTwin(now) && c.whole && calm(c.mended) && calm(one.troubled)
}

// stepped looks at the effects of one step before they are carried out.
func (c *checker) stepped(m *machine, e *core.Effects, now time.Duration) {
	c.bounds(m, e, now)
	if m.node != nil && m.node.DiskBehind() > 0 { // the checker's own tests have no nodes
		c.views[m.index].lostAt = m.clock.shows(now)
	}
	one := &c.identities[m.identity]
	// What goes out now must do without this step's records.
	for i := range e.Now {
		one.claimed = max(one.claimed, c.claims(m, &e.Now[i], one.durable, now))
		c.gossip.tells(m, &e.Now[i], true, now)
		if c.isSeed(m) {
			c.ballots.heads(m, &e.Now[i], one.ruledOnDisk, now)
		}
	}
	for _, record := range e.Persist {
		switch record := record.(type) {
		case *core.OwnIncarnation:
			if record.Incarnation < one.written {
				c.violate(now, m, RuleIncarnation, "persists its own incarnation %d after %d", record.Incarnation, one.written)
			}
			one.written = max(one.written, record.Incarnation)
		case *core.KeptRumor:
			c.gossip.keeps(m, record)
		case *core.SeedLife:
			c.ballots.lives(m, record.Life)
		case *core.KeptRuling:
			if !record.Dropped {
				one.ruledWritten = max(one.ruledWritten, record.Ruling.Epoch)
			}
		case *core.KeptSnapshot:
			for i := range e.Events { // it may be another's, taken over
				if e.Events[i].Kind == hearsay.EventRosterProven {
					one.ruledWritten = max(one.ruledWritten, e.Events[i].Epoch)
				}
			}
		}
	}
	for i := range e.Send {
		one.waiting = max(one.waiting, c.claims(m, &e.Send[i], one.written, now))
		c.gossip.tells(m, &e.Send[i], false, now)
		if c.isSeed(m) {
			c.ballots.heads(m, &e.Send[i], one.ruledWritten, now)
		}
	}
	for i := range e.Events {
		c.event(m, &e.Events[i], now)
	}
	c.written.stepped(m, e, now)
	c.ballots.casts(m, now)
}

// follows is told that what was to be sent after the records goes out.
func (c *checker) follows(m *machine, now time.Duration) {
	one := &c.identities[m.identity]
	one.claimed = max(one.claimed, one.waiting)
	c.told(m, now)
}

// synced is told that all that a node wrote is durable.
func (c *checker) synced(m *machine) {
	one := &c.identities[m.identity]
	one.durable = one.written
	one.ruledOnDisk = one.ruledWritten
	c.gossip.kept(one)
	c.written.synced(m)
}

// received looks at a packet as its node takes it.
func (c *checker) received(m *machine, p *core.Packet, now time.Duration) {
	switch body := p.Body.(type) {
	case *core.Ack:
		c.answered(m, p, body, now)
	case *core.WitnessReq:
		c.views[m.index].examines(body.Subject)
	case *core.Rumors:
		c.gossip.gets(m, body)
	case *core.Raft:
		c.ballots.hearsSeed(m, body.Slot, now)
	case *core.SeatHello:
		if body.Answer {
			c.ballots.hearsSeed(m, body.Slot, now)
		}
	}
}

// event looks at what a node says has happened.
func (c *checker) event(m *machine, e *hearsay.Event, now time.Duration) {
	if c.ledger.seeds > 0 {
		c.applies(m, e, now)
	}
	if c.isSeed(m) {
		switch e.Kind {
		case hearsay.EventMemberSuspected:
			c.ballots.suspects(m, e.Subject, true, now)
		case hearsay.EventSuspectFreed, hearsay.EventCleared, hearsay.EventMemberReturned:
			c.ballots.suspects(m, e.Subject, false, now)
		}
	}
	c.absent(m, e, now)
	switch e.Kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned:
		c.holds(m, e.Subject, seenAs(hearsay.StateAlive, e.Incarnation), now)
	case hearsay.EventMemberForgotten:
		if number, known := c.numbers[e.Subject]; known {
			*c.views[m.index].of(number) = 0
		}
	case hearsay.EventMemberDead, hearsay.EventMemberRemoved:
		c.death(m, e, now)
	case hearsay.EventCaseOpened:
		c.ballots.opens(m, e, now)
	case hearsay.EventQuorumLost:
		c.views[m.index].lostAt = m.clock.shows(now)
	case hearsay.EventProbeWanted:
		c.views[m.index].examines(e.Subject) // as a seed, perhaps one that asks to be in
	case hearsay.EventExamined:
		c.examined(m, e, now)
		if c.isSeed(m) {
			c.ballots.tries(m, e, now)
		}
	case hearsay.EventRumor:
		c.gossip.hears(m, e, now)
	case hearsay.EventLedgerForked:
		c.fork.said = true
	case hearsay.EventRumorConflict:
		c.violate(now, m, RuleRumor, "got two payloads for rumor %d of %s, the second from %s",
			e.Rumor.ID.Counter, c.name(e.Subject), c.name(e.By))
	}
}

// examines notes that the node has reason to examine somebody: its pings count.
func (v *view) examines(id hearsay.NodeID) {
	if v.asked == nil {
		v.asked = make(map[hearsay.NodeID]bool)
	}
	v.asked[id] = true
}

// of gives what the node held of an identity.
func (v *view) of(number int) *seen {
	if number >= len(v.seen) {
		more := slices.Grow(v.seen, number+1-len(v.seen))
		v.seen = more[:cap(more)]
	}
	return &v.seen[number]
}
