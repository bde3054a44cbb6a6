// Package roster is who is in the network: the claims about every member, the
// rounds that decide about suspects, and how news of both reaches everybody.
package roster

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearsay"
	"hearsay/quota"
)

// Limits per node.
const (
	maxMembers      = 1 << 16                // members listed, in any state
	maxAccusations  = 64                     // suspects that this node accuses at a time
	maxRounds       = 16                     // of these, with a round under way
	maxWitnessed    = 256                    // rounds of others that this node remembers as an observer
	maxPending      = 1024                   // deaths told to this node and not yet believed
	pendingSubject  = 8                      // of these, of one member: more accusers than it has observers. A guess
	pendingSource   = 256                    // likewise, told from one source (hearsay.Source). A guess
	maxEvidence     = 256                    // evidence kept
	maxContacts     = 256                    // addresses kept on disk, and forgotten members remembered
	keptClaims      = 1 + rideMost           // storage kept between steps
	refuteEvery     = 200 * time.Millisecond // forged claims must not make a node flood the network with its own
	evidencePatient = 5 * time.Second        // a death whose evidence does not come, or does not hold yet, is let go
)

// Roster is one node's view of who is in. What it wants done goes to out.
type Roster struct {
	cfg     *Config // read only
	network hearsay.NetworkID
	signer  hearsay.Signer
	random  *rand.Rand
	out     *hearsay.Effects

	self    *member
	started time.Time
	first   hearsay.Incarnation // of this life
	among   time.Time           // since when it has listed others without a break, or when it started
	twin    twin
	doubled []string        // names that several living members have borne, oldest first
	members table           // all, this node included
	living  list            // alive or suspect, without this node
	gone    list            // dead or left
	away    list            // of the living, those that are away; the one that said so first comes first
	held    map[int32]*held // by number, of few members: what others say of them
	met     map[int32]int64 // by number: Unix nanoseconds when a member was first heard of, unless it is in its first state still
	hash    uint64          // of the living with their incarnations, this node included
	changed time.Time       // when hash last changed
	stirred time.Time       // when it did so first after it had been still

	news        news
	accusations []*accusation
	lingering   lingering
	cleared     []hearsay.NodeID // subjects that this node accused and the observers reached, since it last lost health for it
	witnessed   []witness        // a ring
	witnessNext int
	witnessFrom time.Time // before this, a round may be one in which an earlier life has signed
	pending     []pending
	pendingAt   time.Time      // when the first of them is due
	evidence    []keptEvidence // oldest first
	contacts    contacts
	hints       hints
	exchanged   time.Time // when this node last sent a digest
	asked       time.Time // when it last asked about members of which another spoke
	refuted     time.Time // when this node last raised its incarnation
	forgetAt    time.Time // when the gone are looked through next
	refute      refutation
	departs     *farewell    // nil: this node is not away itself
	verifies    *quota.Quota // signatures
	examines    *quota.Quota // examinations that others ask for
	answers     *quota.Quota // bytes of answers about the roster
	waiting     []waiting    // of packets whose claims are too many for a step
	waitUntil   time.Time    // when more of them are taken
	work        int          // on claims in this step

	spent   map[hearsay.NodeID]allowance
	sender  func(*hearsay.Packet) quota.Sender // see TellApart
	streams func(netip.AddrPort) bool          // see TellStreamed
	deaf    func() bool                        // likewise
	period  time.Duration                      // see TellPeriod
	links   func() []hearsay.NodeID            // neighbors; nil if there is no overlay
	ledger  func() hearsay.LedgerID            // what statements are about
	role    func(hearsay.NodeID) hearsay.Role  // in a seeded network: as what a node is in, RoleUnknown if it is not; else nil
	admits  hearsay.NodeID                     // the one that a ruling admits just now; zero: nobody
	targets []*member                          // storage of one telling
	claims  []hearsay.Claim                    // storage of one step's packets
	stats   Stats
	drops   *hearsay.Drops
}

