package core

import (
	"encoding/binary"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/canonical"
)

// What seeds say to each other and to peers. All of it goes by stream.

// SeatHello is how a seed says which key and life its slot has, and asks the
// receiver's. A node that does not know the answer's key yet believes it because
// it repeats the nonce that was sent to the configured address.
//
//	A                        B
//	|--- SeatHello{Nonce} ---->|   to B's configured address
//	|<---- SeatHello{Answer} --|   the same Nonce, signed
//
// A peer asks with the slot NoSlot, and signs as itself.
type SeatHello struct {
	Versions  LogVersions // of the sender
	Slot      uint8       // of the sender, or NoSlot
	Key       hearsay.PublicKey
	Life      hearsay.Life
	Config    hearsay.Hash // of the configured addresses
	Nonce     uint64
	Answer    bool
	Founded   bool            // the sender has a ledger; to a peer: one with a ruling in it, and takes part with it
	Seats     []hearsay.Seat  // as the sender knows them: none before the founding
	Founding  hearsay.Hash    // that the sender's life takes part in (LedgerID); zero: in none yet
	Given     *hearsay.Ruling // the newest ruling about a seat that the sender knows, if there is one
	Unread    []byte          // received: what is in the place of Given, if that is no ruling of this version
	Term      uint64          // in an answer of a seed: of the log, on the sender's disk; 0: it does not say
	Last      LogPlace        // and the last entry there
	Clock     uint64          // and what the sender's clock shows: Unix milliseconds
	Signature hearsay.Signature
}

// LogVersions says in which versions of their format a program writes what seeds agree on. Seeds of
// other versions come to other ledgers by the same log: they exchange nothing of it.
type LogVersions struct {
	Log      uint8 // of entries of the log, and of rulings
	Snapshot uint8 // of the state that they come to
}

// NoSlot is the slot of a node that is no seed.
const NoSlot = 255

// AppendSigned appends the bytes that the sender's signature covers.
func (m *SeatHello) AppendSigned(dst []byte, network hearsay.NetworkID) []byte {
	return m.appendUnsigned(hearsay.LedgerID{Network: network, Founding: m.Founding}.AppendSubject(dst, "hearsay seat hello"))
}

func (m *SeatHello) appendUnsigned(dst []byte) []byte {
	dst = append(dst, m.Versions.Log, m.Versions.Snapshot, m.Slot)
	dst = append(dst, m.Key[:]...)
	dst = append(dst, m.Life[:]...)
	dst = append(dst, m.Config[:]...)
	dst = binary.BigEndian.AppendUint64(dst, m.Nonce)
	dst = append(dst, flag(m.Answer)|flag(m.Founded)<<1|flag(m.Given != nil || m.Unread != nil)<<2|flag(!m.Founding.IsZero())<<3|flag(m.Term != 0)<<4)
	dst = hearsay.AppendSeats(dst, m.Seats)
	if !m.Founding.IsZero() {
		dst = append(dst, m.Founding[:]...)
	}
	switch {
	case m.Given != nil:
		dst = canonical.AppendBytes(dst, m.Given.AppendBinary(nil))
	case m.Unread != nil:
		dst = canonical.AppendBytes(dst, m.Unread)
	}
	if m.Term != 0 {
		for _, n := range [...]uint64{m.Term, m.Last.Term, m.Last.Index, m.Clock} {
			dst = binary.BigEndian.AppendUint64(dst, n)
		}
	}
	return dst
}

// Raft is a message of the Raft library between two lives of seeds, signed by
// the sender's seat. A snapshot is cut into parts, each a message.
type Raft struct {
	Versions   LogVersions // of the sender: entries and snapshots are of these
	Slot       uint8       // of the sender
	Type       uint8       // as the library numbers them
	To, From   uint64
	Term       uint64
	LogTerm    uint64
	Index      uint64
	Commit     uint64
	Vote       uint64
	RejectHint uint64
	Reject     bool
	Context    []byte
	Entries    []LogEntry
	Snapshot   *LogSnapshot // a part, or nil
	Signature  hearsay.Signature

	// Founding is of the network that both take part in. It is signed and not
	// sent: a seed that takes part in another one cannot verify the message.
	Founding hearsay.Hash
}

