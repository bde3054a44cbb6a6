// Package roster is the members of the network: the claims about each, the
// rounds that decide about suspects, and how news of both reaches everybody.
package roster

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
)

// Limits per node.
const (
	maxMembers     = 1 << 16                // members listed, in any state
	maxAccusations = 64                     // suspects that this node accuses at a time
	maxRounds      = 16                     // of these, with a round under way
	maxWitnessed   = 256                    // rounds of others that this node remembers as an observer
	maxPending     = 1024                   // deaths told to this node and not yet believed
	pendingSubject = 8                      // of these, of one member: more accusers than it has observers. A guess
	pendingSource  = 256                    // likewise, told from one source (core.Source). A guess
	maxEvidence    = 256                    // evidence kept
	maxContacts    = 256                    // addresses kept on disk, and forgotten members remembered
	keptClaims     = 1 + rideMost           // storage kept between steps
	refuteEvery    = 200 * time.Millisecond // forged claims must not make a node flood the network with its own
	evidenceWait   = 5 * time.Second        // a death whose evidence does not come, or does not hold yet, is let go
)

// part is what a part of a Roster has of the rest.
type part struct {
	cfg     *Config // read only
	random  *rand.Rand
	members *members
	out     *output
	roster  *Roster // for what another part does
}

// Roster is one node's view of the members. Each part of it has one job and a file, and owns what nothing else needs.
// The parts are embedded, so that what they export is the Roster's; within this package a part is always named.
type Roster struct {
	cfg    *Config // read only
	signer hearsay.Signer
	ledger func() hearsay.LedgerID // what statements are about
	out    output

	members
	names
	news
	budgets
	queue
	evidence
	addresses
	contacts
	hints
	listed
	exchange
	ownWord
	twins
	aways
	suspicions
	accusations
	witnesses
	deaths

	started  time.Time
	forgetAt time.Time      // when the gone are looked through next
	admits   hearsay.NodeID // the one that a ruling admits just now; zero: nobody
}

// New makes the roster of a node whose own card is given; the card is signed here. The configuration is read as long as
// the roster is. Cards may be those of other nodes in the process too. Records are what earlier lives kept.
func New(cfg *Config, network hearsay.NetworkID, card hearsay.Card, cards *Cards, signer hearsay.Signer, random *rand.Rand,
	records []core.Record, stats *hearsay.Stats, out *core.Effects, now time.Time,
) *Roster {
	r := &Roster{
		cfg: cfg, signer: signer, started: now, forgetAt: now.Add(forgetCheck),
		ledger: func() hearsay.LedgerID { return hearsay.LedgerID{Network: network} },
		members: members{
			cfg: cfg, network: network, random: random, table: table{cards: cards, zero: now.Add(-cfg.ForgetAfter)},
			held: make(map[int32]*held), met: make(map[int32]int64), changed: now, listingSince: now,
		},
		budgets: budgets{
			spent: make(map[hearsay.NodeID]allowance), verifies: quota.New(cards.secret, verifyShares),
			examines: quota.New(cards.secret, examinationShares), answers: quota.New(cards.secret, answerShares),
		},
		listed: listed{pinged: now},
	}
	r.out = output{Effects: out, members: &r.members, stats: stats}
	r.names = names{members: &r.members, out: &r.out}
	r.news = news{cfg: cfg, members: &r.members, out: &r.out}
	r.addresses = addresses{members: &r.members, out: &r.out}
	rest := &part{cfg: cfg, random: random, members: &r.members, out: &r.out, roster: r}
	for _, p := range []**part{
		&r.budgets.part, &r.queue.part, &r.evidence.part, &r.contacts.part, &r.hints.part, &r.listed.part, &r.exchange.part, &r.ownWord.part,
		&r.twins.part, &r.aways.part, &r.suspicions.part, &r.accusations.part, &r.witnesses.part, &r.deaths.part,
	} {
		*p = rest
	}
	var last hearsay.Incarnation
	for _, record := range records {
		switch record := record.(type) {
		case *core.OwnIncarnation:
			last = record.Incarnation
			r.witnesses.from = now.Add(cfg.RoundEvery)
		case *core.Contact:
			r.addresses.load(record)
		case *core.KeptEvidence:
			r.evidence.load(record)
		}
	}
	card.Key = signer.Public()
	r.members.self = r.members.put(card.Key.NodeID(), 0, &card)
	r.members.self.state = hearsay.StateAlive
	r.members.setSince(r.members.self, now)
	r.ownWord.raise(now, last)
	r.twins.first = r.members.incarnation(r.members.self)
	return r
}

// Begin starts a step: what the last one handed out is void.
func (r *Roster) Begin() {
	r.out.begin()
	r.members.begin()
	r.budgets.work = 0
}

// Introduce puts this node's own claim on a packet.
func (r *Roster) Introduce(p *core.Packet) { r.out.introduce(p) }