// Stats are a roster's figures.
type Stats struct {
	Rounds, Statements, Condemned, Deaths, Suspicions, Refutations uint64
	ClaimsIn, ClaimsNew, ClaimsOut, Exchanges                      uint64
}

// allowance is up to when a member has spent what it may, by Roster.runs. Few have
// lately, so it is no part of a member.
type allowance struct {
	answered time.Duration // of answers
	renewed  time.Duration // of newer words of its own
	away     time.Duration // of words that it is away
}

// held is what others say of a member's incarnation: while it is suspect or
// dead, and after a suspicion that ended here.
type held struct {
	accusers []hearsay.NodeID // of a suspicion, in the order heard; at most 1 + Confirmations
	began    time.Time
	told     time.Time      // when a suspect was told by this node, or came into suspicion
	probed   time.Time      // when it was probed out of turn, or came into suspicion; see Overdue
	by       hearsay.NodeID // of a death
	evidence hearsay.Hash
	left     bool  // it was its own word, by a ruling
	away     *away // its own word; nil: it has not said so
}

// New makes the roster of a node whose own card is given; the card is signed
// here. The configuration is read as long as the roster is. Cards may be those of other nodes in the process too. Records are what
// earlier lives kept.
func New(cfg *Config, network hearsay.NetworkID, card hearsay.Card, cards *Cards, signer hearsay.Signer, random *rand.Rand,
	records []hearsay.Record, drops *hearsay.Drops, out *hearsay.Effects, now time.Time,
) *Roster {
	r := &Roster{
		cfg: cfg, network: network, ledger: func() hearsay.LedgerID { return hearsay.LedgerID{Network: network} }, signer: signer, random: random, out: out, drops: drops,
		started: now, among: now, spent: make(map[hearsay.NodeID]allowance), verifies: quota.New(cards.secret, verifyShares), examines: quota.New(cards.secret, examinationShares),
		answers: quota.New(cards.secret, answerShares),
		held:    make(map[int32]*held), met: make(map[int32]int64),
		hints: hints{pinged: now}, members: table{cards: cards, zero: now.Add(-cfg.ForgetAfter)}, changed: now, forgetAt: now.Add(forgetCheck),
	}
	var last hearsay.Incarnation
	for _, record := range records {
		switch record := record.(type) {
		case *hearsay.OwnIncarnation:
			last = record.Incarnation
			r.witnessFrom = now.Add(cfg.RoundEvery)
		case *hearsay.Contact:
			r.remember(record)
		case *hearsay.KeptEvidence:
			r.evidence = append(r.evidence, keptEvidence{hash: record.Hash, evidence: record.Evidence})
		}
	}
	slices.SortFunc(r.evidence, func(a, b keptEvidence) int {
		return cmp.Or(cmp.Compare(a.evidence.Condemned, b.evidence.Condemned), bytes.Compare(a.hash[:], b.hash[:]))
	})
	card.Key = signer.Public()
	r.self = r.members.put(card.Key.NodeID(), 0, &card)
	r.self.state = hearsay.StateAlive
	r.members.setSince(r.self, now)
	r.raise(now, last)
	r.first = r.incarnation(r.self)
	return r
}

// Begin starts a step: what the last one handed out is void.
func (r *Roster) Begin() {
	if r.claims = r.claims[:0]; cap(r.claims) > keptClaims {
		r.claims = nil // a roster for a newcomer; most steps have a few, or none
	}
	r.members.begin()
	r.work = 0
}

// Self is this node.
func (r *Roster) Self() hearsay.Member { return r.member(r.self) }

// SelfClaim is this node's own signed claim.
func (r *Roster) SelfClaim() hearsay.Claim { return r.claim(r.self, withCard) }

// Hash is equal on two nodes whose living members and incarnations are.
func (r *Roster) Hash() uint64 { return r.hash }

// Living counts the members alive or suspect, this node included.
func (r *Roster) Living() int {
	if r.self.state.Living() {
		return len(r.living) + 1
	}
	return len(r.living)
}

