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
)

// snapshotMost is how many bytes a snapshot has at most, of so many members and seats.
func snapshotMost(members, seats int) int {
	return members*memberBytes + maxOpen*(caseBytes+seats*ballotBytes) +
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
	r := newSnapshotReader(network, signer, data, math.MaxInt32)
	for !r.read(math.MaxInt32, math.MaxInt32) {
	}
	return r.state
}

// snapshotReader reads a snapshot, as much at a time as its owner has time for.
type snapshotReader struct {
	from    *hearsay.Canonical
	state   *state // as far as it is read; nil: there is no such state
	section section
	left    int // elements of the section

	chunks  [][]Member                 // of chunkMembers each, but the last one
	counts  [hearsay.RosterBuckets]int // of members, by the first byte of their identities
	highest hearsay.NodeID             // of the members
	bucket  hearsay.BucketDigest       // of those with its first byte
}

// chunkMembers is how many members a chunk has: a roster grows by copying, and one of identities that begin
// alike would be copied whole in one step.
const chunkMembers = 256

// section is a part of a snapshot.
type section uint8

const (
	sectionMembers section = iota
	sectionRoster          // of those members, once their number is known: it has no bytes
	sectionCases
	sectionBars
	sectionDepartures
	sectionSources
	sectionEnd
)

// newSnapshotReader begins with a snapshot that may have so many members.
func newSnapshotReader(network hearsay.NetworkID, signer hearsay.Signer, data []byte, members int) *snapshotReader {
	from, s := hearsay.NewCanonical(data), &state{network: network, verify: signer.Verify}
	if from.Byte() != snapshotVersion {
		return &snapshotReader{}
	}
	s.epoch, s.head, s.began = hearsay.Epoch(from.Uint64()), from.Hash(), from.Hash()
	if s.epoch > 0 {
		s.last = from.Ruling()
	}
	s.seats, s.founding = from.Seats(), from.Seats()
	s.index()
	return &snapshotReader{from: from, state: s, left: count(from, members)}
}

// read reads on, so many bytes or elements, and reports whether all is read.
func (r *snapshotReader) read(bytes, elements int) (done bool) {
	if r.state == nil {
		return true
	}
	end := r.from.Left() - bytes
	for n := 0; n < elements && r.from.Left() > end && r.section < sectionEnd; n++ {
		holds := true
		if r.left > 0 {
			r.left--
			holds = r.element()
		} else {
			r.section++
			holds = r.begin()
		}
		if !holds || r.from.Failed() {
			r.state = nil
			return true
		}
	}
	return r.section == sectionEnd
}

// begin begins with a section.
func (r *snapshotReader) begin() (holds bool) {
	s := r.state
	switch r.section {
	case sectionRoster:
		r.endBucket()
		for i := range r.counts {
			r.left += r.counts[i]
		}
	case sectionCases:
		r.chunks = nil
		r.left = count(r.from, maxOpen)
	case sectionBars:
		s.barsChanged = r.from.Uint64()
		r.left = count(r.from, maxBarred)
	case sectionDepartures:
		r.left = count(r.from, maxDeparted)
	case sectionSources:
		s.bounds.read(r.from, len(s.seats))
		r.left = count(r.from, maxSpending)
	case sectionEnd:
		return r.from.Left() == 0 && len(s.seats) > 0 && s.fits()
	}
	return true
}

// element reads the next element of a section.
func (r *snapshotReader) element() (holds bool) {
	s := r.state
	switch r.section {
	case sectionMembers:
		return r.member()
	case sectionRoster:
		r.place()
	case sectionCases:
		return s.readCase(r.from)
	case sectionBars:
		b := hearsay.Bar{ID: r.from.NodeID(), At: int64(r.from.Uint64()), Why: r.from.Text()}
		if n := len(s.barred); hearsay.Steers(b.Why) || n > 0 && s.barred[n-1].ID.Compare(b.ID) >= 0 {
			return false
		}
		s.barred = append(s.barred, b)
	case sectionDepartures:
		s.departed = append(s.departed, departure{r.from.NodeID(), hearsay.Incarnation(r.from.Uint64()), r.from.Byte() == 1})
	case sectionSources:
		return s.bounds.readSpending(r.from)
	}
	return true
}

func (r *snapshotReader) member() (holds bool) {
	m := Member{Stay: r.from.Stay(), Claim: r.from.Claim()}
	id := m.Stay.ID
	if r.from.Failed() || m.Claim.Subject != id || len(r.chunks) > 0 && id.Compare(r.highest) <= 0 {
		return false
	}
	if id[0] != r.highest[0] {
		r.endBucket()
	}
	r.bucket.Add(m.Stay)
	r.highest = id
	r.counts[id[0]]++
	if n := len(r.chunks); n == 0 || len(r.chunks[n-1]) == chunkMembers {
		r.chunks = append(r.chunks, make([]Member, 0, min(r.left+1, chunkMembers)))
	}
	last := &r.chunks[len(r.chunks)-1]
	*last = append(*last, m)
	return true
}

// place has the next member take its place in the roster.
func (r *snapshotReader) place() {
	s := r.state
	m := &r.chunks[s.members.count/chunkMembers][s.members.count%chunkMembers]
	part := &s.members.parts[m.Stay.ID[0]]
	if *part == nil {
		*part = make([]Member, 0, r.counts[m.Stay.ID[0]])
	}
	*part = append(*part, *m) // the hash of its bucket is taken
	s.members.count++
	s.arrive(&m.Claim)
}

// endBucket takes the hash of the members with the first byte of the highest: there are no more.
func (r *snapshotReader) endBucket() {
	r.state.members.hashes[r.highest[0]] = r.bucket.Sum()
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
	case opRemove:
		if !s.members.has(c.stay()) || s.removing[id] != nil {
			return false
		}
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
	s.note(c)
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