// LogEntry is one entry of the replicated log.
type LogEntry struct {
	Index, Term uint64
	Type        uint8 // as the library numbers them
	Data        []byte
}

// LogConfig is which lives take part in the replicated log, by Raft id.
type LogConfig struct {
	Voters, Learners, VotersOutgoing, LearnersNext []uint64
	AutoLeave                                      bool
}

// LogSnapshot is what the log came to at an index, or a part of it.
type LogSnapshot struct {
	Index, Term  uint64
	Config       LogConfig
	Offset, Size uint32 // of the part, and of the whole
	Data         []byte
}

// Limits of what seeds send each other.
const (
	MaxLogEntries    = 4096    // in a Raft message
	MaxSnapshotBytes = 1 << 28 // of a whole snapshot: about a million members
	MaxRaftIDs       = 4 * hearsay.MaxSeeds
	MaxGiven         = 32 << 10             // bytes of the ruling in a SeatHello: one of this version has up to 5 kB
	MaxRulings       = 256                  // in Rulings
	MaxOlderBytes    = 128 << 10            // of rulings that are read from disk for one message
	MaxRosterMembers = 512                  // in RosterPart
	MaxHeads         = 2 * hearsay.MaxSeeds // in either: of each seat the newest, and one whose ruling the sender has
)

// Room is at least the number of bytes that the message takes, signed or sent.
func (m *Raft) Room() int {
	const fields, entry, snapshot = 512, 32, 64 + 4*8*MaxRaftIDs
	size := fields + len(m.Context) + entry*len(m.Entries)
	for i := range m.Entries {
		size += len(m.Entries[i].Data)
	}
	if m.Snapshot != nil {
		size += snapshot + len(m.Snapshot.Data)
	}
	return size
}

// AppendSigned appends the bytes that the sender's signature covers.
func (m *Raft) AppendSigned(dst []byte, network hearsay.NetworkID) []byte {
	return m.appendUnsigned(hearsay.LedgerID{Network: network, Founding: m.Founding}.AppendSubject(dst, "hearsay raft"))
}

func (m *Raft) appendUnsigned(dst []byte) []byte {
	dst = append(dst, m.Versions.Log, m.Versions.Snapshot, m.Slot, m.Type, flag(m.Reject)|flag(m.Snapshot != nil)<<1)
	for _, n := range [...]uint64{m.To, m.From, m.Term, m.LogTerm, m.Index, m.Commit, m.Vote, m.RejectHint} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = canonical.AppendBytes(dst, m.Context)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Entries)))
	for i := range m.Entries {
		dst = m.Entries[i].AppendBinary(dst)
	}
	if m.Snapshot != nil {
		dst = m.Snapshot.AppendBinary(dst)
	}
	return dst
}

// AppendBinary appends the canonical bytes.
func (e *LogEntry) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, e.Index)
	dst = binary.BigEndian.AppendUint64(dst, e.Term)
	return canonical.AppendBytes(append(dst, e.Type), e.Data)
}

// AppendBinary appends the canonical bytes.
func (s *LogSnapshot) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, s.Index)
	dst = binary.BigEndian.AppendUint64(dst, s.Term)
	for _, ids := range [...][]uint64{s.Config.Voters, s.Config.Learners, s.Config.VotersOutgoing, s.Config.LearnersNext} {
		dst = append(dst, byte(len(ids)))
		for _, id := range ids {
			dst = binary.BigEndian.AppendUint64(dst, id)
		}
	}
	dst = append(dst, flag(s.Config.AutoLeave))
	dst = binary.BigEndian.AppendUint32(dst, s.Offset)
	dst = binary.BigEndian.AppendUint32(dst, s.Size)
	return canonical.AppendBytes(dst, s.Data)
}

// LedgerReq asks for the rulings of epochs after After, or, if Before is set,
// for those right before that epoch: a seed gives them, to one that lacks them on
// its disk, or to a peer that wants to know which nodes were in, and were given a seat,
// before it.
//
//	A                        B
//	|--- LedgerReq{After} ---->|
//	|<------------- Rulings ---|   as many as fit; A asks again
//	|<---------- RosterPart ---|   or the roster, if B has not kept what A lacks
type LedgerReq struct {
	After  hearsay.Epoch
	Before hearsay.Epoch
}