// Confront puts on a packet to a member what this node holds against it, so that it hears first, and refutes. One that
// had left and is back takes what a stranger says only if it is told so (see Meant).
func (r *Roster) Confront(p *core.Packet, id hearsay.NodeID) {
	var c hearsay.Claim
	if m := r.members.get(id); m != nil {
		if m.state == hearsay.StateAlive {
			return
		}
		c = r.members.claim(m, bare)
	} else if last, forgotten := lastOf(r.addresses.former, id); forgotten {
		c = hearsay.Claim{Subject: id, State: hearsay.StateDead, Incarnation: last}
	} else {
		return
	}
	r.out.attach(p, c)
}

// Answered is told that a member answered this node itself. A suspicion of it ends here: suspicion is local.
func (r *Roster) Answered(now time.Time, id hearsay.NodeID) {
	if m := r.members.get(id); m != nil && m.state == hearsay.StateSuspect {
		r.setState(now, m, hearsay.StateAlive)
		r.accusations.drop(m)
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventSuspectFreed, Subject: id})
	}
}

// takeClaim takes one claim that came with the packet p.
func (r *Roster) takeClaim(now time.Time, p *core.Packet, c *hearsay.Claim) {
	r.out.stats.ClaimsIn++
	if r.members.seeded() && !c.State.Living() {
		return // only a ruling says so there: one roster, of which all count the same observers
	}
	if c.Subject == r.members.me() {
		r.ownWord.claimed(now, p, c)
		return
	}
	m, isNew := r.members.get(c.Subject), false
	if !c.Bare() && (m == nil || c.Incarnation > r.members.incarnation(m) || c.State == hearsay.StateLeft) {
		m, isNew = r.introduce(now, p, c)
	}
	if m == nil {
		if c.Bare() {
			r.out.stats.Drops[hearsay.DropStranger]++
		}
		return
	}
	switch {
	case c.Incarnation != r.members.incarnation(m):
		return // old, or bare and ahead: an exchange will bring what lacks
	case c.State <= m.state && c.State != hearsay.StateSuspect:
		if !isNew {
			r.news.heardAgain(m)
		}
	case c.State == hearsay.StateSuspect:
		r.budgets.work += workOther
		r.suspicions.claimed(now, p, m, c)
	case c.State == hearsay.StateDead:
		r.budgets.work += workOther
		r.deaths.claimed(now, p, m, c)
	}
}

// introduce takes the subject's own word: a card, with an incarnation, that is new here. It returns the member, or nil
// if the word was refused, and whether the word was news.
func (r *Roster) introduce(now time.Time, p *core.Packet, c *hearsay.Claim) (m *member, isNew bool) {
	m = r.members.get(c.Subject)
	word := hearsay.Claim{Subject: c.Subject, State: hearsay.StateAlive, Incarnation: c.Incarnation, Card: c.Card}
	if c.State == hearsay.StateLeft {
		word.State = hearsay.StateLeft
	}
	if m != nil {
		if current := r.members.claim(m, bare); !word.Supersedes(&current) {
			return m, false
		}
	}
	if one := r.hints.known(c.Subject); one != nil && word.State == hearsay.StateAlive && c.State < hearsay.StateDead &&
		r.admits != c.Subject && r.hints.word(one).Incarnation >= c.Incarnation {
		r.hints.heardAgain(now, one)
		return m, false
	}
	if reason, ok := r.believable(now, p, &word, m); !ok {
		r.out.stats.Drops[reason]++
		return nil, false
	}
	if word.State == hearsay.StateAlive && c.State < hearsay.StateDead && !r.hints.isProven(p, m, &word) {
		from := core.Source(p.Addr.Addr())
		r.hints.add(now, &word, origin{move: m != nil, slot: quota.Slot(r.members.cards.secret, netip.AddrPortFrom(from, 0))}, 0)
		return m, false
	}
	r.out.stats.ClaimsNew++
	switch {
	case m == nil:
		m = r.add(now, c, &word)
	case !m.state.Living() && c.State == hearsay.StateDead:
		r.renewDead(now, m, c, &word)
	default:
		r.renew(now, m, &word)
	}
	return m, true
}

// believable checks the subject's own word before it wins. Of the subject m is known so far, or nil.
func (r *Roster) believable(now time.Time, p *core.Packet, word *hearsay.Claim, m *member) (hearsay.Drop, bool) {
	switch unknown := m == nil; {
	case word.Incarnation > hearsay.MaxIncarnation:
		return hearsay.DropFarFuture, false
	case hearsay.CheckName(word.Card.Name) != nil || !word.Card.Addr.IsValid() || word.Card.Addr.Port() == 0:
		return hearsay.DropMalformed, false
	case unknown && r.members.count >= maxMembers && len(r.members.gone) == 0:
		return hearsay.DropTableFull, false
	case r.members.seeded() && r.admits != word.Subject && word.Card.Role != r.members.role(word.Subject):
		return hearsay.DropStranger, false
	case unknown && r.outlived(p, word):
		return hearsay.DropStranger, false
	case r.admits == word.Subject: // see Admit
		return 0, true
	case !r.budgets.affords(now, p, word, m):
		return hearsay.DropRate, false
	}
	if r.budgets.work += workVerify; !word.Verify(r.network, r.signer) {
		return hearsay.DropBadSignature, false
	}
	return 0, true
}

