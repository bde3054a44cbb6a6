package sim

import (
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file holds nodes to the rules of a seeded network: one ledger, and the
// roster that it says. check_ballots.go holds seeds to theirs.

// limitsAgreed is how long after the first ruling the limits hold that all seeds were
// told: until a quorum has said so, those by default do. Guess: many retries.
const limitsAgreed = 20 * time.Second

// ledgerModel is what has been ruled, as the first node has told it after it was
// durable there, and what seeds have cast.
type ledgerModel struct {
	network hearsay.NetworkID
	began   hearsay.Hash  // what is signed names it (LedgerID.Founding); zero in an open network
	since   time.Duration // when the first ruling was told
	seeds   int
	rulings []ruling  // by epoch, from 1
	stays   []lasting // every stay that ever was, in the order of their beginning
	of      map[hearsay.NodeID][]int32
	from    map[netip.Addr]int // members by source
	roster  present
	votes   votes
}

// ruling is one that some node has told.
type ruling struct {
	kind    hearsay.RulingKind
	hash    hearsay.Hash
	first   string // who told it first
	roster  hearsay.Hash
	members int // after it
}

// lasting is from when to when a stay lasts.
type lasting struct {
	began, ended hearsay.Epoch // 0: it has not
	left         bool          // by its member's own word
	back         bool          // its member had been removed before
	source       netip.Addr    // where its member was admitted
}

func (s lasting) holds(at hearsay.Epoch) bool { return s.began <= at && (s.ended == 0 || s.ended > at) }

// present is who is in as of the newest ruling, and its hash, counted apart from
// what nodes count.
type present struct {
	buckets [core.RosterBuckets][]hearsay.Stay // ordered by NodeID
	hashes  [core.RosterBuckets]hearsay.Hash
	members int
}

func (r *present) set(stay hearsay.Stay, in bool) {
	b := &r.buckets[stay.ID[0]]
	at, found := slices.BinarySearchFunc(*b, stay, func(a, b hearsay.Stay) int { return a.ID.Compare(b.ID) })
	switch {
	case in && !found:
		*b = slices.Insert(*b, at, stay)
		r.members++
	case !in && found:
		*b = slices.Delete(*b, at, at+1)
		r.members--
	}
	r.hashes[stay.ID[0]] = core.HashBucket(*b)
}

func newLedger(network hearsay.NetworkID, seeds int) ledgerModel {
	return ledgerModel{network: network, seeds: seeds, of: make(map[hearsay.NodeID][]int32), from: make(map[netip.Addr]int), votes: newVotes()}
}

// id is what is signed in this ledger is about.
func (l *ledgerModel) id() hearsay.LedgerID {
	return hearsay.LedgerID{Network: l.network, Founding: l.began}
}

// epoch is the newest that was told.
func (l *ledgerModel) epoch() hearsay.Epoch { return hearsay.Epoch(len(l.rulings)) }

// has reports whether this is the ruling of an epoch.
func (l *ledgerModel) has(at hearsay.Epoch, hash hearsay.Hash) bool {
	return at > 0 && at <= l.epoch() && l.rulings[at-1].hash == hash
}

// newFrom counts the members from a source that had not been removed before.
func (l *ledgerModel) newFrom(source netip.Addr) (n int) {
	for i := range l.stays {
		if s := &l.stays[i]; s.ended == 0 && s.source == source && !s.back {
			n++
		}
	}
	return n
}

// last gives the newest stay of a node, or nil.
func (l *ledgerModel) last(id hearsay.NodeID) *lasting {
	if all := l.of[id]; len(all) > 0 {
		return &l.stays[all[len(all)-1]]
	}
	return nil
}

// in reports whether a node is in as of an epoch, and whether it ever was
// before.
func (l *ledgerModel) in(id hearsay.NodeID, at hearsay.Epoch) (in, was bool) {
	for _, number := range l.of[id] {
		if s := l.stays[number]; s.began <= at {
			in, was = s.holds(at), true
		}
	}
	return in, was
}

// telling is an event of the ledger or of members that waits for what it rests
// on to be durable.
type telling struct {
	kind     hearsay.EventKind
	subject  hearsay.NodeID
	epoch    hearsay.Epoch
	ruling   *hearsay.Ruling
	evidence *hearsay.Evidence
	old      *givenUp // the ledger that it is of; nil: the present one
}

// loaded is told with what a node starts, and how far it has got by that. Of
// what a seed had decided at its end it may have told nobody: more gives that.
func (c *checker) loaded(m *machine, records []core.Record, at hearsay.Epoch, more []*hearsay.Ruling, now time.Duration) {
	v, one := &c.views[m.index], &c.identities[m.identity]
	v.epoch, v.based = at, c.isSeed(m)
	v.parted = c.fork.epoch > 0 && c.fork.other[m.node.Seeded().Authority().Head]
	if v.based && at < one.told && !one.old {
		c.violate(now, m, RuleLedger, "starts with epoch %d, and has told %d before", at, one.told)
	}
	for _, record := range records {
		if life, is := record.(*core.SeedLife); is {
			c.ballots.lives(m, life.Life)
		}
	}
	one.ruledOnDisk, one.ruledWritten = at, at
	for _, r := range more {
		c.ruled(m, &telling{subject: r.Stay.ID, epoch: r.Epoch, ruling: r}, now)
	}
}

func (c *checker) isSeed(m *machine) bool { return int(m.index) >= c.peers }

// applies looks at an event of a step in a seeded network, which is judged
// when the step has been carried out: a crash before undoes it.
func (c *checker) applies(m *machine, e *hearsay.Event, now time.Duration) {
	v := &c.views[m.index]
	switch e.Kind {
	case hearsay.EventRuled:
		if e.Ruling.Epoch != v.epoch+1 {
			c.violate(now, m, RuleLedger, "applies epoch %d after %d", e.Ruling.Epoch, v.epoch)
		}
		v.epoch = e.Ruling.Epoch
		c.sorts(m, v.epoch, e.Ruling.Hash(c.network), now)
		if e.Ruling.Kind == hearsay.RulingAdmit && slices.Contains(v.barred, e.Ruling.Stay.ID) {
			c.violate(now, m, RuleRoster, "epoch %d admits %s, which an operator has barred", e.Ruling.Epoch, c.name(e.Ruling.Stay.ID))
		}
	case hearsay.EventBarred:
		v.barred = append(v.barred, e.Subject)
		return
	case hearsay.EventLifted:
		v.barred = slices.DeleteFunc(v.barred, func(id hearsay.NodeID) bool { return id == e.Subject })
		return
	case hearsay.EventRosterProven:
		if e.Epoch < v.epoch {
			c.violate(now, m, RuleLedger, "takes over the roster of epoch %d after %d", e.Epoch, v.epoch)
		}
		v.epoch = e.Epoch
		c.sorts(m, m.node.Seeded().Epoch(), m.node.Seeded().Authority().Head, now)
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned, hearsay.EventMemberRemoved, hearsay.EventMemberLeft:
	default:
		return
	}
	v.telling = append(v.telling, telling{e.Kind, e.Subject, v.epoch, e.Ruling, e.Evidence, v.old})
}

// told judges what a node has applied, now that a crash cannot undo it any
// more.
func (c *checker) told(m *machine, now time.Duration) {
	v, one := &c.views[m.index], &c.identities[m.identity]
	if len(v.telling) == 0 {
		return
	}
	for i := range v.telling {
		if t := &v.telling[i]; t.ruling != nil {
			c.ruled(m, t, now)
		}
	}
	last := &v.telling[len(v.telling)-1]
	if at := last.epoch; at > 0 && !v.based {
		if v.based = true; at < c.oldest(one) && last.old == nil && !one.twinned { // a copy has not told it
			c.violate(now, m, RuleLedger, "begins with epoch %d, and has told %d before its restart", at, one.told)
		}
	}
	if last.old == nil && !m.diskless { // what it tells then promises no epoch
		one.told = max(one.told, v.epoch)
	}
	for i := range v.telling {
		if t := &v.telling[i]; t.ruling == nil && t.subject != m.id {
			c.listing(m, t, now)
		}
	}
	v.telling = v.telling[:0]
}

// ruled checks a ruling against the ledger, and what it does.
func (c *checker) ruled(m *machine, t *telling, now time.Duration) {
	l, r := &c.ledger, t.ruling
	hash := r.Hash(l.network)
	switch n := int(r.Epoch); {
	case t.old != nil: // it has been judged
		return
	case r.Kind == hearsay.RulingRecover && c.loss.seed == m.index && n >= 1 && n <= len(l.rulings)+1 && !l.has(r.Epoch, hash):
		c.anew(m, r, now)
	case c.parts(m, r, hash, now): // the first ledger says nothing of it
		return
	case n < 1 || n > len(l.rulings)+1:
		c.violate(now, m, RuleLedger, "applies epoch %d, and nobody has told %d", r.Epoch, len(l.rulings)+1)
		return
	case n <= len(l.rulings):
		if known := &l.rulings[n-1]; known.hash != hash {
			c.violate(now, m, RuleLedger, "has another ruling of epoch %d than %s: %s of %s", r.Epoch, known.first, r.Kind, c.name(r.Stay.ID))
		}
		return // it has been judged
	case n == 1:
		l.began, l.since = r.Previous, now
	}
	if n := len(l.rulings); n > 0 && r.Previous != l.rulings[n-1].hash {
		c.violate(now, m, RuleLedger, "epoch %d does not follow from %d", r.Epoch, n)
	}
	c.numbered(m, r, now)
	c.ballots.balloted(m, r, now)
	c.stayed(m, r, now)
	if want := core.HashRoster(l.network, &l.roster.hashes); r.Roster != want {
		c.violate(now, m, RuleLedger, "epoch %d names another roster than it comes to: %d members", r.Epoch, l.roster.members)
	}
	if r.Kind == hearsay.RulingRecover {
		l.began = hash
	}
	for _, seat := range r.Seats {
		l.votes.given[seat.Slot] = seat.Life
	}
	l.rulings = append(l.rulings, ruling{r.Kind, hash, m.name, r.Roster, l.roster.members})
	if r.Kind == hearsay.RulingRemove && t.kind == hearsay.EventRuled {
		c.removed(m, t, now)
	}
}

// removed checks the evidence by which somebody was removed: what observers
// have signed, who were in.
func (c *checker) removed(m *machine, t *telling, now time.Duration) {
	l, r, e := &c.ledger, t.ruling, t.evidence
	switch {
	case e == nil && r.Rule.Observed() && c.isSeed(m):
		c.violate(now, m, RuleEvidence, "epoch %d removes %s by %s without evidence", r.Epoch, c.name(r.Stay.ID), r.Rule)
	case e == nil:
	case e.Hash(l.network) != r.Evidence || e.Subject != r.Stay.ID || e.Rule != r.Rule:
		c.violate(now, m, RuleEvidence, "epoch %d removes %s by other evidence than it names", r.Epoch, c.name(r.Stay.ID))
	default:
		c.evidence(m, e, now)
		for i := range e.Statements {
			// By the timeout seeds go by their own probes, and count nothing of a stranger.
			if observer := e.Statements[i].Observer; l.last(observer) == nil && e.Rule == hearsay.RuleMajority {
				c.violate(now, m, RuleEvidence, "epoch %d removes %s by the statement of %s, which was never in", r.Epoch, c.name(r.Stay.ID), c.name(observer))
			}
		}
	}
}

// stayed checks what a ruling does to a stay, and does it.
func (c *checker) stayed(m *machine, r *hearsay.Ruling, now time.Duration) {
	l := &c.ledger
	newest := l.last(r.Stay.ID)
	lives := newest != nil && newest.ended == 0
	switch r.Kind {
	case hearsay.RulingAdmit:
		if lives || r.Stay.Epoch != r.Epoch {
			c.violate(now, m, RuleReturn, "epoch %d admits the stay %d of %s again", r.Epoch, r.Stay.Epoch, c.name(r.Stay.ID))
		}
		at := c.machineOf(r.Stay.ID)
		if place, found := placeOf(r.Claim.Card.Addr); at < 0 || !found || place != at && !c.identities[c.numbers[r.Stay.ID]].twinned || r.Claim.Subject != r.Stay.ID || r.Claim.Card.Key.NodeID() != r.Stay.ID {
			c.violate(now, m, RuleRoster, "epoch %d admits %s, which is not at %s", r.Epoch, c.name(r.Stay.ID), r.Claim.Card.Addr)
		} else if !r.Claim.Verify(l.network, &c.verifier) {
			c.violate(now, m, RuleRoster, "epoch %d admits %s, which has not signed that", r.Epoch, c.name(r.Stay.ID))
		}
		l.of[r.Stay.ID] = append(l.of[r.Stay.ID], int32(len(l.stays)))
		source := core.Source(r.Claim.Card.Addr.Addr())
		back := newest != nil && !newest.left
		l.stays = append(l.stays, lasting{began: r.Epoch, source: source, back: back})
		l.from[source]++
		in, most := l.from[source], c.ofSource
		if back {
			most *= 2 // those that were removed find room where newcomers do not
		} else if in > most {
			in = l.newFrom(source) // one of those may have come in while the newcomer's case was open
		}
		if in > most && now-l.since > limitsAgreed {
			c.violate(now, m, RuleBounds, "epoch %d admits the member %d of %s, %d may be", r.Epoch, in, source, most)
		}
		l.roster.set(r.Stay, true)
	case hearsay.RulingRemove, hearsay.RulingLeave:
		if !lives || newest.began != r.Stay.Epoch {
			c.violate(now, m, RuleReturn, "epoch %d ends the stay %d of %s, which is over", r.Epoch, r.Stay.Epoch, c.name(r.Stay.ID))
			return
		}
		newest.ended, newest.left = r.Epoch, r.Kind == hearsay.RulingLeave
		l.from[newest.source]--
		l.roster.set(r.Stay, false)
		leave := core.Leave{Stay: r.Stay, Signature: r.Leave}
		if newest.left && !leave.Verify(l.id(), &c.verifier, r.Key) {
			c.violate(now, m, RuleRoster, "epoch %d has %s leave, which has not signed that", r.Epoch, c.name(r.Stay.ID))
		}
	}
}

// listing checks that a member's coming and going is what the ledger says, as
// far as the node has told it.
func (c *checker) listing(m *machine, t *telling, now time.Duration) {
	number, known := c.numbers[t.subject]
	if !known || int(c.identities[number].machine) >= c.peers || c.views[m.index].parted {
		return // seeds are in by the list of seeds; and what is listed by the other ledger is not known here
	}
	l, at := &c.ledger, c.views[m.index].epoch
	if t.old != nil {
		l = &t.old.ledgerModel
	}
	in, was := l.in(t.subject, at)
	ended := false
	for _, number := range l.of[t.subject] {
		ended = ended || l.stays[number].ended != 0 && l.stays[number].ended <= at
	}
	switch t.kind {
	case hearsay.EventMemberJoined, hearsay.EventMemberReturned:
		if !was {
			c.violate(now, m, RuleRoster, "lists %s at epoch %d, which no ruling has admitted", c.name(t.subject), at)
		}
	case hearsay.EventMemberLeft:
		if in && !ended && t.subject != m.id {
			c.violate(now, m, RuleRoster, "lets go of %s at epoch %d, whose leave is not ruled", c.name(t.subject), at)
		}
	case hearsay.EventMemberRemoved:
		if in && !ended {
			c.violate(now, m, RuleRoster, "lets go of %s at epoch %d, which no ruling has removed", c.name(t.subject), at)
		}
	}
}

// standing is what a node of a seeded network has when it is looked at.
type standing struct {
	epoch   hearsay.Epoch
	members []hearsay.Member
	head    hearsay.Hash
	stays   []hearsay.Stay // of the ledger, ordered by NodeID; nil: not looked at
}

// looks reports whether a node has come to an epoch at which its ledger was
// not looked at yet.
func (c *checker) looks(m *machine, at hearsay.Epoch) bool {
	v := &c.views[m.index]
	return at > 0 && at != v.looked && len(v.telling) == 0 && at <= c.followed(m).epoch()
}

// holdsLedger checks what a node has against what was ruled up to its epoch.
func (c *checker) holdsLedger(m *machine, h *standing, now time.Duration) {
	l, v := c.followed(m), &c.views[m.index]
	if len(v.telling) > 0 {
		return // it is about to tell
	}
	if v.parted || m.diskless { // it tells nothing more that must be durable
		return
	}
	if h.epoch != v.epoch || h.epoch > l.epoch() {
		c.violate(now, m, RuleLedger, "is at epoch %d, and has told %d of %d", h.epoch, v.epoch, l.epoch())
		return
	}
	if h.epoch == 0 {
		return
	}
	if h.stays != nil {
		v.looked = h.epoch
		if at := &l.rulings[h.epoch-1]; h.head != at.hash {
			c.violate(now, m, RuleLedger, "has another ledger up to epoch %d than %s", h.epoch, at.first)
		} else if c.hashOf(h.stays) != at.roster {
			c.violate(now, m, RuleRoster, "has another roster at epoch %d than was ruled: %d members, %d", h.epoch, len(h.stays), at.members)
		}
	}
	c.lists(m, h, now)
}

// hashOf is the hash of a roster.
func (c *checker) hashOf(stays []hearsay.Stay) hearsay.Hash {
	var r present
	for i := 0; i < len(stays); {
		end := i
		for end < len(stays) && stays[end].ID[0] == stays[i].ID[0] {
			end++
		}
		r.hashes[stays[i].ID[0]] = core.HashBucket(stays[i:end])
		i = end
	}
	return core.HashRoster(c.network, &r.hashes)
}

// lists checks that a node lists as living exactly who is in. A member that leaves
// says so to the seeds, and is in until they have ruled it.
func (c *checker) lists(m *machine, h *standing, now time.Duration) {
	l := c.followed(m)
	missing := l.rulings[h.epoch-1].members
	for i := range h.members {
		one := &h.members[i]
		number, known := c.numbers[one.ID]
		if known && int(c.identities[number].machine) >= c.peers {
			continue
		}
		switch in, was := l.in(one.ID, h.epoch); {
		case in && (one.State.Living() || one.ID == m.id):
			missing--
		case in:
			c.violate(now, m, RuleRoster, "holds %s %s at epoch %d, which is in", c.name(one.ID), one.State, h.epoch)
			missing--
		case !one.State.Living() || one.ID == m.id:
		case was:
			c.violate(now, m, RuleReturn, "holds %s %s at epoch %d, whose stay is over", c.name(one.ID), one.State, h.epoch)
		default:
			c.violate(now, m, RuleRoster, "holds %s %s at epoch %d, which no ruling has admitted", c.name(one.ID), one.State, h.epoch)
		}
	}
	if missing > 0 {
		c.violate(now, m, RuleRoster, "does not list %d that are in at epoch %d", missing, h.epoch)
	}
}
