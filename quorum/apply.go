package quorum

import (
	"slices"

	"hearsay"
)

// outcome is what became of a command.
type outcome uint8

const (
	outRefused  outcome = iota // nothing changed: why
	outOpened                  // c
	outBalloted                // c, ballot, id of who has cast it
	outRuled                   // ruling; c unless it is a leave
	outAborted                 // c, why
	outBarred                  // id, why
	outLifted                  // id, why
	outMoved                   // id, moved
)

// change is one thing that applying an entry did. It has all that is told of it: what the
// same entry did later may have changed that again.
type change struct {
	outcome
	at     int64
	c      *openCase
	ballot hearsay.Ballot
	ruling *hearsay.Ruling
	id     hearsay.NodeID
	moved  *Member // as the move has left it
	why    string
}

// carry carries out a command of the log, with the id of the case that it may open. It is
// a pure function of the state and the command: time is what the command says, and whether
// evidence holds has been answered by ballots. What it does check is signatures, so that nobody
// casts a ballot or signs a leave for another, and reasons: they are shown to people, and
// a seed that lies may write any text. Its ballot is then as good as none.
func (s *state) carry(id hearsay.CaseID, c *command) (changes []change) {
	s.bounds.pass(c.proposer, c.at)
	changes = s.carryOut(id, c)
	for i := range changes {
		changes[i].at = c.at
	}
	return changes
}

func (s *state) carryOut(id hearsay.CaseID, c *command) []change {
	switch c.op {
	case opAdmit:
		return s.openAdmission(id, c)
	case opRemove:
		return s.openRemoval(id, c)
	case opSeat:
		return s.open(id, c, c.seat.Key.NodeID(), s.refusesSeat(c.seat))
	case opBallot:
		return s.takeBallot(c)
	case opLeave:
		return s.leave(id, c)
	case opExpire:
		if open := s.find(c.caseID); open != nil {
			return s.abort(open, "no decision in time")
		}
		return nil
	case opBar, opLift:
		return s.changeBar(id.Index(), c)
	case opMove:
		return s.move(c)
	case opLimits:
		return s.limit(c)
	}
	return nil
}

func (s *state) open(id hearsay.CaseID, c *command, subject hearsay.NodeID, refused string) []change {
	if refused != "" {
		return []change{{outcome: outRefused, id: subject, why: refused}}
	}
	open := &openCase{id: id, opening: *c}
	open.about = open.ruling(s.network).About(s.network)
	s.cases = append(s.cases, open) // ids grow with the log
	s.note(open)
	return []change{{outcome: outOpened, c: open}}
}

// openRemoval opens a case against a stay. One that rests on a majority of the
// observers takes the place of one that must wait for lack of it: a word without
// evidence, from anybody, must not make a removal slow.
func (s *state) openRemoval(id hearsay.CaseID, c *command) (changes []change) {
	if open := s.removing[c.stay.ID]; open != nil && open.outweighedBy(c) {
		changes = s.abort(open, "a majority of its observers is against it now")
	}
	return append(changes, s.open(id, c, c.stay.ID, s.refusesRemoval(c.stay))...)
}

// takeBallot counts a ballot: of who sits in its slot now, about what the case
// is about, signed, and the first of its slot.
func (s *state) takeBallot(c *command) []change {
	b := &c.ballot
	open := s.find(b.Case)
	if open == nil || int(b.Slot) >= len(s.seats) || open.ballotOf(b.Slot) != nil {
		return nil // late, or again
	}
	seat := s.seats[b.Slot]
	if b.About != open.about || b.Stay != open.stay() || b.Life != seat.Life || seat.Life.IsZero() || !s.signed(b, seat.Key) {
		return []change{{outcome: outRefused, c: open, why: "a ballot that its seat did not cast"}}
	}
	if hearsay.Steers(b.Why) {
		return []change{{outcome: outRefused, c: open, why: "a ballot whose reason is no plain text"}}
	}
	open.ballots = append(open.ballots, *b)
	changes := []change{{outcome: outBalloted, c: open, ballot: *b, id: seat.Key.NodeID()}}
	yes, no := open.count(hearsay.BallotYes), open.count(hearsay.BallotNo)
	switch {
	case yes >= s.quorum():
		return append(changes, s.decide(open, c.at))
	case no > 0 && open.short():
		return append(changes, s.abort(open, "a seed reaches it")...)
	case len(s.seats)-no < s.quorum():
		return append(changes, s.abort(open, "too many seeds say no")...)
	}
	return changes
}

func (s *state) signed(b *hearsay.Ballot, key hearsay.PublicKey) bool {
	var buf [256]byte
	return s.verify(key, b.AppendSigned(buf[:0], s.ledger()), b.Signature)
}

// decide rules what a quorum of equal ballots said.
func (s *state) decide(c *openCase, at int64) change {
	s.close(c)
	r := c.ruling(s.network)
	r.At = at
	for i := range c.ballots {
		if c.ballots[i].Verdict == hearsay.BallotYes {
			r.Ballots = append(r.Ballots, c.ballots[i])
		}
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		r.Stay.Epoch = s.epoch + 1
		r.Key = r.Claim.Card.Key
		s.members.add(Member{Stay: r.Stay, Claim: c.opening.claim})
		s.arrive(&c.opening.claim)
	case hearsay.RulingRemove:
		r.Key = s.drop(r.Stay, c.opening.evidence, true)
	case hearsay.RulingSeat:
		s.seats[c.opening.seat.Slot] = c.opening.seat
		s.bounds.words[c.opening.seat.Slot] = hearsay.LimitsWord{} // a snapshot may hold one of this life, which nobody has verified
	}
	return change{outcome: outRuled, c: c, ruling: s.rule(r)}
}

