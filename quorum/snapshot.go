package quorum

import (
	"encoding/binary"
	"math"

	"hearsay"
)

// A snapshot is the state in canonical bytes: equal states have equal
// snapshots. The ledger is not in it, but for its head.
//
//	version 4 · epoch 8 · head 32 · began 32 · seats · seats at the founding
//	count 4 · members: stay 24 · claim
//	count 4 · open cases: id 8 · opening · count 1 · ballots
//	count 4 · barred: id 16 · at 8 · why
//	count 4 · departed: id 16 · incarnation 8 · removed 1
//	limits 16 · now 8 · by seat: at 8 · then 8 · said 1 · word
//	spent 8 · at 8 · count 4 · sources: address 16 · spent 8 · at 8
const snapshotVersion = 4

func (s *state) appendSnapshot(dst []byte) []byte {
	dst = append(dst, snapshotVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.epoch))
	dst = append(append(dst, s.head[:]...), s.began[:]...)
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
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.barred)))
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

// readSnapshot gives the state of a snapshot, or nil if it is none.
func readSnapshot(network hearsay.NetworkID, signer hearsay.Signer, data []byte) *state {
	r := hearsay.NewCanonical(data)
	if r.Byte() != snapshotVersion {
		return nil
	}
	s := &state{network: network, verify: signer.Verify}
	s.epoch, s.head, s.began = hearsay.Epoch(r.Uint64()), r.Hash(), r.Hash()
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
	for range count(r, maxOpen) {
		c := &openCase{id: hearsay.CaseID(r.Uint64()), opening: readCommand(r)}
		c.ballots = r.Ballots()
		if r.Failed() || c.opening.op > opSeat || len(s.cases) > 0 && c.id <= s.cases[len(s.cases)-1].id {
			return nil
		}
		c.about = c.ruling(network).About(network)
		s.cases = append(s.cases, c)
	}
	for range count(r, maxBarred) {
		s.barred = append(s.barred, hearsay.Bar{ID: r.NodeID(), At: int64(r.Uint64()), Why: r.Text()})
	}
	for range count(r, maxDeparted) {
		s.departed = append(s.departed, departure{r.NodeID(), hearsay.Incarnation(r.Uint64()), r.Byte() == 1})
	}
	s.bounds = readBounds(r, len(s.seats))
	if r.Failed() || r.Left() > 0 || len(s.seats) == 0 {
		return nil
	}
	s.index()
	return s
}

// signedByAll reports whether the members in a snapshot have signed their claims: the
// roster lists them by those. It is one step, of some 60 µs a member; only a seat may
// cause it, in a message that it has signed, and only while this seed lacks more
// than the log of the others has.
func (q *Quorum) signedByAll(data []byte) bool {
	s := readSnapshot(q.cfg.Network, q.signer, data)
	for i := range s.members.parts {
		for j := range s.members.parts[i] {
			if c := &s.members.parts[i][j].Claim; !c.Card.Key.IsZero() && !c.Verify(q.cfg.Network, q.signer) {
				return false
			}
		}
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
