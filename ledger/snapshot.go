package ledger

import (
	"encoding/binary"
	"math"
	"slices"

	"hearsay"
	"hearsay/internal/canonical"
	"hearsay/internal/core"
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
const SnapshotVersion = 7

// What one of each has in a snapshot, in bytes, at most.
const (
	MemberBytes    = 256
	caseBytes      = 2 << 10 // without ballots
	ballotBytes    = 192     // one of each seat
	barBytes       = 272
	departureBytes = 25
	sourceBytes    = 32
	OtherBytes     = 64 << 10 // seats, the last ruling, limits
)

// SnapshotMost is how many bytes a snapshot has at most, of so many members and seats.
func SnapshotMost(members, seats int) int {
	return members*MemberBytes + maxOpen*(caseBytes+seats*ballotBytes) +
		MaxBarred*barBytes + MaxDeparted*departureBytes + maxSpending*sourceBytes + OtherBytes
}

// AppendSnapshot appends the bytes of the whole state.
func (s *State) AppendSnapshot(dst []byte) []byte {
	dst = append(dst, SnapshotVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Epoch))
	dst = append(append(dst, s.Head[:]...), s.Began[:]...)
	if s.Epoch > 0 {
		dst = s.Last.AppendBinary(dst)
	}
	dst = hearsay.AppendSeats(hearsay.AppendSeats(dst, s.Seats), s.Founding)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.Members.Count))
	for i := range s.Members.Parts {
		for j := range s.Members.Parts[i] {
			m := &s.Members.Parts[i][j]
			dst = m.Claim.AppendBinary(hearsay.AppendStay(dst, m.Stay))
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.Cases)))
	for _, c := range s.Cases {
		dst = binary.BigEndian.AppendUint64(dst, uint64(c.ID))
		dst = c.Opening.Append(dst)
		dst = append(dst, byte(len(c.Ballots)))
		for i := range c.Ballots {
			dst = c.Ballots[i].AppendBinary(dst)
		}
	}
	dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, s.BarsChanged), uint32(len(s.Barred)))
	for i := range s.Barred {
		dst = append(dst, s.Barred[i].ID[:]...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.Barred[i].At))
		dst = canonical.AppendText(dst, s.Barred[i].Why)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s.Departed)))
	for i := range s.Departed {
		dst = append(dst, s.Departed[i].id[:]...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.Departed[i].incarnation))
		if s.Departed[i].removed {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	}
	return s.Usage.appendBinary(dst)
}

// ReadSnapshot gives the state of a snapshot, or nil if it is none, or one that
// apply could not have come to.
func ReadSnapshot(network hearsay.NetworkID, signer hearsay.Signer, data []byte) *State {
	r := NewSnapshotReader(network, signer, data, math.MaxInt32)
	for !r.Read(math.MaxInt32, math.MaxInt32) {
	}
	return r.State
}

