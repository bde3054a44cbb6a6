package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"hearsay"
	"hearsay/internal/core"
)

// largestRuling is a ruling of the most seeds there may be, each of which gave
// the longest reason.
func largestRuling() *hearsay.Ruling {
	r := sampleRuling()
	r.Claim.Card.Name, r.Claim.Card.Addr = strings.Repeat("n", hearsay.MaxNameLen), addr6
	r.Ballots = nil
	for slot := range uint8(hearsay.MaxSeeds) {
		b := sampleBallot(slot)
		b.Why = hearsay.Why{Reason: hearsay.ReasonSilent, Addr: addr6, Took: 4000}
		r.Ballots = append(r.Ballots, b)
		r.Seats = append(r.Seats, hearsay.Seat{Slot: slot, Key: sampleKey, Life: sampleLife})
	}
	return r
}

func mostHeads() []hearsay.Head { return slices.Repeat([]hearsay.Head{sampleHead()}, core.MaxHeads) }

func mostMembers() []core.RosterMember {
	claim := full(hearsay.StateAlive, strings.Repeat("n", hearsay.MaxNameLen), netip.MustParseAddrPort("[2001:db8::7]:7946"))
	return slices.Repeat([]core.RosterMember{{Stay: hearsay.Stay{ID: idA, Epoch: 1<<64 - 1}, Claim: claim}}, core.MaxRosterMembers)
}

func mostIDs(n int) core.LogConfig {
	ids := slices.Repeat([]uint64{1<<64 - 1}, n)
	return core.LogConfig{Voters: ids, Learners: ids, VotersOutgoing: ids, LearnersNext: ids, AutoLeave: true}
}

// What is within the limits of each list fits a packet, and is taken.
func TestSeedLimitsAreWithin(t *testing.T) {
	part := &core.LogSnapshot{Index: 1, Config: mostIDs(core.MaxRaftIDs), Offset: core.MaxSnapshotBytes - 4, Size: core.MaxSnapshotBytes, Data: []byte("tail")}
	long := petitionSamples()[5].body.(*core.Outcome)
	long.Text = strings.Repeat("t", hearsay.MaxWhyLen)
	for name, m := range map[string]core.Message{
		"hello":       &core.SeatHello{Slot: core.NoSlot, Key: sampleKey, Seats: largestRuling().Seats, Given: largestRuling()},
		"entries":     &core.Raft{Slot: hearsay.MaxSeeds - 1, Entries: slices.Repeat([]core.LogEntry{sampleEntry()}, core.MaxLogEntries)},
		"long entry":  &core.Raft{Entries: []core.LogEntry{{Data: make([]byte, 200<<10)}}},
		"snapshot":    &core.Raft{Snapshot: part},
		"rulings":     &core.Rulings{Items: slices.Repeat([]*hearsay.Ruling{sampleRuling()}, core.MaxRulings), Heads: mostHeads()},
		"long ruling": &core.Rulings{Items: []*hearsay.Ruling{largestRuling()}},
		"roster":      &core.RosterPart{Ruling: largestRuling(), Heads: mostHeads(), Part: 1<<16 - 2, Parts: 1<<16 - 1, Members: mostMembers()},
		"report":      &core.Report{Evidence: evidenceBy(hearsay.RuleTimeout, core.MaxStatements)},
		"outcome":     long,
	} {
		p := &core.Packet{From: idA, Body: m}
		packet := AppendPacket(nil, testNetwork, p)
		if len(packet) > core.MaxStreamPacket {
			t.Errorf("%s: %d bytes", name, len(packet))
			continue
		}
		if checkDecodes(t, packet, p); t.Failed() {
			t.Fatal(name)
		}
	}
}