// Count counts all members by state.
func (r *Roster) Count(state hearsay.State) int {
	n := 0
	if r.self.state == state {
		n++
	}
	for _, list := range []list{r.living, r.gone} {
		for _, number := range list {
			if r.stateOf(r.members.at(number)) == state {
				n++
			}
		}
	}
	return n
}

// Waiting counts the claims still being told.
func (r *Roster) Waiting() int { return r.news.waiting() }

// All appends all members, in no order that means anything.
func (r *Roster) All(dst []hearsay.Member) []hearsay.Member {
	dst = append(dst, r.member(r.self))
	for _, list := range []list{r.living, r.gone} {
		for _, number := range list {
			dst = append(dst, r.member(r.members.at(number)))
		}
	}
	return dst
}

// Member gives what is known of one member.
func (r *Roster) Member(id hearsay.NodeID) (hearsay.Member, bool) {
	if m := r.members.get(id); m != nil {
		return r.member(m), true
	}
	return hearsay.Member{}, false
}

// Met is when a member was first heard of.
func (r *Roster) Met(id hearsay.NodeID) time.Time {
	m := r.members.get(id)
	if m == nil {
		return time.Time{}
	}
	if met, changed := r.met[r.members.number(m)]; changed {
		return time.Unix(0, met).UTC()
	}
	return r.members.since(m).UTC()
}

// Addr tells where a living member other than this node is reached.
func (r *Roster) Addr(id hearsay.NodeID) (netip.AddrPort, bool) {
	if m := r.members.get(id); m != nil && m != r.self && m.state.Living() {
		return r.addr(m), true
	}
	return netip.AddrPort{}, false
}

// Stats gives the figures since the start.
func (r *Roster) Stats() Stats { return r.stats }

// Answered is told that a member answered this node itself. A suspicion of it
// ends here: suspicion is local.
func (r *Roster) Answered(now time.Time, id hearsay.NodeID) {
	if m := r.members.get(id); m != nil && m.state == hearsay.StateSuspect {
		r.setState(now, m, hearsay.StateAlive)
		r.dropAccusation(m)
		r.event(hearsay.Event{At: now, Kind: hearsay.EventSuspectFreed, Subject: id})
	}
}

// Claim takes one claim that came with the packet p.
func (r *Roster) Claim(now time.Time, p *hearsay.Packet, c *hearsay.Claim) {
	r.stats.ClaimsIn++
	if r.seeded() && !c.State.Living() {
		return // only a ruling says so there: one roster, of which all count the same observers
	}
	if c.Subject == r.id(r.self) {
		r.claimedSelf(now, p, c)
		return
	}
	m, isNew := r.members.get(c.Subject), false
	if !c.Bare() && (m == nil || c.Incarnation > r.incarnation(m) || c.State == hearsay.StateLeft) {
		m, isNew = r.introduce(now, p, c)
	}
	if m == nil {
		if c.Bare() {
			r.drops[hearsay.DropStranger]++
		}
		return
	}
	switch {
	case c.Incarnation != r.incarnation(m):
		return // old, or bare and ahead: an exchange will bring what lacks
	case c.State <= m.state && c.State != hearsay.StateSuspect:
		if !isNew {
			r.news.heardAgain(m)
		}
	case c.State == hearsay.StateSuspect:
		r.work += workOther
		r.claimedSuspect(now, p, m, c)
	case c.State == hearsay.StateDead:
		r.work += workOther
		r.claimedDead(now, p, m, c)
	}
}