// Rulings carries rulings of consecutive epochs, and the newest heads that the
// sender has: one a seat. Nobody believes the rulings but for the heads.
type Rulings struct {
	Items []*hearsay.Ruling
	Heads []hearsay.Head
}

// RosterPart carries a part of the roster as of an epoch, the ruling of that
// epoch, and heads that prove it. Nobody believes it before all parts are
// there.
type RosterPart struct {
	Ruling      *hearsay.Ruling
	Heads       []hearsay.Head
	Part, Parts uint16
	Members     []RosterMember
}

// RosterMember is a stay and what its member signed.
type RosterMember struct {
	Stay  hearsay.Stay
	Claim hearsay.Claim
}

func (*SeatHello) message()  {}
func (*Raft) message()       {}
func (*LedgerReq) message()  {}
func (*Rulings) message()    {}
func (*RosterPart) message() {}

// AppendBinary appends the canonical bytes.
func (m *SeatHello) AppendBinary(dst []byte) []byte {
	return append(m.appendUnsigned(dst), m.Signature[:]...)
}

// AppendBinary appends the canonical bytes.
func (m *Raft) AppendBinary(dst []byte) []byte {
	return append(m.appendUnsigned(dst), m.Signature[:]...)
}

// AppendBinary appends the canonical bytes.
func (m *LedgerReq) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.After))
	return binary.BigEndian.AppendUint64(dst, uint64(m.Before))
}

// AppendBinary appends the canonical bytes.
func (m *Rulings) AppendBinary(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Items)))
	for _, r := range m.Items {
		dst = r.AppendBinary(dst)
	}
	return appendHeads(dst, m.Heads)
}

// AppendBinary appends the canonical bytes.
func (m *RosterPart) AppendBinary(dst []byte) []byte {
	dst = appendHeads(m.Ruling.AppendBinary(dst), m.Heads)
	dst = binary.BigEndian.AppendUint16(dst, m.Part)
	dst = binary.BigEndian.AppendUint16(dst, m.Parts)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Members)))
	for i := range m.Members {
		dst = m.Members[i].Claim.AppendBinary(hearsay.AppendStay(dst, m.Members[i].Stay))
	}
	return dst
}

func appendHeads(dst []byte, heads []hearsay.Head) []byte {
	dst = append(dst, byte(len(heads)))
	for i := range heads {
		dst = heads[i].AppendBinary(dst)
	}
	return dst
}

func flag(yes bool) byte {
	if yes {
		return 1
	}
	return 0
}

// SeatHello gives the next message of this kind.
func (c *Canonical) SeatHello() *SeatHello {
	m := &SeatHello{Versions: c.LogVersions(), Slot: c.Byte(), Key: c.Key(), Life: c.Life(), Config: c.Hash(), Nonce: c.Uint64()}
	flags := c.Flags(5)
	m.Answer, m.Founded = flags&1 != 0, flags&2 != 0
	if m.Slot >= hearsay.MaxSeeds && m.Slot != NoSlot {
		c.Fail()
	}
	if m.Seats = c.Seats(); flags&8 != 0 {
		if m.Founding = c.Hash(); m.Founding.IsZero() {
			c.Fail() // there is one way to say none
		}
	}
	if flags&4 != 0 {
		m.readGiven(c)
	}
	if flags&16 != 0 {
		m.Term, m.Last, m.Clock = c.Uint64(), LogPlace{Term: c.Uint64(), Index: c.Uint64()}, c.Uint64()
		if m.Term == 0 {
			c.Fail() // there is one way to say none
		}
	}
	m.Signature = c.Signature()
	return m
}

// readGiven reads the ruling. One that this version cannot read leaves the rest of the message as it is:
// it tells which version its sender is of.
func (m *SeatHello) readGiven(c *Canonical) {
	data := c.Bytes()
	from := NewCanonical(data)
	switch r := from.Ruling(); {
	case len(data) == 0:
		c.Fail() // there is one way to say none
	case len(data) > MaxGiven:
		c.FailFor(canonical.Oversized)
	case from.Failed() || from.Left() > 0:
		m.Unread = data
	default:
		m.Given = r
	}
}

