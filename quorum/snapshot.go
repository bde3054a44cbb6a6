package quorum

import (
	"encoding/binary"
	"math"
	"slices"

	"hearsay"
)

// A snapshot is the state in canonical bytes: equal states have equal
// snapshots. Of the ledger the last ruling is in it, which the head is the hash of.
//
//	version 6 · epoch 8 · head 32 · began 32 · if epoch > 0: ruling · seats · seats at the founding
//	count 4 · members: stay 24 · claim
//	count 4 · open cases: id 8 · opening · count 1 · ballots
//	bars changed 8 · count 4 · barred: id 16 · at 8 · why
//	count 4 · departed: id 16 · incarnation 8 · removed 1
//	limits 16 · now 8 · by seat: at 8 · then 8 · said 1 · word
//	spent 8 · at 8 · count 4 · sources: address 16 · spent 8 · at 8
//
// The version rises with each change of that, also if less is taken for a snapshot than before.
// A seed does not start on one of another version (otherVersion).
const snapshotVersion = 6

// What one of each has in a snapshot, in bytes, at most.
const (
	memberBytes    = 256
	caseBytes      = 2 << 10 // without ballots
	ballotBytes    = 448     // one of each seat
	barBytes       = 272
	departureBytes = 25
	sourceBytes    = 32
	otherBytes     = 64 << 10 // seats, the last ruling, limits

	// membersOver is how many times the members that the limits allow a snapshot may have. Guess:
	// limits may have been raised while this seed was away, or been lowered since.
	membersOver = 4
)

// snapshotMost is how many bytes a snapshot of a log has at most that this seed takes.
func (q *Quorum) snapshotMost() int {
	members := max(q.cfg.Limits.Members, q.Limits().Members)
	return membersOver*int(members)*memberBytes + maxOpen*(caseBytes+len(q.cfg.Seeds)*ballotBytes) +
		maxBarred*barBytes + maxDeparted*departureBytes + maxSpending*sourceBytes + otherBytes
}

func (s *state) appendSnapshot(dst []byte) []byte {
	dst = append(dst, snapshotVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.epoch))
	dst = append(append(dst, s.head[:]...), s.began[:]...)
	if s.epoch > 0 {
		dst = s.last.AppendBinary(dst)
	}
	dst = hearsay.AppendSeats(hearsay.AppendSeats(dst, s.seats), s.founding)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.members.count))
	for i := range s.members.parts {
		for j := range s.members.parts[i] {
			m := &s.members.parts[i][j]
			dst = m.Claim.AppendBinary(hearsay.AppendStay(dst, m.Stay))
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.cases)))
	for _, c := range s.cases {
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.id))
		dst = c.opening.append(dst)
		dst = append(dst, byte(len(c.ballots)))
		for i := range c.ballots {
			dst = c.ballots[i].AppendBinary(dst)
		}
	}
	dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, s.barsChanged), uint32(len(s.barred)))
	for i := range s.barred {
		dst = append(dst, s.barred[i].ID[:]...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.barred[i].At))
		dst = hearsay.AppendText(dst, s.barred[i].Why)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.departed)))
	for i := range s.departed {
		dst = append(dst, s.departed[i].id[:]...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.departed[i].incarnation))
		if s.departed[i].removed {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	}
	return s.bounds.appendBinary(dst)
}

// readSnapshot gives the state of a snapshot, or nil if it is none, or one that
// apply could not have come to.
func readSnapshot(network hearsay.NetworkID, signer hearsay.Signer, data []byte) *state {
	r := hearsay.NewCanonical(data)
	if r.Byte() != snapshotVersion {
		return nil
	}
	s := &state{network: network, verify: signer.Verify}
	s.epoch, s.head, s.began = hearsay.Epoch(r.Uint64()), r.Hash(), r.Hash()
	if s.epoch > 0 {
		s.last = r.Ruling()
	}
	s.seats, s.founding = r.Seats(), r.Seats()
	previous := hearsay.NodeID{}
	for i := range count(r, math.MaxInt32) {
		m := Member{Stay: r.Stay(), Claim: r.Claim()}
		if r.Failed() || m.Claim.Subject != m.Stay.ID || i > 0 && m.Stay.ID.Compare(previous) <= 0 {
			return nil
		}
		previous = m.Stay.ID
		s.members.add(m)
	}
	s.admitting, s.removing = make(map[hearsay.NodeID]*openCase), make(map[hearsay.NodeID]*openCase)
	for range count(r, maxOpen) {
		if !s.readCase(r) {
			return nil
		}
	}
	s.barsChanged = r.Uint64()
	for range count(r, maxBarred) {
		b := hearsay.Bar{ID: r.NodeID(), At: int64(r.Uint64()), Why: r.Text()}
		if n := len(s.barred); hearsay.Steers(b.Why) || n > 0 && s.barred[n-1].ID.Compare(b.ID) >= 0 {
			return nil
		}
		s.barred = append(s.barred, b)
	}
	for range count(r, maxDeparted) {
		s.departed = append(s.departed, departure{r.NodeID(), hearsay.Incarnation(r.Uint64()), r.Byte() == 1})
	}
	s.bounds = readBounds(r, len(s.seats))
	if r.Failed() || r.Left() > 0 || len(s.seats) == 0 || !s.fits() {
		return nil
	}
	s.index()
	return s
}

// readCase reads an open case, and reports whether there can be one.
func (s *state) readCase(r *hearsay.Canonical) bool {
	c := &openCase{id: hearsay.CaseID(r.Uint64()), opening: readCommand(r)}
	c.ballots = r.Ballots()
	if r.Failed() || len(s.cases) > 0 && c.id <= s.cases[len(s.cases)-1].id {
		return false
	}
	switch id := c.stay().ID; c.opening.op {
	case opAdmit:
		if s.members.get(id) != nil || s.admitting[id] != nil {
			return false
		}
		s.admitting[id] = c
	case opRemove:
		if !s.members.has(c.stay()) || s.removing[id] != nil {
			return false
		}
		s.removing[id] = c
	case opSeat:
		if slot := c.opening.seat.Slot; int(slot) >= len(s.seats) || s.seating(slot) != nil {
			return false
		}
	default:
		return false
	}
	for i := range c.ballots {
		if slot := c.ballots[i].Slot; int(slot) >= len(s.seats) || c.ballotOf(slot) != &c.ballots[i] {
			return false
		}
	}
	c.about = c.ruling(s.network).About(s.network)
	s.cases = append(s.cases, c)
	return true
}

// fits reports whether the head is the last ruling's, and the roster and the seats are
// what that names.
func (s *state) fits() bool {
	for i := range s.seats {
		if int(s.seats[i].Slot) != i {
			return false
		}
	}
	if s.epoch == 0 {
		return s.members.count == 0 && slices.Equal(s.seats, s.founding) && s.head == s.began && s.head == hearsay.FoundingHash(s.network, s.founding)
	}
	r := s.last
	if r.Epoch != s.epoch || r.Hash(s.network) != s.head || r.Roster != s.members.hash(s.network) {
		return false
	}
	switch r.Kind {
	case hearsay.RulingSeat:
		return len(r.Seats) == 1 && slices.Contains(s.seats, r.Seats[0])
	case hearsay.RulingRecover:
		return slices.Equal(s.seats, r.Seats) && s.began == s.head
	}
	return true
}

// count reads how many elements follow; each takes at least a byte.
func count(r *hearsay.Canonical, limit int) int {
	n := int(r.Uint32())
	if n > limit || n > r.Left() {
		r.Fail()
		return 0
	}
	return n
}