// What is more, or not as it must be, is dropped for the reason that says so.
func TestSeedDrops(t *testing.T) {
	ruling := func(change func(*hearsay.Ruling)) core.Message {
		r := sampleRuling()
		change(r)
		return &core.Rulings{Items: []*hearsay.Ruling{r}}
	}
	ballot := func(change func(*hearsay.Ballot)) core.Message {
		return ruling(func(r *hearsay.Ruling) { change(&r.Ballots[1]) })
	}
	part := func(change func(*core.LogSnapshot)) core.Message {
		s := samplePart()
		change(s)
		return &core.Raft{Snapshot: s}
	}
	for _, tt := range []struct {
		name string
		m    core.Message
		want hearsay.Drop
	}{
		{"hello from a slot that cannot be", &core.SeatHello{Slot: hearsay.MaxSeeds}, hearsay.DropMalformed},
		{"hello with too many seats", &core.SeatHello{Seats: make([]hearsay.Seat, hearsay.MaxSeeds+1)}, hearsay.DropOversized},
		{"hello with a seat twice", &core.SeatHello{Seats: make([]hearsay.Seat, 2)}, hearsay.DropMalformed},
		{"hello with a seat that cannot be", &core.SeatHello{Seats: []hearsay.Seat{{Slot: hearsay.MaxSeeds}}}, hearsay.DropMalformed},
		{"from nobody's slot", &core.Raft{Slot: core.NoSlot}, hearsay.DropMalformed},
		{"too many entries", &core.Raft{Entries: make([]core.LogEntry, core.MaxLogEntries+1)}, hearsay.DropOversized},
		{"too many voters", part(func(s *core.LogSnapshot) { s.Config = mostIDs(core.MaxRaftIDs + 1) }), hearsay.DropOversized},
		{"too large a snapshot", part(func(s *core.LogSnapshot) { s.Size = core.MaxSnapshotBytes + 1 }), hearsay.DropOversized},
		{"a part beyond the snapshot", part(func(s *core.LogSnapshot) { s.Offset = 5 }), hearsay.DropMalformed},
		{"a part that wraps around", part(func(s *core.LogSnapshot) { s.Offset = 1<<32 - 1 }), hearsay.DropMalformed},
		{"too many rulings", &core.Rulings{Items: slices.Repeat([]*hearsay.Ruling{sampleRuling()}, core.MaxRulings+1)}, hearsay.DropOversized},
		{"too many heads", &core.Rulings{Heads: make([]hearsay.Head, core.MaxHeads+1)}, hearsay.DropOversized},
		{"a head of a slot that cannot be", &core.Rulings{Heads: []hearsay.Head{{Slot: hearsay.MaxSeeds}}}, hearsay.DropMalformed},
		{"no kind of ruling", ruling(func(r *hearsay.Ruling) { r.Kind = 0 }), hearsay.DropMalformed},
		{"an unknown kind of ruling", ruling(func(r *hearsay.Ruling) { r.Kind = hearsay.NumRulingKinds }), hearsay.DropMalformed},
		{"an unknown rule", ruling(func(r *hearsay.Ruling) { r.Rule = hearsay.RuleWatch + 1 }), hearsay.DropMalformed},
		{"a name that breaks the rules", ruling(func(r *hearsay.Ruling) { r.Claim.Card.Name = "a b" }), hearsay.DropMalformed},
		{"an address of nobody", ruling(func(r *hearsay.Ruling) { r.Claim.Card.Addr = netip.AddrPortFrom(netip.IPv4Unspecified(), 1) }), hearsay.DropMalformed},
		{"no role", ruling(func(r *hearsay.Ruling) { r.Claim.Card.Role = 0 }), hearsay.DropMalformed},
		{"too many ballots", ruling(func(r *hearsay.Ruling) { r.Ballots = slices.Repeat(r.Ballots, hearsay.MaxSeeds) }), hearsay.DropOversized},
		{"a ballot of a slot that cannot be", ballot(func(b *hearsay.Ballot) { b.Slot = hearsay.MaxSeeds }), hearsay.DropMalformed},
		{"a ballot without a verdict", ballot(func(b *hearsay.Ballot) { b.Verdict = 0 }), hearsay.DropMalformed},
		{"an unknown verdict", ballot(func(b *hearsay.Ballot) { b.Verdict = hearsay.BallotYes + 1 }), hearsay.DropMalformed},
		{"a ballot without a reason", ballot(func(b *hearsay.Ballot) { b.Why = hearsay.Why{} }), hearsay.DropMalformed},
		{"an unknown reason", ballot(func(b *hearsay.Ballot) { b.Why.Reason = hearsay.NumReasons }), hearsay.DropMalformed},
		{"a reason at nobody's address", ballot(func(b *hearsay.Ballot) { b.Why.Addr = netip.AddrPortFrom(netip.IPv4Unspecified(), 1) }), hearsay.DropMalformed},
		{"too many members", &core.RosterPart{Ruling: sampleRuling(), Members: append(mostMembers(), mostMembers()[0])}, hearsay.DropOversized},
	} {
		checkDrop(t, tt.name, kindOf(tt.m), appendBody(nil, tt.m), tt.want)
	}
	hello := appendBody(nil, &core.SeatHello{})
	hello[2+1+32+16+32+8] = 1 << 5
	checkDrop(t, "an unknown flag", kindSeatHello, hello, hearsay.DropMalformed)
}