// LogVersions gives the next versions.
func (c *Canonical) LogVersions() LogVersions { return LogVersions{Log: c.Byte(), Snapshot: c.Byte()} }

// Raft gives the next message of this kind.
func (c *Canonical) Raft() *Raft {
	m := &Raft{Versions: c.LogVersions(), Slot: c.Byte(), Type: c.Byte()}
	flags := c.Flags(2)
	m.Reject = flags&1 != 0
	for _, n := range [...]*uint64{&m.To, &m.From, &m.Term, &m.LogTerm, &m.Index, &m.Commit, &m.Vote, &m.RejectHint} {
		*n = c.Uint64()
	}
	m.Context = c.Bytes()
	n := c.Number(c.Uint32(), MaxLogEntries)
	if m.Slot >= hearsay.MaxSeeds {
		c.Fail()
	}
	for i := 0; i < n && !c.Failed(); i++ {
		m.Entries = append(m.Entries, c.LogEntry())
	}
	if flags&2 != 0 {
		m.Snapshot = c.LogSnapshot()
	}
	m.Signature = c.Signature()
	return m
}

// LogEntry gives the next entry.
func (c *Canonical) LogEntry() LogEntry {
	return LogEntry{Index: c.Uint64(), Term: c.Uint64(), Type: c.Byte(), Data: c.Bytes()}
}

// LogSnapshot gives the next snapshot, or part of one.
func (c *Canonical) LogSnapshot() *LogSnapshot {
	s := &LogSnapshot{Index: c.Uint64(), Term: c.Uint64()}
	for _, ids := range [...]*[]uint64{&s.Config.Voters, &s.Config.Learners, &s.Config.VotersOutgoing, &s.Config.LearnersNext} {
		n := c.Number(uint32(c.Byte()), MaxRaftIDs)
		for i := 0; i < n && !c.Failed(); i++ {
			*ids = append(*ids, c.Uint64())
		}
	}
	s.Config.AutoLeave = c.Flags(1) != 0
	s.Offset, s.Size, s.Data = c.Uint32(), c.Uint32(), c.Bytes()
	if s.Size > MaxSnapshotBytes {
		c.FailFor(canonical.Oversized)
	} else if uint64(s.Offset)+uint64(len(s.Data)) > uint64(s.Size) {
		c.Fail()
	}
	return s
}

// LedgerReq gives the next message of this kind.
func (c *Canonical) LedgerReq() *LedgerReq {
	return &LedgerReq{After: hearsay.Epoch(c.Uint64()), Before: hearsay.Epoch(c.Uint64())}
}

// Rulings gives the next message of this kind.
func (c *Canonical) Rulings() *Rulings {
	n := c.Number(c.Uint32(), MaxRulings)
	m := &Rulings{}
	for i := 0; i < n && !c.Failed(); i++ {
		m.Items = append(m.Items, c.Ruling())
	}
	m.Heads = c.Heads()
	return m
}

// RosterPart gives the next message of this kind.
func (c *Canonical) RosterPart() *RosterPart {
	m := &RosterPart{Ruling: c.Ruling(), Heads: c.Heads()}
	parts := c.Uint32()
	m.Part, m.Parts = uint16(parts>>16), uint16(parts)
	n := c.Number(c.Uint32(), MaxRosterMembers)
	for i := 0; i < n && !c.Failed(); i++ {
		m.Members = append(m.Members, RosterMember{Stay: c.Stay(), Claim: c.Claim()})
	}
	return m
}

// Head gives the next head.
func (c *Canonical) Head() hearsay.Head {
	h := hearsay.Head{Founding: c.Hash(), Epoch: hearsay.Epoch(c.Uint64()), Hash: c.Hash(), Slot: c.Byte(), Signature: c.Signature()}
	if h.Slot >= hearsay.MaxSeeds {
		c.Fail()
	}
	return h
}