// outlived reports whether a word is of a member that was forgotten, and no newer than that. Of the dead it is believed
// from itself all the same; an incarnation that has left is over, whichever node brings its word.
func (r *Roster) outlived(p *core.Packet, word *hearsay.Claim) bool {
	if last, forgotten := lastOf(r.addresses.left, word.Subject); forgotten && word.Incarnation <= last {
		return true
	}
	last, forgotten := lastOf(r.addresses.former, word.Subject)
	return forgotten && word.Incarnation <= last && p.From != word.Subject
}

// add lists a member that was unknown. Claimed dead, it is listed as such without evidence: that removes nobody.
func (r *Roster) add(now time.Time, c, word *hearsay.Claim) *member {
	if r.members.count >= maxMembers {
		r.makeRoom(now)
	}
	if one := r.hints.known(c.Subject); one != nil {
		r.hints.end(c.Subject, one)
	}
	m := r.members.put(c.Subject, word.Incarnation, &word.Card)
	m.state = word.State
	r.members.setSince(m, now)
	if c.State >= hearsay.StateDead {
		m.state = c.State
		r.members.met[r.members.number(m)] = now.UnixNano()
		r.members.setSince(m, now.Add(-min(c.Age, r.cfg.ForgetAfter)))
		r.members.hold(m, &held{by: c.By, evidence: c.Evidence})
		r.members.gone.add(r.members.number(m))
		return m
	}
	r.members.lists(now, r.members.number(m))
	r.members.rehash(now, m)
	r.names.check(now, m)
	r.addresses.keep(m)
	r.addresses.remove(r.members.id(m))
	r.news.tell(m)
	r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberJoined, Subject: r.members.id(m), Incarnation: r.members.incarnation(m), Addr: r.members.addr(m)})
	return m
}

// renew takes a member's newer word: it refutes, returns, moves or leaves.
func (r *Roster) renew(now time.Time, m *member, word *hearsay.Claim) {
	was, moved := r.members.stateOf(m), r.members.addr(m) != word.Card.Addr
	r.budgets.spendRenewal(now, m)
	if was.Living() {
		r.members.rehash(now, m) // out with the old incarnation
	}
	if moved {
		r.addresses.drop(m)
	}
	r.members.renew(m, word.Incarnation, &word.Card)
	back := r.aways.end(m)
	delete(r.members.held, r.members.number(m))
	r.accusations.drop(m)
	if was.Living() {
		r.members.rehash(now, m) // in with the new
	}
	r.setState(now, m, word.State)
	r.news.tell(m)
	if word.State == hearsay.StateLeft {
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: r.members.id(m), Incarnation: r.members.incarnation(m)})
		return
	}
	r.names.check(now, m)
	r.addresses.keep(m)
	if back {
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberBack, Subject: r.members.id(m), Incarnation: r.members.incarnation(m)})
	}
	if was != hearsay.StateAlive {
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberReturned, Subject: r.members.id(m), State: was, Incarnation: r.members.incarnation(m)})
	}
	if moved {
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventMemberMoved, Subject: r.members.id(m), Addr: r.members.addr(m)})
	}
}

// renewDead takes the newer word of a member that is gone here, and dead for the sender. Nobody says that it lives, so
// it stays gone, without evidence: that removes nobody. If it were listed again meanwhile, this node alone might hold
// it suspect for ever: its observers hold an older word, and make no statement on a newer one.
func (r *Roster) renewDead(now time.Time, m *member, c, word *hearsay.Claim) {
	r.budgets.spendRenewal(now, m)
	r.addresses.moving(m, word.Card.Addr, func() { r.members.renew(m, word.Incarnation, &word.Card) })
	r.members.hold(m, &held{by: c.By, evidence: c.Evidence})
	r.setState(now, m, hearsay.StateDead)
}

// setState moves a member between the lists and keeps the hash.
func (r *Roster) setState(now time.Time, m *member, state hearsay.State) {
	was := m.state
	if was == state {
		return
	}
	number := r.members.number(m)
	m.state = state
	r.members.cameInto(now, m)
	r.suspicions.follow(now, m, was)
	if was.Living() == state.Living() || m == r.members.self {
		return
	}
	r.members.rehash(now, m)
	if state.Living() {
		r.members.gone.remove(number)
		r.members.lists(now, number)
		return
	}
	r.aways.end(m)
	r.members.living.remove(number)
	r.members.gone.add(number)
	r.addresses.died()
	if len(r.members.living) == 0 {
		r.out.event(hearsay.Event{At: now, Kind: hearsay.EventAlone})
	}
}