// introduce takes the subject's own word: a card, with an incarnation, that
// is new here. It returns the member, or nil if the word was refused, and
// whether the word was news.
func (r *Roster) introduce(now time.Time, p *hearsay.Packet, c *hearsay.Claim) (m *member, isNew bool) {
	m = r.members.get(c.Subject)
	word := hearsay.Claim{Subject: c.Subject, State: hearsay.StateAlive, Incarnation: c.Incarnation, Card: c.Card}
	if c.State == hearsay.StateLeft {
		word.State = hearsay.StateLeft
	}
	if m != nil {
		if current := r.claim(m, bare); !word.Supersedes(&current) {
			return m, false
		}
	}
	if one := r.hints.known(c.Subject); one != nil && word.State == hearsay.StateAlive && c.State < hearsay.StateDead &&
		r.admits != c.Subject && r.hinted(one).Incarnation >= c.Incarnation {
		r.hearHint(now, one)
		return m, false
	}
	if reason, ok := r.believable(now, p, &word, m); !ok {
		r.drops[reason]++
		return nil, false
	}
	if word.State == hearsay.StateAlive && c.State < hearsay.StateDead && !r.isProven(p, m, &word) {
		from := hearsay.Source(p.Addr.Addr())
		r.hint(now, &word, origin{move: m != nil, slot: quota.Slot(r.members.cards.secret, netip.AddrPortFrom(from, 0))}, 0)
		return m, false
	}
	r.stats.ClaimsNew++
	if m == nil {
		return r.add(now, c, &word), true
	}
	r.renew(now, m, &word)
	return m, true
}

// affords reports whether this node may look at a word closer: what it does not
// look at now, an exchange will bring again, or a newer one.
func (r *Roster) affords(now time.Time, p *hearsay.Packet, word *hearsay.Claim, m *member) bool {
	if m != nil && word.Incarnation > r.incarnation(m) && r.spent[r.id(m)].renewed > r.runs(now) {
		return false
	}
	return r.affordVerify(now, p)
}

// believable checks the subject's own word before it wins. Of the subject m is
// known so far, or nil.
func (r *Roster) believable(now time.Time, p *hearsay.Packet, word *hearsay.Claim, m *member) (hearsay.Drop, bool) {
	switch unknown := m == nil; {
	case word.Incarnation > hearsay.MaxIncarnation:
		return hearsay.DropFarFuture, false
	case hearsay.CheckName(word.Card.Name) != nil || !word.Card.Addr.IsValid() || word.Card.Addr.Port() == 0:
		return hearsay.DropMalformed, false
	case unknown && r.members.count >= maxMembers && len(r.gone) == 0:
		return hearsay.DropTableFull, false
	case r.seeded() && r.admits != word.Subject && word.Card.Role != r.role(word.Subject):
		return hearsay.DropStranger, false
	case unknown && r.outlived(p, word):
		return hearsay.DropStranger, false
	case r.admits == word.Subject: // see Admit
		return 0, true
	case !r.affords(now, p, word, m):
		return hearsay.DropRate, false
	}
	if r.work += workVerify; !word.Verify(r.network, r.signer) {
		return hearsay.DropBadSignature, false
	}
	return 0, true
}

// Signatures of claims, at some 70 µs each: at once as many as a roster of
// thousands has, and then an eighth of a processor, for all classes of senders
// together, and where many bring them up to twice that (see quota.Share). Strangers may be
// newcomers, or members that this node has believed to be gone; they bring less
// at once. One sender has up to half of what its class has. Seats are few, and configured.
var verifyShares = &quota.Shares{
	quota.Stranger: {All: quota.PerSecond(800, 4096), Each: quota.PerSecond(200, 1024)},
	quota.Member:   {All: quota.PerSecond(800, 8192), Each: quota.PerSecond(200, 2048)},
	quota.Seat:     {All: quota.PerSecond(400, 8192), Each: quota.PerSecond(400, 8192)},
}

// Newer words of one member: each is told to everybody, and may be written to
// disk. An honest one refutes every refuteEvery; half of that, and some at once,
// leave room for words that took longer than those after them.
const (
	renewAtOnce = 8
	renewEach   = refuteEvery / 2
)

// spend moves the time up to which an allowance is spent on by the price of
// one use. So much may be used at once, and is saved up. While that time lies
// ahead, nothing more is allowed.
func (r *Roster) spend(spent time.Duration, now time.Time, price, saved time.Duration) time.Duration {
	return max(spent, r.runs(now)-saved) + price
}

