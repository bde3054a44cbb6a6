package ledger

import (
	"cmp"
	"net/netip"
	"slices"

	"hearsay"
	"hearsay/internal/core"
)

// Limits of the state that all seeds have in common. What does not fit is
// refused by apply, on all of them alike.
const (
	maxOpen     = 4096 // open cases: a thousand who join together, and room
	MaxBarred   = 4096 // barred identities
	MaxDeparted = 4096 // stays that are over, whose incarnations are remembered
)

// State is what the log comes to: equal on all seeds that have applied the
// same entries. It changes in apply only.
type State struct {
	Network hearsay.NetworkID
	verify  func(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool

	Seats    []hearsay.Seat // one for each configured seed
	Founding []hearsay.Seat // as they were before the first ruling
	Members  Members
	Cases    []*Case       // ascending by id
	Barred   []hearsay.Bar // ascending by identity
	Departed []departure   // oldest first
	Epoch    hearsay.Epoch
	Head     hearsay.Hash    // of the last ruling
	Last     *hearsay.Ruling // nil: nothing was ruled yet
	Began    hearsay.Hash    // what is signed names it (LedgerID.Founding)
	Usage    Usage

	BarsChanged uint64 // the entry that has last set or lifted a bar

	// What is derived from cases: one is open for an identity, an address, a
	// seat at a time.
	Admitting map[hearsay.NodeID]*Case
	Addresses map[netip.AddrPort]*Case
	Removing  map[hearsay.NodeID]*Case

	// Who of the members is at an address by the newest claim in the log: seldom
	// more than one.
	At map[netip.AddrPort][]hearsay.NodeID
}

// departure is a stay that is over. A claim that its node had signed before
// does not bring it back, and neither does evidence against it count for a
// later stay.
type departure struct {
	id          hearsay.NodeID
	incarnation hearsay.Incarnation
	removed     bool // it has not left
}

// Case is what the seeds are deciding.
type Case struct {
	ID      hearsay.CaseID
	Opening Command      // OpAdmit, OpRemove or OpSeat
	About   hearsay.Hash // of the opening
	Ballots []hearsay.Ballot
}

// Stay is what the case is about; of an admission without an epoch yet, of a
// seat zero.
func (c *Case) Stay() hearsay.Stay {
	switch c.Opening.Op {
	case OpAdmit:
		return hearsay.Stay{ID: c.Opening.Claim.Subject}
	case OpRemove:
		return c.Opening.Stay
	}
	return hearsay.Stay{}
}

// ruling is what the case would come to, as far as it is known before: what
// its ballots are about.
func (c *Case) ruling(network hearsay.NetworkID) *hearsay.Ruling {
	r := &hearsay.Ruling{Kind: c.Kind(), Stay: c.Stay(), Case: c.ID}
	switch c.Opening.Op {
	case OpAdmit:
		r.Claim = c.Opening.Claim
	case OpRemove:
		r.Rule = c.Opening.Rule
		if c.Opening.Evidence != nil {
			r.Evidence = c.Opening.Evidence.Hash(network)
		}
	case OpSeat:
		r.Seats = []hearsay.Seat{c.Opening.Seat}
	}
	return r
}

// Kind is that of the ruling that the case may come to.
func (c *Case) Kind() hearsay.RulingKind {
	switch c.Opening.Op {
	case OpAdmit:
		return hearsay.RulingAdmit
	case OpRemove:
		return hearsay.RulingRemove
	}
	return hearsay.RulingSeat
}

// Short reports whether one seed that reaches the subject is enough to end
// the case: nothing but timeouts speaks against it.
func (c *Case) Short() bool {
	return c.Opening.Op == OpRemove && c.Opening.Rule != hearsay.RuleMajority
}

// OutweighedBy reports whether a command brings against the same stay what this
// case lacks.
func (c *Case) OutweighedBy(o *Command) bool {
	return c.Short() && o.Op == OpRemove && o.Stay == c.Opening.Stay && o.Rule == hearsay.RuleMajority
}

func (c *Case) count(v hearsay.BallotVerdict) (n int) {
	for i := range c.Ballots {
		if c.Ballots[i].Verdict == v {
			n++
		}
	}
	return n
}

// BallotOf gives the ballot of a slot; nil: it has cast none.
func (c *Case) BallotOf(slot uint8) *hearsay.Ballot {
	for i := range c.Ballots {
		if c.Ballots[i].Slot == slot {
			return &c.Ballots[i]
		}
	}
	return nil
}

// NewState is that of a founding with these seats.
func NewState(network hearsay.NetworkID, signer hearsay.Signer, seats []hearsay.Seat) *State {
	s := &State{Network: network, verify: signer.Verify, Seats: slices.Clone(seats), Founding: slices.Clone(seats)}
	s.Head = core.FoundingHash(network, seats)
	s.Began, s.Usage = s.Head, NewUsage(len(seats))
	s.Derive()
	return s
}

// Derive derives what is derived.
func (s *State) Derive() {
	s.Admitting = make(map[hearsay.NodeID]*Case)
	s.Addresses = make(map[netip.AddrPort]*Case)
	s.Removing = make(map[hearsay.NodeID]*Case)
	s.Usage.members, s.Usage.asking, s.Usage.allAsking = make(map[netip.Addr]int), make(map[netip.Addr]int), 0
	for _, c := range s.Cases {
		s.note(c)
	}
	s.At = make(map[netip.AddrPort][]hearsay.NodeID, s.Members.Count)
	for i := range s.Members.Parts {
		for j := range s.Members.Parts[i] {
			s.arrive(&s.Members.Parts[i][j].Claim)
		}
	}
}

// arrive notes where a member is by its claim, and vacate that it is there no
// more.
func (s *State) arrive(c *hearsay.Claim) {
	s.At[c.Card.Addr] = append(s.At[c.Card.Addr], c.Subject)
	tally(s.Usage.members, c.Card.Addr, 1)
}

func (s *State) vacate(c *hearsay.Claim) {
	tally(s.Usage.members, c.Card.Addr, -1)
	left := slices.DeleteFunc(s.At[c.Card.Addr], func(id hearsay.NodeID) bool { return id == c.Subject })
	if s.At[c.Card.Addr] = left; len(left) == 0 {
		delete(s.At, c.Card.Addr)
	}
}

func (s *State) note(c *Case) {
	switch c.Opening.Op {
	case OpAdmit:
		s.Admitting[c.Opening.Claim.Subject] = c
		s.Addresses[c.Opening.Claim.Card.Addr] = c
		tally(s.Usage.asking, c.Opening.Claim.Card.Addr, 1)
		s.Usage.allAsking++
	case OpRemove:
		s.Removing[c.Opening.Stay.ID] = c
	}
}

// Ledger is what is signed here is about.
func (s *State) Ledger() hearsay.LedgerID {
	return hearsay.LedgerID{Network: s.Network, Founding: s.Began}
}

// Quorum is how many equal ballots decide.
func (s *State) Quorum() int { return hearsay.QuorumOf(len(s.Seats)) }

// CaseOf gives the open case of this id, or nil.
func (s *State) CaseOf(id hearsay.CaseID) *Case {
	at, found := slices.BinarySearchFunc(s.Cases, id, func(c *Case, id hearsay.CaseID) int { return cmp.Compare(c.ID, id) })
	if !found {
		return nil
	}
	return s.Cases[at]
}

func (s *State) close(c *Case) {
	s.Cases = slices.DeleteFunc(s.Cases, func(o *Case) bool { return o == c })
	switch c.Opening.Op {
	case OpAdmit:
		delete(s.Admitting, c.Opening.Claim.Subject)
		delete(s.Addresses, c.Opening.Claim.Card.Addr)
		tally(s.Usage.asking, c.Opening.Claim.Card.Addr, -1)
		s.Usage.allAsking--
	case OpRemove:
		delete(s.Removing, c.Opening.Stay.ID)
	}
}

// SeatCase gives the open case about a slot, or nil.
func (s *State) SeatCase(slot uint8) *Case {
	for _, c := range s.Cases {
		if c.Opening.Op == OpSeat && c.Opening.Seat.Slot == slot {
			return c
		}
	}
	return nil
}

// FindBar gives the place of a node among those that are barred, and whether it is one.
func (s *State) FindBar(id hearsay.NodeID) (at int, found bool) {
	return slices.BinarySearchFunc(s.Barred, id, func(b hearsay.Bar, id hearsay.NodeID) int { return b.ID.Compare(id) })
}

// departedAt gives the newest incarnation known of a node whose stay is over.
func (s *State) departedAt(id hearsay.NodeID) hearsay.Incarnation {
	for i := len(s.Departed) - 1; i >= 0; i-- {
		if s.Departed[i].id == id {
			return s.Departed[i].incarnation
		}
	}
	return 0
}

// depart remembers a stay that is over. Those that have left are forgotten first: who
// was removed may live, and has a place to come back to.
func (s *State) depart(id hearsay.NodeID, incarnation hearsay.Incarnation, removed bool) {
	// one that comes and goes takes one place
	s.Departed = slices.DeleteFunc(s.Departed, func(d departure) bool { return d.id == id })
	if len(s.Departed) >= MaxDeparted {
		oldest := max(0, slices.IndexFunc(s.Departed, func(d departure) bool { return !d.removed }))
		s.Departed = slices.Delete(s.Departed, oldest, oldest+1)
	}
	s.Departed = append(s.Departed, departure{id, incarnation, removed})
}

// RefusesAdmission says why a case about this claim cannot be opened, if so.
func (s *State) RefusesAdmission(c *hearsay.Claim) (why string) {
	_, barred := s.FindBar(c.Subject)
	switch {
	case c.Card.Role != hearsay.RolePeer:
		return "not a peer"
	case s.Members.Get(c.Subject) != nil:
		return "already in"
	case slices.ContainsFunc(s.Seats, func(o hearsay.Seat) bool { return !o.Key.IsZero() && o.Key.NodeID() == c.Subject }):
		return "it is a seed"
	case barred:
		return "barred"
	case s.Admitting[c.Subject] != nil:
		return "a case about it is open"
	case s.Addresses[c.Card.Addr] != nil:
		return "a case about its address is open"
	case !c.Card.Key.IsZero() && c.Incarnation <= s.departedAt(c.Subject):
		return "a claim from before its last stay ended"
	case len(s.Cases) >= maxOpen:
		return "too many cases are open"
	}
	return ""
}

// refusesRemoval says why a case about this stay cannot be opened, if so.
func (s *State) refusesRemoval(stay hearsay.Stay) (why string) {
	switch {
	case !s.Members.Has(stay):
		return "already removed"
	case s.Removing[stay.ID] != nil:
		return "a case about it is open"
	case len(s.Cases) >= maxOpen:
		return "too many cases are open"
	}
	return ""
}

// RefusesSeat says why a case about this seat cannot be opened, if so.
func (s *State) RefusesSeat(seat hearsay.Seat) (why string) {
	switch {
	case int(seat.Slot) >= len(s.Seats):
		return "no such seat"
	case len(s.Seats) <= 2:
		return "with one or two seeds there is no quorum without it"
	case s.Seats[seat.Slot] == seat:
		return "it has the seat"
	case seat.Life.IsZero() || seat.Key.IsZero():
		return "no life"
	case s.SeatCase(seat.Slot) != nil:
		return "a case about it is open"
	case slices.ContainsFunc(s.Seats, func(o hearsay.Seat) bool { return o.Slot != seat.Slot && o.Key == seat.Key }):
		return "another seat has this key"
	case s.Members.Get(seat.Key.NodeID()) != nil || s.Admitting[seat.Key.NodeID()] != nil:
		return "a peer has this key"
	}
	return ""
}
