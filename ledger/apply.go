package ledger

import (
	"slices"

	"hearsay"
	"hearsay/internal/core"
)

// Outcome is what became of a command.
type Outcome uint8

// The outcomes, and what a Change has of each.
const (
	OutRefused  Outcome = iota // nothing changed: why
	OutOpened                  // Case
	OutBalloted                // Case, Ballot, and as ID the seed that has cast it
	OutRuled                   // Ruling; Case unless it is a leave; Gone if it is a removal
	OutAborted                 // Case, Reason
	OutBarred                  // ID, Why
	OutLifted                  // ID, Why
	OutMoved                   // ID, Moved
)

// Change is one thing that applying an entry did. It has all that is told of it: what the
// same entry did later may have changed that again.
type Change struct {
	Outcome
	at     int64
	Case   *Case
	Ballot hearsay.Ballot
	Ruling *hearsay.Ruling
	ID     hearsay.NodeID
	Moved  *Member        // as the move has left it
	Gone   *hearsay.Claim // of a removal: the last of the one that was removed
	Reason hearsay.Reason
	Why    string
}

// Apply carries out a command of the log, with the id of the case that it may open. It is
// a pure function of the state and the command: time is what the command says, and whether
// evidence holds has been answered by ballots. What it does check is signatures, so that nobody
// casts a ballot or signs a leave for another, and the reasons of bars: they are shown to
// people, and a seed that lies may write any text.
func (s *State) Apply(id hearsay.CaseID, c *Command) (changes []Change) {
	s.Usage.pass(c.Proposer, c.At)
	changes = s.apply(id, c)
	for i := range changes {
		changes[i].at = c.At
	}
	return changes
}

func (s *State) apply(id hearsay.CaseID, c *Command) []Change {
	switch c.Op {
	case OpAdmit:
		return s.OpenAdmission(id, c)
	case OpRemove:
		return s.openRemoval(id, c)
	case OpSeat:
		return s.open(id, c, c.Seat.Key.NodeID(), s.RefusesSeat(c.Seat))
	case OpBallot:
		return s.takeBallot(c)
	case OpLeave:
		return s.leave(id, c)
	case OpExpire:
		if open := s.CaseOf(c.CaseID); open != nil {
			return s.abort(open, hearsay.ReasonLate)
		}
		return nil
	case OpBar, OpLift:
		return s.changeBar(id.Index(), c)
	case OpMove:
		return s.move(c)
	case OpLimits:
		return s.Limit(c)
	}
	return nil
}

func (s *State) open(id hearsay.CaseID, c *Command, subject hearsay.NodeID, refused string) []Change {
	if refused != "" {
		return []Change{{Outcome: OutRefused, ID: subject, Why: refused}}
	}
	open := &Case{ID: id, Opening: *c}
	open.About = open.ruling(s.Network).About(s.Network)
	s.Cases = append(s.Cases, open) // ids grow with the log
	s.note(open)
	return []Change{{Outcome: OutOpened, Case: open}}
}

// openRemoval opens a case against a stay. One that rests on a majority of the
// observers takes the place of one that must wait for lack of it: a word without
// evidence, from anybody, must not make a removal slow.
func (s *State) openRemoval(id hearsay.CaseID, c *Command) (changes []Change) {
	if open := s.Removing[c.Stay.ID]; open != nil && open.OutweighedBy(c) {
		changes = s.abort(open, hearsay.ReasonOutweighed)
	}
	return append(changes, s.open(id, c, c.Stay.ID, s.refusesRemoval(c.Stay))...)
}

// takeBallot counts a ballot: of who sits in its slot now, about what the case
// is about, signed, and the first of its slot.
func (s *State) takeBallot(c *Command) []Change {
	b := &c.Ballot
	open := s.CaseOf(b.Case)
	if open == nil || int(b.Slot) >= len(s.Seats) || open.BallotOf(b.Slot) != nil {
		return nil // late, or again
	}
	seat := s.Seats[b.Slot]
	if b.About != open.About || b.Stay != open.Stay() || b.Life != seat.Life || seat.Life.IsZero() || !s.Signed(b, seat.Key) {
		return []Change{{Outcome: OutRefused, Case: open, Why: "a ballot that its seat did not cast"}}
	}
	open.Ballots = append(open.Ballots, *b)
	changes := []Change{{Outcome: OutBalloted, Case: open, Ballot: *b, ID: seat.Key.NodeID()}}
	yes, no := open.count(hearsay.BallotYes), open.count(hearsay.BallotNo)
	switch {
	case yes >= s.Quorum():
		return append(changes, s.Decide(open, c.At))
	case no > 0 && open.Short():
		return append(changes, s.abort(open, hearsay.ReasonOneReaches)...)
	case len(s.Seats)-no < s.Quorum():
		return append(changes, s.abort(open, hearsay.ReasonManyNo)...)
	}
	return changes
}

// Signed reports whether the holder of key has signed a ballot for this ledger.
func (s *State) Signed(b *hearsay.Ballot, key hearsay.PublicKey) bool {
	var buf [256]byte
	return s.verify(key, b.AppendSigned(buf[:0], s.Ledger()), b.Signature)
}

