package quorum

import (
	"cmp"
	"net/netip"
	"slices"

	"hearsay"
)

// Limits of the state that all seeds have in common. What does not fit is
// refused by apply, on all of them alike.
const (
	maxOpen     = 4096 // open cases: a thousand who join together, and room
	maxBarred   = 4096 // barred identities
	maxDeparted = 4096 // stays that are over, whose incarnations are remembered
)

// state is what the log comes to: equal on all seeds that have applied the
// same entries. It changes in apply only.
type state struct {
	network hearsay.NetworkID
	verify  func(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool

	seats    []hearsay.Seat // one for each configured seed
	founding []hearsay.Seat // as they were before the first ruling
	members  members
	cases    []*openCase   // ascending by id
	barred   []hearsay.Bar // ascending by identity
	departed []departure   // oldest first
	epoch    hearsay.Epoch
	head     hearsay.Hash    // of the last ruling
	last     *hearsay.Ruling // nil: nothing was ruled yet
	began    hearsay.Hash    // what is signed names it (LedgerID.Founding)
	bounds   bounds

	barsChanged uint64 // the entry that has last set or lifted a bar

	// What is derived from cases: one is open for an identity, an address, a
	// seat at a time.
	admitting map[hearsay.NodeID]*openCase
	addresses map[netip.AddrPort]*openCase
	removing  map[hearsay.NodeID]*openCase

	// Who of the members is at an address by the newest claim in the log: seldom
	// more than one.
	at map[netip.AddrPort][]hearsay.NodeID
}

// departure is a stay that is over. A claim that its node had signed before
// does not bring it back, and neither does evidence against it count for a
// later stay.
type departure struct {
	id          hearsay.NodeID
	incarnation hearsay.Incarnation
	removed     bool // it has not left
}

// openCase is what the seeds are deciding.
type openCase struct {
	id      hearsay.CaseID
	opening command      // opAdmit, opRemove or opSeat
	about   hearsay.Hash // of the opening
	ballots []hearsay.Ballot
}

// stay is what the case is about; of an admission without an epoch yet, of a
// seat zero.
func (c *openCase) stay() hearsay.Stay {
	switch c.opening.op {
	case opAdmit:
		return hearsay.Stay{ID: c.opening.claim.Subject}
	case opRemove:
		return c.opening.stay
	}
	return hearsay.Stay{}
}

// ruling is what the case would come to, as far as it is known before: what
// its ballots are about.
func (c *openCase) ruling(network hearsay.NetworkID) *hearsay.Ruling {
	r := &hearsay.Ruling{Kind: c.kind(), Stay: c.stay(), Case: c.id}
	switch c.opening.op {
	case opAdmit:
		r.Claim = c.opening.claim
	case opRemove:
		r.Rule = c.opening.rule
		if c.opening.evidence != nil {
			r.Evidence = c.opening.evidence.Hash(network)
		}
	case opSeat:
		r.Seats = []hearsay.Seat{c.opening.seat}
	}
	return r
}

func (c *openCase) kind() hearsay.RulingKind {
	switch c.opening.op {
	case opAdmit:
		return hearsay.RulingAdmit
	case opRemove:
		return hearsay.RulingRemove
	}
	return hearsay.RulingSeat
}

// short reports whether one seed that reaches the subject is enough to end
// the case: nothing but timeouts speaks against it.
func (c *openCase) short() bool {
	return c.opening.op == opRemove && c.opening.rule != hearsay.RuleMajority
}

// outweighedBy reports whether a command brings against the same stay what this
// case lacks.
func (c *openCase) outweighedBy(o *command) bool {
	return c.short() && o.op == opRemove && o.stay == c.opening.stay && o.rule == hearsay.RuleMajority
}

func (c *openCase) count(v hearsay.BallotVerdict) (n int) {
	for i := range c.ballots {
		if c.ballots[i].Verdict == v {
			n++
		}
	}
	return n
}

func (c *openCase) ballotOf(slot uint8) *hearsay.Ballot {
	for i := range c.ballots {
		if c.ballots[i].Slot == slot {
			return &c.ballots[i]
		}
	}
	return nil
}

func newState(network hearsay.NetworkID, signer hearsay.Signer, seats []hearsay.Seat) *state {
	s := &state{network: network, verify: signer.Verify, seats: slices.Clone(seats), founding: slices.Clone(seats)}
	s.head = hearsay.FoundingHash(network, seats)
	s.began, s.bounds = s.head, newBounds(len(seats))
	s.index()
	return s
}

// index derives what is derived.
func (s *state) index() {
	s.admitting = make(map[hearsay.NodeID]*openCase)
	s.addresses = make(map[netip.AddrPort]*openCase)
	s.removing = make(map[hearsay.NodeID]*openCase)
	s.bounds.members, s.bounds.asking, s.bounds.allAsking = make(map[netip.Addr]int), make(map[netip.Addr]int), 0
	for _, c := range s.cases {
		s.note(c)
	}
	s.at = make(map[netip.AddrPort][]hearsay.NodeID, s.members.count)
	for i := range s.members.parts {
		for j := range s.members.parts[i] {
			s.arrive(&s.members.parts[i][j].Claim)
		}
	}
}

// arrive notes where a member is by its claim, and vacate that it is there no
// more.
func (s *state) arrive(c *hearsay.Claim) {
	s.at[c.Card.Addr] = append(s.at[c.Card.Addr], c.Subject)
	tally(s.bounds.members, c.Card.Addr, 1)
}

func (s *state) vacate(c *hearsay.Claim) {
	tally(s.bounds.members, c.Card.Addr, -1)
	left := slices.DeleteFunc(s.at[c.Card.Addr], func(id hearsay.NodeID) bool { return id == c.Subject })
	if s.at[c.Card.Addr] = left; len(left) == 0 {
		delete(s.at, c.Card.Addr)
	}
}

func (s *state) note(c *openCase) {
	switch c.opening.op {
	case opAdmit:
		s.admitting[c.opening.claim.Subject] = c
		s.addresses[c.opening.claim.Card.Addr] = c
		tally(s.bounds.asking, c.opening.claim.Card.Addr, 1)
		s.bounds.allAsking++
	case opRemove:
		s.removing[c.opening.stay.ID] = c
	}
}

// ledger is what is signed here is about.
func (s *state) ledger() hearsay.LedgerID {
	return hearsay.LedgerID{Network: s.network, Founding: s.began}
}

// quorum is how many equal ballots decide.
func (s *state) quorum() int { return hearsay.QuorumOf(len(s.seats)) }

// find gives the open case of this id, or nil.
func (s *state) find(id hearsay.CaseID) *openCase {
	at, found := slices.BinarySearchFunc(s.cases, id, func(c *openCase, id hearsay.CaseID) int { return cmp.Compare(c.id, id) })
	if !found {
		return nil
	}
	return s.cases[at]
}

func (s *state) close(c *openCase) {
	s.cases = slices.DeleteFunc(s.cases, func(o *openCase) bool { return o == c })
	switch c.opening.op {
	case opAdmit:
		delete(s.admitting, c.opening.claim.Subject)
		delete(s.addresses, c.opening.claim.Card.Addr)
		tally(s.bounds.asking, c.opening.claim.Card.Addr, -1)
		s.bounds.allAsking--
	case opRemove:
		delete(s.removing, c.opening.stay.ID)
	}
}

// seating gives the open case about a slot, or nil.
func (s *state) seating(slot uint8) *openCase {
	for _, c := range s.cases {
		if c.opening.op == opSeat && c.opening.seat.Slot == slot {
			return c
		}
	}
	return nil
}

func (s *state) bar(id hearsay.NodeID) (at int, found bool) {
	return slices.BinarySearchFunc(s.barred, id, func(b hearsay.Bar, id hearsay.NodeID) int { return b.ID.Compare(id) })
}

// departedAt gives the newest incarnation known of a node whose stay is over.
func (s *state) departedAt(id hearsay.NodeID) hearsay.Incarnation {
	for i := len(s.departed) - 1; i >= 0; i-- {
		if s.departed[i].id == id {
			return s.departed[i].incarnation
		}
	}
	return 0
}

// depart remembers a stay that is over. Those that have left are forgotten first: who
// was removed may live, and has a place to come back to.
func (s *state) depart(id hearsay.NodeID, incarnation hearsay.Incarnation, removed bool) {
	s.departed = slices.DeleteFunc(s.departed, func(d departure) bool { return d.id == id }) // one that comes and goes takes one place
	if len(s.departed) >= maxDeparted {
		oldest := max(0, slices.IndexFunc(s.departed, func(d departure) bool { return !d.removed }))
		s.departed = slices.Delete(s.departed, oldest, oldest+1)
	}
	s.departed = append(s.departed, departure{id, incarnation, removed})
}

// refusesAdmission says why a case about this claim cannot be opened, if so.
func (s *state) refusesAdmission(c *hearsay.Claim) (why string) {
	_, barred := s.bar(c.Subject)
	switch {
	case c.Card.Role != hearsay.RolePeer:
		return "not a peer"
	case s.members.get(c.Subject) != nil:
		return "already in"
	case slices.ContainsFunc(s.seats, func(o hearsay.Seat) bool { return !o.Key.IsZero() && o.Key.NodeID() == c.Subject }):
		return "it is a seed"
	case barred:
		return "barred"
	case s.admitting[c.Subject] != nil:
		return "a case about it is open"
	case s.addresses[c.Card.Addr] != nil:
		return "a case about its address is open"
	case !c.Card.Key.IsZero() && c.Incarnation <= s.departedAt(c.Subject):
		return "a claim from before its last stay ended"
	case len(s.cases) >= maxOpen:
		return "too many cases are open"
	}
	return ""
}

// refusesRemoval says why a case about this stay cannot be opened, if so.
func (s *state) refusesRemoval(stay hearsay.Stay) (why string) {
	switch {
	case !s.members.has(stay):
		return "already removed"
	case s.removing[stay.ID] != nil:
		return "a case about it is open"
	case len(s.cases) >= maxOpen:
		return "too many cases are open"
	}
	return ""
}

// refusesSeat says why a case about this seat cannot be opened, if so.
func (s *state) refusesSeat(seat hearsay.Seat) (why string) {
	switch {
	case int(seat.Slot) >= len(s.seats):
		return "no such seat"
	case len(s.seats) <= 2:
		return "with one or two seeds there is no quorum without it"
	case s.seats[seat.Slot] == seat:
		return "it has the seat"
	case seat.Life.IsZero() || seat.Key.IsZero():
		return "no life"
	case s.seating(seat.Slot) != nil:
		return "a case about it is open"
	case slices.ContainsFunc(s.seats, func(o hearsay.Seat) bool { return o.Slot != seat.Slot && o.Key == seat.Key }):
		return "another seat has this key"
	case s.members.get(seat.Key.NodeID()) != nil || s.admitting[seat.Key.NodeID()] != nil:
		return "a peer has this key"
	}
	return ""
}