// runs is how long this node has been running, and so much more that all was saved up
// when it started. It follows the monotonic clock: the wall clock may be set back.
func (r *Roster) runs(now time.Time) time.Duration { return now.Sub(r.started) + pricesSaved }

// affordVerify spends the price of one signature, if there is time for it.
// Else a node that sends claims of made-up members could keep this node from
// answering pings.
func (r *Roster) affordVerify(now time.Time, p *hearsay.Packet) bool {
	return r.verifies.Take(now, r.senderOf(p), 1)
}

// TellApart gives the roster a function that tells whose share a packet's claims
// use. Without one everybody is a stranger.
func (r *Roster) TellApart(sender func(*hearsay.Packet) quota.Sender) { r.sender = sender }

// TellStreamed gives the roster two functions: which members' addresses are reached by stream only, and
// whether no datagrams get to this node at all. Without them all are reached by datagram.
func (r *Roster) TellStreamed(streams func(netip.AddrPort) bool, deaf func() bool) {
	r.streams, r.deaf = streams, deaf
}

// senderOf tells whose share a packet's claims use. A node that this one has asked
// for a roster is as good as a seat: it knows nobody else yet.
func (r *Roster) senderOf(p *hearsay.Packet) quota.Sender {
	switch {
	case r.Expects(p):
		return quota.Sender{Class: quota.Seat, Addr: p.Addr}
	case r.sender == nil:
		return quota.Sender{Addr: p.Addr}
	}
	return r.sender(p)
}

// outlived reports whether a word is of a member that was forgotten, and no
// newer than that. Of the dead it is believed from itself all the same; an
// incarnation that has left is over, whichever node brings its word.
func (r *Roster) outlived(p *hearsay.Packet, word *hearsay.Claim) bool {
	if last, forgotten := r.contacts.lastLeft(word.Subject); forgotten && word.Incarnation <= last {
		return true
	}
	last, forgotten := r.contacts.last(word.Subject)
	return forgotten && word.Incarnation <= last && p.From != word.Subject
}

// add lists a member that was unknown. Claimed dead, it is listed as such
// without evidence: that removes nobody.
func (r *Roster) add(now time.Time, c, word *hearsay.Claim) *member {
	if r.members.count >= maxMembers {
		r.makeRoom(now)
	}
	if one := r.hints.known(c.Subject); one != nil {
		r.endHint(c.Subject, one)
	}
	m := r.members.put(c.Subject, word.Incarnation, &word.Card)
	m.state = word.State
	r.members.setSince(m, now)
	if c.State >= hearsay.StateDead {
		m.state = c.State
		r.met[r.members.number(m)] = now.UnixNano()
		r.members.setSince(m, now.Add(-min(c.Age, r.cfg.ForgetAfter)))
		r.hold(m, &held{by: c.By, evidence: c.Evidence})
		r.gone.add(r.members.number(m))
		return m
	}
	r.lists(now, r.members.number(m))
	r.rehash(now, m)
	r.claimName(now, m)
	r.keepContact(m)
	r.recall(r.id(m))
	r.tell(m)
	r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberJoined, Subject: r.id(m), Incarnation: r.incarnation(m), Addr: r.addr(m)})
	return m
}

// renew takes a member's newer word: it refutes, returns, moves or leaves.
func (r *Roster) renew(now time.Time, m *member, word *hearsay.Claim) {
	was, moved := r.stateOf(m), r.addr(m) != word.Card.Addr
	spent := r.spent[r.id(m)]
	spent.renewed = r.spend(spent.renewed, now, renewEach, renewAtOnce*renewEach)
	r.spent[r.id(m)] = spent
	if was.Living() {
		r.rehash(now, m) // out with the old incarnation
	}
	if moved {
		r.dropContact(m)
	}
	r.members.renew(m, word.Incarnation, &word.Card)
	back := r.endAway(m)
	delete(r.held, r.members.number(m))
	r.dropAccusation(m)
	if was.Living() {
		r.rehash(now, m) // in with the new
	}
	r.setState(now, m, word.State)
	r.tell(m)
	if word.State == hearsay.StateLeft {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberLeft, Subject: r.id(m), Incarnation: r.incarnation(m)})
		return
	}
	r.claimName(now, m)
	r.keepContact(m)
	if back {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberBack, Subject: r.id(m), Incarnation: r.incarnation(m)})
	}
	if was != hearsay.StateAlive {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberReturned, Subject: r.id(m), State: was, Incarnation: r.incarnation(m)})
	}
	if moved {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventMemberMoved, Subject: r.id(m), Addr: r.addr(m)})
	}
}