// drop ends a stay, and gives the key of who had it.
func (s *state) drop(stay hearsay.Stay, evidence *hearsay.Evidence, removed bool) hearsay.PublicKey {
	m := s.members.get(stay.ID)
	key, incarnation := m.Claim.Card.Key, m.Claim.Incarnation
	if evidence != nil {
		incarnation = max(incarnation, evidence.Incarnation)
	}
	s.vacate(&m.Claim)
	s.members.remove(stay.ID)
	s.depart(stay.ID, incarnation, removed)
	return key
}

// rule gives a ruling its place in the ledger.
func (s *state) rule(r *hearsay.Ruling) *hearsay.Ruling {
	s.epoch++
	r.Epoch, r.Previous = s.epoch, s.head
	r.Roster = s.members.hash(s.network)
	s.head, s.last = r.Hash(s.network), r
	if r.Kind == hearsay.RulingRecover {
		s.began = s.head
	}
	return r
}

func (s *state) abort(c *openCase, why string) []change {
	s.close(c)
	s.giveBack(c)
	return []change{{outcome: outAborted, c: c, why: why}}
}

// giveBack takes back what a case has spent that ends without a ruling.
func (s *state) giveBack(c *openCase) {
	if c.opening.op == opAdmit {
		s.bounds.spend(hearsay.Source(c.opening.claim.Card.Addr.Addr()), -anAdmission, -anAdmission)
	}
}

// leave ends a stay by its member's own signed word.
func (s *state) leave(id hearsay.CaseID, c *command) []change {
	stay := c.leave.Stay
	if !s.members.has(stay) {
		return nil // several seeds have taken it, or it was removed meanwhile: that ruling has answered
	}
	key := s.members.get(stay.ID).Claim.Card.Key
	var buf [128]byte
	if stay.ID != key.NodeID() || !s.verify(key, c.leave.AppendSigned(buf[:0], s.ledger()), c.leave.Signature) {
		return []change{{outcome: outRefused, id: stay.ID, why: "a leave that its member did not sign"}}
	}
	var changes []change
	if open := s.removing[stay.ID]; open != nil {
		changes = s.abort(open, "it has left")
	}
	s.bounds.spend(hearsay.Source(s.members.get(stay.ID).Claim.Card.Addr.Addr()), anAdmission, 0) // it makes no room for more rulings
	s.drop(stay, nil, false)
	r := s.rule(&hearsay.Ruling{Kind: hearsay.RulingLeave, Stay: stay, Key: key, Case: id, Leave: c.leave.Signature, At: c.at})
	return append(changes, change{outcome: outRuled, ruling: r})
}

// changeBar sets a bar or lifts one. A seed proposes again what has not come about soon, and the
// second proposal may be slow: it must not undo what an operator has asked at another seed since. So a
// proposal of before the last change of bars changes nothing; the seed that still wants it proposes it
// anew. Those in one entry were proposed together.
func (s *state) changeBar(index uint64, c *command) (changes []change) {
	at, found := s.bar(c.id)
	switch {
	case s.barsChanged > c.seen && s.barsChanged != index, found != (c.op == opLift), hearsay.Steers(c.why):
		return nil
	case found:
		s.barred = slices.Delete(s.barred, at, at+1)
		changes = []change{{outcome: outLifted, id: c.id, why: c.why}}
	case len(s.barred) >= maxBarred:
		return nil
	default:
		s.barred = slices.Insert(s.barred, at, hearsay.Bar{ID: c.id, At: c.at, Why: c.why})
		changes = []change{{outcome: outBarred, id: c.id, why: c.why}}
		if open := s.admitting[c.id]; open != nil {
			changes = append(changes, s.abort(open, "barred")...)
		}
	}
	s.barsChanged = index
	return changes
}

// move takes a member's newer signed claim.
func (s *state) move(c *command) []change {
	m := s.members.get(c.claim.Subject)
	if m == nil || m.Claim.Card.Key != c.claim.Card.Key || c.claim.Card.Role != hearsay.RolePeer || c.claim.Incarnation <= m.Claim.Incarnation {
		return nil
	}
	var buf [256]byte
	if !s.verify(c.claim.Card.Key, c.claim.AppendSigned(buf[:0], s.network), c.claim.Card.Signature) {
		return []change{{outcome: outRefused, id: c.claim.Subject, why: "a claim that its member did not sign"}}
	}
	if why := s.refusesMove(m.Claim.Card.Addr, c.claim.Card.Addr); why != "" {
		return []change{{outcome: outRefused, id: c.claim.Subject, why: why}}
	}
	s.vacate(&m.Claim)
	m.Claim = c.claim
	s.arrive(&m.Claim)
	return []change{{outcome: outMoved, id: c.claim.Subject, moved: new(*m)}}
}