// SnapshotReader reads a snapshot, as much at a time as its owner has time for.
type SnapshotReader struct {
	From    *core.Canonical
	State   *State // as far as it is read; nil: there is no such state
	section section
	left    int // elements of the section

	chunks  [][]Member              // of chunkMembers each, but the last one
	counts  [core.RosterBuckets]int // of members, by the first byte of their identities
	highest hearsay.NodeID          // of the members
	bucket  core.BucketDigest       // of those with its first byte
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

// NewSnapshotReader begins with a snapshot that may have so many members.
func NewSnapshotReader(network hearsay.NetworkID, signer hearsay.Signer, data []byte, members int) *SnapshotReader {
	from, s := core.NewCanonical(data), &State{Network: network, verify: signer.Verify}
	if from.Byte() != SnapshotVersion {
		return &SnapshotReader{}
	}
	s.Epoch, s.Head, s.Began = hearsay.Epoch(from.Uint64()), from.Hash(), from.Hash()
	if s.Epoch > 0 {
		s.Last = from.Ruling()
	}
	s.Seats, s.Founding = from.Seats(), from.Seats()
	s.Derive()
	return &SnapshotReader{From: from, State: s, left: count(from, members)}
}

// Read reads on, so many bytes or elements, and reports whether all is read.
func (r *SnapshotReader) Read(bytes, elements int) (done bool) {
	if r.State == nil {
		return true
	}
	end := r.From.Left() - bytes
	for n := 0; n < elements && r.From.Left() > end && r.section < sectionEnd; n++ {
		holds := true
		if r.left > 0 {
			r.left--
			holds = r.element()
		} else {
			r.section++
			holds = r.begin()
		}
		if !holds || r.From.Failed() {
			r.State = nil
			return true
		}
	}
	return r.section == sectionEnd
}

// begin begins with a section.
func (r *SnapshotReader) begin() (holds bool) {
	s := r.State
	switch r.section {
	case sectionRoster:
		r.endBucket()
		for i := range r.counts {
			r.left += r.counts[i]
		}
	case sectionCases:
		r.chunks = nil
		r.left = count(r.From, maxOpen)
	case sectionBars:
		s.BarsChanged = r.From.Uint64()
		r.left = count(r.From, MaxBarred)
	case sectionDepartures:
		r.left = count(r.From, MaxDeparted)
	case sectionSources:
		s.Usage.read(r.From, len(s.Seats))
		r.left = count(r.From, maxSpending)
	case sectionEnd:
		return r.From.Left() == 0 && len(s.Seats) > 0 && s.fits()
	}
	return true
}

// element reads the next element of a section.
func (r *SnapshotReader) element() (holds bool) {
	s := r.State
	switch r.section {
	case sectionMembers:
		return r.member()
	case sectionRoster:
		r.place()
	case sectionCases:
		return s.readCase(r.From)
	case sectionBars:
		b := hearsay.Bar{ID: r.From.NodeID(), At: int64(r.From.Uint64()), Why: r.From.Text()}
		if n := len(s.Barred); steers(b.Why) || n > 0 && s.Barred[n-1].ID.Compare(b.ID) >= 0 {
			return false
		}
		s.Barred = append(s.Barred, b)
	case sectionDepartures:
		s.Departed = append(s.Departed, departure{r.From.NodeID(), hearsay.Incarnation(r.From.Uint64()), r.From.Byte() == 1})
	case sectionSources:
		return s.Usage.readSpending(r.From)
	}
	return true
}

func (r *SnapshotReader) member() (holds bool) {
	m := Member{Stay: r.From.Stay(), Claim: r.From.Claim()}
	id := m.Stay.ID
	if r.From.Failed() || m.Claim.Subject != id || len(r.chunks) > 0 && id.Compare(r.highest) <= 0 {
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
func (r *SnapshotReader) place() {
	s := r.State
	m := &r.chunks[s.Members.Count/chunkMembers][s.Members.Count%chunkMembers]
	part := &s.Members.Parts[m.Stay.ID[0]]
	if *part == nil {
		*part = make([]Member, 0, r.counts[m.Stay.ID[0]])
	}
	*part = append(*part, *m) // the hash of its bucket is taken
	s.Members.Count++
	s.arrive(&m.Claim)
}

// endBucket takes the hash of the members with the first byte of the highest: there are no more.
func (r *SnapshotReader) endBucket() {
	r.State.Members.Hashes[r.highest[0]] = r.bucket.Sum()
}

// readCase reads an open case, and reports whether there can be one.
func (s *State) readCase(r *core.Canonical) bool {
	c := &Case{ID: hearsay.CaseID(r.Uint64()), Opening: readCommand(r)}
	c.Ballots = r.Ballots()
	if r.Failed() || len(s.Cases) > 0 && c.ID <= s.Cases[len(s.Cases)-1].ID {
		return false
	}
	switch id := c.Stay().ID; c.Opening.Op {
	case OpAdmit:
		if s.Members.Get(id) != nil || s.Admitting[id] != nil {
			return false
		}
	case OpRemove:
		if !s.Members.Has(c.Stay()) || s.Removing[id] != nil {
			return false
		}
	case OpSeat:
		if slot := c.Opening.Seat.Slot; int(slot) >= len(s.Seats) || s.SeatCase(slot) != nil {
			return false
		}
	default:
		return false
	}
	for i := range c.Ballots {
		if slot := c.Ballots[i].Slot; int(slot) >= len(s.Seats) || c.BallotOf(slot) != &c.Ballots[i] {
			return false
		}
	}
	c.About = c.ruling(s.Network).About(s.Network)
	s.Cases = append(s.Cases, c)
	s.note(c)
	return true
}

// fits reports whether the head is the last ruling's, and the roster and the seats are
// what that names.
func (s *State) fits() bool {
	for i := range s.Seats {
		if int(s.Seats[i].Slot) != i {
			return false
		}
	}
	if s.Epoch == 0 {
		return s.Members.Count == 0 && slices.Equal(s.Seats, s.Founding) && s.Head == s.Began && s.Head == core.FoundingHash(s.Network, s.Founding)
	}
	r := s.Last
	if r.Epoch != s.Epoch || r.Hash(s.Network) != s.Head || r.Roster != s.Members.Hash(s.Network) {
		return false
	}
	switch r.Kind {
	case hearsay.RulingSeat:
		return len(r.Seats) == 1 && slices.Contains(s.Seats, r.Seats[0])
	case hearsay.RulingRecover:
		return slices.Equal(s.Seats, r.Seats) && s.Began == s.Head
	}
	return true
}

// count reads how many elements follow; each takes at least a byte.
func count(r *core.Canonical, limit int) int {
	n := int(r.Uint32())
	if n > limit || n > r.Left() {
		r.Fail()
		return 0
	}
	return n
}

// Place is a place in the log that heads prove: the case of the last ruling names it.
func (s *State) Place() uint64 {
	if s.Last == nil {
		return FoundingIndex
	}
	return s.Last.Case.Index()
}