// Heads gives the next list of heads.
func (c *Canonical) Heads() []hearsay.Head {
	n := c.Number(uint32(c.Byte()), MaxHeads)
	var heads []hearsay.Head
	for i := 0; i < n && !c.Failed(); i++ {
		heads = append(heads, c.Head())
	}
	return heads
}

// What a seed keeps on disk, and a peer of it: pins and heads.

// SeedLife is the life of this data directory. There is one.
type SeedLife struct {
	Life     hearsay.Life
	Config   hearsay.Hash // of the configured addresses: see List
	Founding hearsay.Hash // that this life takes part in; zero: in none yet
	// the directory may be an older copy of itself, and not all other seeds have told yet what it has signed
	Doubt  bool
	Waited time.Duration // for them, in all starts since that is so; in milliseconds

	// List is the configured addresses by slot, at most MaxSeeds; nil: of an earlier version, which
	// kept their hash only. A list that differs in a quorum of them is another network's.
	List []netip.AddrPort
}

// SeedPin is the life that has a slot, as this node believes, keyed by the slot.
type SeedPin struct {
	Seat  hearsay.Seat
	Since hearsay.CaseID // the case that decided it; 0: first contact, or configured

	// Addr is where a peer's list has the slot; not valid of a seed. It finds its
	// pin again in a list that has changed.
	Addr netip.AddrPort
}

// MaxCommits is the limit of [LogState.Commits]. A crash may take apart what one disk has not synced: guess, of
// fewer terms than that.
const MaxCommits = 4

// LogState is what a seed has promised in the replicated log, and what of it is committed. There is one.
type LogState struct {
	Term, Vote uint64

	// Commits are the newest entries that are committed, one of each term, ascending: the last is how far the log
	// is. A crash may leave this and not the entries: then one before it may be there.
	Commits []LogPlace
}

// LogPlace names an entry of the replicated log. Term 0: an earlier version did not keep it.
type LogPlace struct{ Term, Index uint64 }

// Before reports whether a log that ends here has less than one that ends there, as elections compare them.
func (p LogPlace) Before(o LogPlace) bool {
	return p.Term < o.Term || p.Term == o.Term && p.Index < o.Index
}

// KeptEntry is an entry of the replicated log, keyed by its index.
type KeptEntry struct {
	Entry   LogEntry
	Before  uint64 // the term of the entry before it; 0: an earlier version did not keep that
	Dropped bool   // the key goes
}

// KeptSnapshot is a whole snapshot, keyed by its index.
type KeptSnapshot struct {
	Snapshot *LogSnapshot
	Dropped  bool // the key goes
}

// KeptRuling is a ruling of the ledger with its evidence, if there was any,
// keyed by the epoch.
type KeptRuling struct {
	Ruling   *hearsay.Ruling
	Evidence *hearsay.Evidence
	Dropped  bool // the key goes
}

// KeptHead is the newest head of a slot, keyed by the slot.
type KeptHead struct{ Head hearsay.Head }

func (*SeedLife) record()     {}
func (*SeedPin) record()      {}
func (*LogState) record()     {}
func (*KeptEntry) record()    {}
func (*KeptSnapshot) record() {}
func (*KeptRuling) record()   {}
func (*KeptHead) record()     {}

// Sign makes m the word of the signer: it sets key and signature.
func (m *SeatHello) Sign(network hearsay.NetworkID, signer hearsay.Signer) {
	m.Key = signer.Public()
	m.Signature = signer.Sign(m.AppendSigned(nil, network))
}

// Verify reports whether the holder of m's key signed it.
func (m *SeatHello) Verify(network hearsay.NetworkID, signer hearsay.Signer) bool {
	return signer.Verify(m.Key, m.AppendSigned(nil, network), m.Signature)
}

// Sign makes m the word of the signer.
func (m *Raft) Sign(network hearsay.NetworkID, signer hearsay.Signer) {
	m.Signature = signer.Sign(m.AppendSigned(nil, network))
}

// Verify reports whether the holder of key signed m.
func (m *Raft) Verify(network hearsay.NetworkID, signer hearsay.Signer, key hearsay.PublicKey) bool {
	return signer.Verify(key, m.AppendSigned(make([]byte, 0, m.Room()), network), m.Signature)
}