// claimName notices two living members of one name. One that takes over the
// address of another is its successor and no conflict.
func (r *Roster) claimName(now time.Time, m *member) {
	other := r.self
	if name := r.name(m); name != r.name(other) {
		if other = r.namesake(m, name); other == nil {
			return
		}
	}
	if r.addr(other) != r.addr(m) {
		name := r.name(m)
		r.event(hearsay.Event{
			At: now, Kind: hearsay.EventNameConflict, Subject: r.id(m), By: r.id(other), Addr: r.addr(m), Text: r.namesakeWords(name, []*member{other, m}),
		})
		if !slices.Contains(r.doubled, name) {
			if len(r.doubled) == doubledMax {
				r.doubled = slices.Delete(r.doubled, 0, 1)
			}
			r.doubled = append(r.doubled, name)
		}
	}
}

// doubledMax is how many names of several living members are kept. A guess: one would do for an
// operator.
const doubledMax = 8

// Namesakes says which living members, at several addresses, bear one name; "": none do.
func (r *Roster) Namesakes() string {
	cards := r.members.cards
	var texts []string
	for _, name := range r.doubled {
		var bearers []*member
		apart := false
		for w := cards.named(name); w != 0; w = cards.words[w].nextNamed {
			if m := r.members.at(cards.words[w].subject); m != nil && m.word == w && m.state.Living() {
				bearers = append(bearers, m)
				apart = apart || r.addr(m) != r.addr(bearers[0])
			}
		}
		if apart {
			texts = append(texts, r.namesakeWords(name, bearers))
		}
	}
	return strings.Join(texts, "; ")
}

// namesakeWords says which members bear one name, and what would be right.
func (r *Roster) namesakeWords(name string, bearers []*member) string {
	slices.SortFunc(bearers, func(a, b *member) int { return r.id(a).Compare(r.id(b)) })
	var each []string
	for _, m := range bearers[:min(len(bearers), doubledMax)] {
		each = append(each, fmt.Sprintf("%s at %v", r.id(m).Short(), r.addr(m)))
	}
	return fmt.Sprintf("%d living members are called %s: %s; start all but one with another --name", len(bearers), name, strings.Join(each, ", "))
}

// namesake gives another living member of this name, or nil: of several the
// first of the list. Mostly there is none, and then the list is not looked at.
func (r *Roster) namesake(of *member, name string) *member {
	cards := r.members.cards
	for w := cards.named(name); w != 0; w = cards.words[w].nextNamed {
		if m := r.members.at(cards.words[w].subject); m == nil || m.word != w || m == of || !m.state.Living() {
			continue
		}
		i := slices.IndexFunc(r.living, func(number int32) bool {
			m := r.members.at(number)
			return m != of && r.name(m) == name
		})
		if i < 0 {
			return nil // it is this node
		}
		return r.members.at(r.living[i])
	}
	return nil
}

// setState moves a member between the lists and keeps the hash.
func (r *Roster) setState(now time.Time, m *member, state hearsay.State) {
	was := m.state
	if was == state {
		return
	}
	number := r.members.number(m)
	m.state = state
	r.cameInto(now, m)
	r.follow(now, m, was)
	if was.Living() == state.Living() || m == r.self {
		return
	}
	r.rehash(now, m)
	if state.Living() {
		r.gone.remove(number)
		r.lists(now, number)
		return
	}
	r.endAway(m)
	r.living.remove(number)
	r.gone.add(number)
	r.buryContact()
	if len(r.living) == 0 {
		r.event(hearsay.Event{At: now, Kind: hearsay.EventAlone})
	}
}