// Whatever is cut off a body is missed, and what it announced took no room.
func TestSeedBodiesCut(t *testing.T) {
	d := NewDecoder(testNetwork)
	for _, s := range slices.Concat(seedSamples(), petitionSamples()) {
		body := appendBody(nil, s.body)
		for n := range body {
			r := reader{bytes: body[:n]}
			m := d.readBody(&r, s.kind)
			if !r.failed || r.drop != hearsay.DropTruncated {
				t.Errorf("%s: %d of %d bytes: failed %t, %s", s.name, n, len(body), r.failed, r.drop)
			}
			if size := seedMemory(m); size > uintptr(memoryPerByte*n)+unsafe.Sizeof(core.LogSnapshot{}) {
				t.Errorf("%s: %d bytes became %d", s.name, n, size)
			}
		}
	}
}

// A length that is only announced takes no room: every four bytes of a body are
// made the largest count in turn.
func TestSeedLengthsTakeNoRoom(t *testing.T) {
	d := NewDecoder(testNetwork)
	for _, s := range slices.Concat(seedSamples(), petitionSamples()) {
		body := appendBody(nil, s.body)
		for at := 0; at+4 <= len(body); at++ {
			for _, n := range []uint32{1<<32 - 1, core.MaxLogEntries, core.MaxRosterMembers, core.MaxRulings} {
				changed := bytes.Clone(body)
				binary.BigEndian.PutUint32(changed[at:], n)
				r := reader{bytes: changed}
				if size := seedMemory(d.readBody(&r, s.kind)); size > uintptr(memoryPerByte*len(body)) {
					t.Fatalf("%s: %d at %d: %d bytes became %d", s.name, n, at, len(body), size)
				}
			}
		}
	}
}

// seedMemory gives the bytes that the elements of a message of the seeds take.
func seedMemory(m core.Message) uintptr {
	switch m := m.(type) {
	case *core.SeatHello:
		return seatMemory(m.Seats) + rulingMemory(m.Given)
	case *core.Raft:
		n := uintptr(cap(m.Context)) + uintptr(cap(m.Entries))*unsafe.Sizeof(core.LogEntry{})
		for _, e := range m.Entries {
			n += uintptr(cap(e.Data))
		}
		if s := m.Snapshot; s != nil {
			ids := cap(s.Config.Voters) + cap(s.Config.Learners) + cap(s.Config.VotersOutgoing) + cap(s.Config.LearnersNext)
			n += unsafe.Sizeof(*s) + uintptr(cap(s.Data)+8*ids)
		}
		return n
	case *core.Rulings:
		n := headMemory(m.Heads) + uintptr(cap(m.Items))*unsafe.Sizeof(m)
		for _, r := range m.Items {
			n += rulingMemory(r)
		}
		return n
	case *core.RosterPart:
		n := headMemory(m.Heads) + rulingMemory(m.Ruling) + uintptr(cap(m.Members))*unsafe.Sizeof(core.RosterMember{})
		for i := range m.Members {
			n += uintptr(len(m.Members[i].Claim.Card.Name))
		}
		return n
	case *core.Report:
		if m.Evidence != nil {
			return unsafe.Sizeof(*m.Evidence) + memory(&core.Packet{Body: &core.Evidence{Evidence: m.Evidence}})
		}
	case *core.Outcome:
		return uintptr(len(m.Text))
	}
	return 0
}

func rulingMemory(r *hearsay.Ruling) uintptr {
	if r == nil {
		return 0
	}
	return unsafe.Sizeof(*r) + seatMemory(r.Seats) + uintptr(cap(r.Ballots))*unsafe.Sizeof(hearsay.Ballot{}) + uintptr(len(r.Claim.Card.Name))
}

func seatMemory(s []hearsay.Seat) uintptr { return uintptr(cap(s)) * unsafe.Sizeof(hearsay.Seat{}) }
func headMemory(h []hearsay.Head) uintptr { return uintptr(cap(h)) * unsafe.Sizeof(hearsay.Head{}) }