// Decide rules what a quorum of equal ballots said.
func (s *State) Decide(c *Case, at int64) Change {
	s.close(c)
	r := c.ruling(s.Network)
	r.At = at
	var gone *hearsay.Claim
	for i := range c.Ballots {
		if c.Ballots[i].Verdict == hearsay.BallotYes {
			r.Ballots = append(r.Ballots, c.Ballots[i])
		}
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		r.Stay.Epoch = s.Epoch + 1
		r.Key = r.Claim.Card.Key
		s.Members.Add(Member{Stay: r.Stay, Claim: c.Opening.Claim})
		s.arrive(&c.Opening.Claim)
	case hearsay.RulingRemove:
		last := s.Members.Get(r.Stay.ID).Claim
		gone = &last
		r.Key = s.Drop(r.Stay, c.Opening.Evidence, true)
	case hearsay.RulingSeat:
		s.Seats[c.Opening.Seat.Slot] = c.Opening.Seat
		// a snapshot may hold one of this life, which nobody has verified
		s.Usage.Words[c.Opening.Seat.Slot] = core.LimitsWord{}
	}
	return Change{Outcome: OutRuled, Case: c, Ruling: s.Rule(r), Gone: gone}
}

// Drop ends a stay, and gives the key of who had it.
func (s *State) Drop(stay hearsay.Stay, evidence *hearsay.Evidence, removed bool) hearsay.PublicKey {
	m := s.Members.Get(stay.ID)
	key, incarnation := m.Claim.Card.Key, m.Claim.Incarnation
	if evidence != nil {
		incarnation = max(incarnation, evidence.Incarnation)
	}
	s.vacate(&m.Claim)
	s.Members.Remove(stay.ID)
	s.depart(stay.ID, incarnation, removed)
	return key
}

// Rule gives a ruling its place in the ledger.
func (s *State) Rule(r *hearsay.Ruling) *hearsay.Ruling {
	s.Epoch++
	r.Epoch, r.Previous = s.Epoch, s.Head
	r.Roster = s.Members.Hash(s.Network)
	s.Head, s.Last = r.Hash(s.Network), r
	if r.Kind == hearsay.RulingRecover {
		s.Began = s.Head
	}
	return r
}

func (s *State) abort(c *Case, reason hearsay.Reason) []Change {
	s.close(c)
	s.GiveBack(c)
	return []Change{{Outcome: OutAborted, Case: c, Reason: reason}}
}

// GiveBack takes back what a case has spent that ends without a ruling.
func (s *State) GiveBack(c *Case) {
	if c.Opening.Op == OpAdmit {
		s.Usage.Spend(core.Source(c.Opening.Claim.Card.Addr.Addr()), -AnAdmission, -AnAdmission)
	}
}

// leave ends a stay by its member's own signed word.
func (s *State) leave(id hearsay.CaseID, c *Command) []Change {
	stay := c.Leave.Stay
	if !s.Members.Has(stay) {
		return nil // several seeds have taken it, or it was removed meanwhile: that ruling has answered
	}
	key := s.Members.Get(stay.ID).Claim.Card.Key
	var buf [128]byte
	if stay.ID != key.NodeID() || !s.verify(key, c.Leave.AppendSigned(buf[:0], s.Ledger()), c.Leave.Signature) {
		return []Change{{Outcome: OutRefused, ID: stay.ID, Why: "a leave that its member did not sign"}}
	}
	var changes []Change
	if open := s.Removing[stay.ID]; open != nil {
		changes = s.abort(open, hearsay.ReasonLeft)
	}
	// it makes no room for more rulings
	s.Usage.Spend(core.Source(s.Members.Get(stay.ID).Claim.Card.Addr.Addr()), AnAdmission, 0)
	s.Drop(stay, nil, false)
	r := s.Rule(&hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: stay, Key: key, Case: id, Leave: c.Leave.Signature, At: c.At})
	return append(changes, Change{Outcome: OutRuled, Ruling: r})
}

// changeBar sets a bar or lifts one. A seed proposes again what has not come about soon, and the
// second proposal may be slow: it must not undo what an operator has asked at another seed since. So a
// proposal of before the last change of bars changes nothing; the seed that still wants it proposes it
// anew. Those in one entry were proposed together.
func (s *State) changeBar(index uint64, c *Command) (changes []Change) {
	at, found := s.FindBar(c.ID)
	switch {
	case s.BarsChanged > c.Seen && s.BarsChanged != index, found != (c.Op == OpLift), steers(c.Why):
		return nil
	case found:
		s.Barred = slices.Delete(s.Barred, at, at+1)
		changes = []Change{{Outcome: OutLifted, ID: c.ID, Why: c.Why}}
	case len(s.Barred) >= MaxBarred:
		return nil
	default:
		s.Barred = slices.Insert(s.Barred, at, hearsay.Bar{ID: c.ID, At: c.At, Why: c.Why})
		changes = []Change{{Outcome: OutBarred, ID: c.ID, Why: c.Why}}
		if open := s.Admitting[c.ID]; open != nil {
			changes = append(changes, s.abort(open, hearsay.ReasonBarred)...)
		}
	}
	s.BarsChanged = index
	return changes
}

// move takes a member's newer signed claim.
func (s *State) move(c *Command) []Change {
	m := s.Members.Get(c.Claim.Subject)
	if m == nil || m.Claim.Card.Key != c.Claim.Card.Key || c.Claim.Card.Role != hearsay.RolePeer || c.Claim.Incarnation <= m.Claim.Incarnation {
		return nil
	}
	var buf [256]byte
	if !s.verify(c.Claim.Card.Key, c.Claim.AppendSigned(buf[:0], s.Network), c.Claim.Card.Signature) {
		return []Change{{Outcome: OutRefused, ID: c.Claim.Subject, Why: "a claim that its member did not sign"}}
	}
	if why := s.refusesMove(m.Claim.Card.Addr, c.Claim.Card.Addr); why != "" {
		return []Change{{Outcome: OutRefused, ID: c.Claim.Subject, Why: why}}
	}
	s.vacate(&m.Claim)
	m.Claim = c.Claim
	s.arrive(&m.Claim)
	return []Change{{Outcome: OutMoved, ID: c.Claim.Subject, Moved: new(*m)}}
}