// lists puts a member among the living.
func (r *Roster) lists(now time.Time, number int32) {
	if len(r.living) == 0 {
		r.among = now
	}
	r.living.add(number)
}

// cameInto notes that a member has come into its state now.
func (r *Roster) cameInto(now time.Time, m *member) {
	number := r.members.number(m)
	if _, changed := r.met[number]; !changed {
		r.met[number] = r.members.since(m).UnixNano()
	}
	r.members.setSince(m, now)
}

// anyone draws a living member other than this node. There must be one.
func (r *Roster) anyone() *member {
	return r.members.at(r.living[r.random.IntN(len(r.living))])
}

// tell makes the claim about a member news.
func (r *Roster) tell(m *member) { r.news.add(m, r.members.number(m)) }

func (r *Roster) id(m *member) hearsay.NodeID               { return r.members.id(m) }
func (r *Roster) card(m *member) hearsay.Card               { return r.members.word(m).card() }
func (r *Roster) addr(m *member) netip.AddrPort             { return r.members.word(m).addr() }
func (r *Roster) name(m *member) string                     { return r.members.word(m).name }
func (r *Roster) incarnation(m *member) hearsay.Incarnation { return r.members.word(m).incarnation }
func (r *Roster) heldOf(m *member) *held                    { return r.held[r.members.number(m)] }
func (r *Roster) hold(m *member, h *held)                   { r.held[r.members.number(m)] = h }

// rehash takes the member's incarnation into the hash, or out of it.
func (r *Roster) rehash(now time.Time, m *member) {
	r.hash ^= entryHash(r.id(m), r.incarnation(m))
	if now.Sub(r.changed) >= r.cfg.ExchangeQuiet {
		r.stirred = now
	}
	r.changed = now
}

// cardMode says whether a claim is to carry the subject's card.
type cardMode uint8

const (
	bare cardMode = iota
	withCard
)

// claim says what is held of a member now.
func (r *Roster) claim(m *member, mode cardMode) hearsay.Claim {
	c := hearsay.Claim{Subject: r.id(m), State: m.state, Incarnation: r.incarnation(m)}
	switch m.state {
	case hearsay.StateSuspect:
		accusers := r.heldOf(m).accusers
		c.By = accusers[len(accusers)-1]
	case hearsay.StateDead:
		h := r.heldOf(m)
		c.By, c.Evidence = h.by, h.evidence
	case hearsay.StateAlive, hearsay.StateLeft:
		mode = withCard // nothing without its signature
	}
	if mode == withCard {
		c.Card = r.card(m)
	}
	return c
}

func (r *Roster) member(m *member) hearsay.Member {
	c := hearsay.Claim{Subject: r.id(m), State: m.state, Incarnation: r.incarnation(m), Card: r.card(m)}
	member := c.Member(r.members.since(m).UTC())
	member.State = r.stateOf(m)
	if until, is := r.IsAway(c.Subject); is {
		member.AwayUntil = until.UTC()
	}
	if c.Bare() {
		member.Dialect = guestDialect
	}
	return member
}

// stateOf gives the state in which a member is told of: left also if a ruling
// says so (see Depart).
func (r *Roster) stateOf(m *member) hearsay.State {
	if h := r.heldOf(m); m.state == hearsay.StateDead && h != nil && h.left {
		return hearsay.StateLeft
	}
	return m.state
}

func (r *Roster) event(e hearsay.Event) {
	if m := r.members.get(e.Subject); m != nil {
		e.Name = r.name(m)
	}
	if m := r.members.get(e.By); m != nil {
		e.ByName = r.name(m)
	}
	r.out.Events = append(r.out.Events, e)
}

// Name gives the name of a member, or the beginning of its NodeID.
func (r *Roster) Name(id hearsay.NodeID) string {
	if m := r.members.get(id); m != nil {
		return r.name(m)
	}
	return id.Short()
}
