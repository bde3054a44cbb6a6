package wire

import (
	"bytes"
	"cmp"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

// The samples of what seeds say and keep. Their fields are bytes that are easy
// to find in a dump; nothing in them is really signed.

var (
	sampleKey       = hearsay.PublicKey(bytes.Repeat([]byte{0x4b}, 32))
	sampleSignature = hearsay.Signature(bytes.Repeat([]byte{0x51}, 64))
	sampleLife      = hearsay.Life(bytes.Repeat([]byte{0x1f}, 16))
)

const (
	seatLayout   = "slot 1 · key 32 · life 16"
	stayLayout   = "id 16 · epoch 8"
	ballotLayout = "case 8 · about 32 · " + stayLayout + " · slot 1 · life 16 · verdict 1 · at 8 · signature 64 · reason 1 · where-ip 16 · where-port 2"
	claimLayout  = "subject 16 · incarnation 8 · key 32 · signature 64 · role 1 · ip 16 · port 2 · name-length 1 · name 1"
	rulingLayout = "epoch 8 · kind 1 · " + stayLayout + " · key 32 · " + claimLayout + " · seats 1 · case 8 · rule 1 · ballots 1 · " +
		ballotLayout + " · " + ballotLayout + " · evidence 32 · at 8 · previous 32 · roster 32"
	headLayout       = "founding 32 · epoch 8 · hash 32 · slot 1 · signature 64"
	entryLayout      = "index 8 · term 8 · type 1 · length 4 · data 5"
	partLayout       = "index 8 · term 8 · voters 1 · voter 8 · voter 8 · learners 1 · learner 8 · outgoing 1 · next 1 · auto-leave 1 · offset 4 · size 4 · length 4 · data 4"
	seatRulingLayout = "epoch 8 · kind 1 · " + stayLayout + " · key 32 · seats 1 · " + seatLayout + " · case 8 · rule 1 · ballots 1 · " + ballotLayout +
		" · evidence 32 · at 8 · previous 32 · roster 32"
	storyLayout = "subject 16 · incarnation 8 · round 8 · rule 1 · accuser 16 · suspected 8 · condemned 8 · observers 1 · needed 1 · statements 1 · " +
		"observer 16 · verdict 1 · at 8 · signature 64 · observer 16 · verdict 1 · at 8 · signature 64"
)

func sampleBallot(slot uint8) hearsay.Ballot {
	return hearsay.Ballot{
		Case: 42 * hearsay.CasesAnEntry, About: hearsay.Hash{0: 0xab, 31: 0xba}, Stay: hearsay.Stay{ID: idA}, Slot: slot, Life: sampleLife,
		Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonAnswers, Addr: addr4}, At: sampleTime, Signature: sampleSignature,
	}
}

func sampleRuling() *hearsay.Ruling {
	return &hearsay.Ruling{
		Epoch: 7, Kind: hearsay.RulingAdmit, Stay: hearsay.Stay{ID: idA, Epoch: 7}, Key: sampleKey, Claim: full(hearsay.StateAlive, "a", addr4),
		Case: 42 * hearsay.CasesAnEntry, Ballots: []hearsay.Ballot{sampleBallot(0), sampleBallot(2)}, At: sampleTime,
		Previous: hearsay.Hash{1}, Roster: hearsay.Hash{2},
	}
}

func sampleSeat() *hearsay.Ruling {
	return &hearsay.Ruling{
		Epoch: 10, Kind: hearsay.RulingSeat, Seats: []hearsay.Seat{{Slot: 1, Key: sampleKey, Life: sampleLife}}, Case: 52 * hearsay.CasesAnEntry,
		Ballots: []hearsay.Ballot{sampleBallot(0)}, At: sampleTime, Previous: hearsay.Hash{1}, Roster: hearsay.Hash{2},
	}
}

func sampleHead() hearsay.Head {
	return hearsay.Head{Founding: hearsay.Hash{4}, Epoch: 7, Hash: hearsay.Hash{3}, Slot: 2, Signature: sampleSignature}
}

func samplePart() *core.LogSnapshot {
	return &core.LogSnapshot{
		Index: 100, Term: 3, Config: core.LogConfig{Voters: []uint64{11, 12}, Learners: []uint64{13}},
		Offset: 4, Size: 8, Data: []byte("half"),
	}
}

func sampleEntry() core.LogEntry {
	return core.LogEntry{Index: 101, Term: 3, Data: []byte("entry")}
}

func seedSamples() []sample {
	return []sample{
		{
			name: "seat-hello", kind: kindSeatHello, says: "who sits in slot 1, and that a quorum gave it",
			body: &core.SeatHello{
				Versions: core.LogVersions{Log: 3, Snapshot: 7}, Slot: 1, Key: sampleKey, Life: sampleLife, Config: hearsay.Hash{9}, Nonce: 0xfeedface, Answer: true, Founded: true,
				Seats: []hearsay.Seat{{Slot: 0, Key: sampleKey, Life: sampleLife}, {Slot: 1, Key: sampleKey}},
				Given: sampleSeat(), Signature: sampleSignature,
			},
			bodyLayout: "log-version 1 · snapshot-version 1 · slot 1 · key 32 · life 16 · config 32 · nonce 8 · flags 1 · seats 1 · " + seatLayout + " · " + seatLayout +
				" · length 4 · " + seatRulingLayout + " · signature 64",
		},
		{
			name: "seat-hello-founded", kind: kindSeatHello, says: "that slot 1 takes part in a founding, and has nothing of it yet",
			body: &core.SeatHello{
				Versions: core.LogVersions{Log: 3, Snapshot: 7}, Slot: 1, Key: sampleKey, Life: sampleLife, Config: hearsay.Hash{9}, Nonce: 0xfeedface, Answer: true,
				Founding: hearsay.Hash{8}, Signature: sampleSignature,
			},
			bodyLayout: "log-version 1 · snapshot-version 1 · slot 1 · key 32 · life 16 · config 32 · nonce 8 · flags 1 · seats 1 · founding 32 · signature 64",
		},
		{
			name: "seat-hello-log", kind: kindSeatHello, says: "how far the log of slot 1 goes",
			body: &core.SeatHello{
				Versions: core.LogVersions{Log: 3, Snapshot: 7}, Slot: 1, Key: sampleKey, Life: sampleLife, Config: hearsay.Hash{9}, Nonce: 0xfeedface, Answer: true, Founded: true,
				Founding: hearsay.Hash{8}, Term: 6, Last: core.LogPlace{Term: 5, Index: 32}, Clock: 1_763_000_000_000, Signature: sampleSignature,
			},
			bodyLayout: "log-version 1 · snapshot-version 1 · slot 1 · key 32 · life 16 · config 32 · nonce 8 · flags 1 · seats 1 · founding 32 · term 8 · last-term 8 · last-index 8 · clock 8 · signature 64",
		},
		{
			name: "seat-hello-unread", kind: kindSeatHello, says: "that slot 1 runs another version, with a ruling that this one cannot read",
			body: &core.SeatHello{
				Versions: core.LogVersions{Log: 4, Snapshot: 7}, Slot: 1, Key: sampleKey, Life: sampleLife, Config: hearsay.Hash{9}, Nonce: 0xfeedface,
				Unread: []byte("later"), Signature: sampleSignature,
			},
			bodyLayout: "log-version 1 · snapshot-version 1 · slot 1 · key 32 · life 16 · config 32 · nonce 8 · flags 1 · seats 1 · length 4 · ruling 5 · signature 64",
		},
		{
			name: "raft", kind: kindRaft, says: "an entry, and half a snapshot",
			body: &core.Raft{
				Versions: core.LogVersions{Log: 3, Snapshot: 7}, Slot: 1, Type: 3, To: 11, From: 12, Term: 3, LogTerm: 2, Index: 100, Commit: 99, Vote: 11, RejectHint: 98, Reject: true, Context: []byte("ctx"),
				Entries: []core.LogEntry{sampleEntry()}, Snapshot: samplePart(), Signature: sampleSignature,
			},
			bodyLayout: "log-version 1 · snapshot-version 1 · slot 1 · type 1 · flags 1 · to 8 · from 8 · term 8 · log-term 8 · index 8 · commit 8 · vote 8 · hint 8 · length 4 · context 3 · entries 4 · " +
				entryLayout + " · " + partLayout + " · signature 64",
		},
		{name: "ledger-req", kind: kindLedgerReq, says: "what comes after epoch 6?", body: &core.LedgerReq{After: 6, Before: 0}, bodyLayout: "after 8 · before 8"},
		{
			name: "rulings", kind: kindRulings, says: "one ruling, and one head",
			body:       &core.Rulings{Items: []*hearsay.Ruling{sampleRuling()}, Heads: []hearsay.Head{sampleHead()}},
			bodyLayout: "rulings 4 · " + rulingLayout + " · heads 1 · " + headLayout,
		},
		{
			name: "roster-part", kind: kindRosterPart, says: "the second half of a roster",
			body: &core.RosterPart{
				Ruling: sampleRuling(), Heads: []hearsay.Head{sampleHead()}, Part: 1, Parts: 2,
				Members: []core.RosterMember{{Stay: hearsay.Stay{ID: idA, Epoch: 7}, Claim: full(hearsay.StateAlive, "a", addr4)}},
			},
			bodyLayout: rulingLayout + " · heads 1 · " + headLayout + " · part 2 · parts 2 · members 4 · " + stayLayout + " · " + claimLayout,
		},
	}
}

func sampleSeedRecords() []recordSample {
	left := &hearsay.Ruling{
		Epoch: 8, Kind: hearsay.RulingLeave, Stay: hearsay.Stay{ID: idA, Epoch: 7}, Key: sampleKey, Case: 50 * hearsay.CasesAnEntry,
		Leave: sampleSignature, At: sampleTime, Previous: hearsay.Hash{1}, Roster: hearsay.Hash{2},
	}
	removed := &hearsay.Ruling{
		Epoch: 9, Kind: hearsay.RulingRemove, Rule: hearsay.RuleMajority, Stay: hearsay.Stay{ID: idB, Epoch: 6}, Key: sampleKey, Case: 51 * hearsay.CasesAnEntry,
		Ballots: []hearsay.Ballot{sampleBallot(1)}, Evidence: hearsay.Hash{4}, At: sampleTime, Previous: hearsay.Hash{1}, Roster: hearsay.Hash{2},
	}
	const decided = "case 8 · rule 1 · ballots 1"
	const tail = "evidence 32 · at 8 · previous 32 · roster 32"
	return []recordSample{
		{"life", &core.SeedLife{Life: sampleLife, Config: hearsay.Hash{9}, Founding: hearsay.Hash{8}, Doubt: true, Waited: 7 * time.Second, List: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.3:5001")}}, "key 4 · life 16 · config 32 · founding 32 · doubt 1 · waited 4 · list 1 · ip 16 · port 2"},
		{
			"log-state", &core.LogState{Term: 3, Vote: 11, Commits: []core.LogPlace{{Term: 2, Index: 80}, {Term: 3, Index: 99}}},
			"key 5 · term 8 · vote 8 · commit 8 · commit-term 8 · earlier 1 · before 8 · before-term 8",
		},
		{"pin", &core.SeedPin{Seat: hearsay.Seat{Slot: 2, Key: sampleKey, Life: sampleLife}, Since: 42}, "slot 1 · key 32 · life 16 · since 8 · no-address 1"},
		{"pin-at", &core.SeedPin{Seat: hearsay.Seat{Slot: 2, Key: sampleKey, Life: sampleLife}, Since: 42, Addr: netip.MustParseAddrPort("10.0.0.3:5001")}, "slot 1 · key 32 · life 16 · since 8 · family 1 · ip 4 · port 2"},
		{"entry", &core.KeptEntry{Entry: sampleEntry(), Before: 2}, "key 8 · " + entryLayout + " · before 8"},
		{"snapshot", &core.KeptSnapshot{Snapshot: samplePart()}, "key 8 · " + partLayout},
		{"ruling", &core.KeptRuling{Ruling: sampleRuling()}, "key 8 · " + rulingLayout + " · with-evidence 1"},
		{
			"leave", &core.KeptRuling{Ruling: left},
			"key 8 · epoch 8 · kind 1 · " + stayLayout + " · key 32 · seats 1 · " + decided + " · leave 64 · " + tail + " · with-evidence 1",
		},
		{
			"removal", &core.KeptRuling{Ruling: removed, Evidence: sampleEvidence()},
			"key 8 · epoch 8 · kind 1 · " + stayLayout + " · key 32 · seats 1 · " + decided + " · " + ballotLayout + " · " + tail + " · with-evidence 1 · " + storyLayout,
		},
		{
			"seat", &core.KeptRuling{Ruling: sampleSeat()}, "key 8 · " + seatRulingLayout + " · with-evidence 1",
		},
		{"head", &core.KeptHead{Head: sampleHead()}, "slot 1 · " + headLayout},
		{
			"rival", &core.KeptRival{Slot: sampleHead().Slot, Rival: core.Rival{Epoch: 4, Own: hearsay.Hash{1}, Other: hearsay.Hash{2}, Head: sampleHead(), Twin: sampleHead()}},
			"slot 1 · epoch 8 · own 32 · other 32 · " + headLayout + " · " + headLayout,
		},
	}
}

func FuzzSeatHello(f *testing.F)  { fuzzBody(f, kindSeatHello) }
func FuzzRaft(f *testing.F)       { fuzzBody(f, kindRaft) }
func FuzzLedgerReq(f *testing.F)  { fuzzBody(f, kindLedgerReq) }
func FuzzRulings(f *testing.F)    { fuzzBody(f, kindRulings) }
func FuzzRosterPart(f *testing.F) { fuzzBody(f, kindRosterPart) }

// FuzzRuling tries what a ledger may hold: what is read is written again byte
// by byte, or a hash would mean two things.
func FuzzRuling(f *testing.F) {
	for _, s := range sampleSeedRecords() {
		if r, ok := s.record.(*core.KeptRuling); ok {
			f.Add(r.Ruling.AppendBinary(nil))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := core.NewCanonical(b)
		r := c.Ruling()
		if c.Failed() {
			return
		}
		read := b[:len(b)-c.Left()]
		if again := r.AppendBinary(nil); !bytes.Equal(again, read) {
			t.Fatalf("%x became %x", read, again)
		}
	})
}

func TestSeedRecordRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		bucket     Bucket
		key, value []byte
		want       string
	}{
		"a slot that cannot be": {BucketPins, []byte{hearsay.MaxSeeds}, make([]byte, 56), "malformed"},
		"another seed key":      {BucketSeed, []byte("soul"), make([]byte, 48), "malformed"},
		"half a life":           {BucketSeed, []byte(keyLife), make([]byte, 15), "truncated"},
		"an entry elsewhere":    {BucketLog, make([]byte, 8), new(sampleEntry()).AppendBinary(nil), "malformed"},
		"a snapshot elsewhere":  {BucketSnapshots, make([]byte, 8), samplePart().AppendBinary(nil), "malformed"},
		"a ruling elsewhere":    {BucketLedger, make([]byte, 8), append(sampleRuling().AppendBinary(nil), 0), "malformed"},
		"maybe with evidence":   {BucketLedger, []byte{7: 7}, append(sampleRuling().AppendBinary(nil), 2), "malformed"},
		"a head elsewhere":      {BucketHeads, []byte{1}, new(sampleHead()).AppendBinary(nil), "malformed"},
	} {
		record, err := DecodeRecord(tt.bucket, tt.key, tt.value)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %+v, %v, want %q", name, record, err, tt.want)
		}
	}
}

func TestSeedRecordDropped(t *testing.T) {
	for _, pair := range [][2]core.Record{
		{&core.KeptEntry{Entry: sampleEntry()}, &core.KeptEntry{Entry: core.LogEntry{Index: 101}, Dropped: true}},
		{&core.KeptSnapshot{Snapshot: samplePart()}, &core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: 100}, Dropped: true}},
		{&core.KeptRuling{Ruling: sampleRuling()}, &core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: 7}, Dropped: true}},
	} {
		bucket, key, _, drop := AppendRecord(nil, nil, pair[0])
		goneBucket, goneKey, value, gone := AppendRecord(nil, nil, pair[1])
		if drop || !gone || len(value) > 0 || bucket != goneBucket || !bytes.Equal(key, goneKey) {
			t.Errorf("%s %x became %s %x", bucket, key, goneBucket, goneKey)
		}
	}
}

// Messages of the seeds are new each time: what is kept of one is not changed
// by the next, or by the bytes that it came in.
func TestSeedMessagesMayBeKept(t *testing.T) {
	for _, s := range seedSamples() {
		packet := AppendPacket(nil, testNetwork, &core.Packet{From: idA, Body: s.body})
		d := NewDecoder(testNetwork)
		var first, second core.Packet
		if drop, ok := d.Decode(packet, &first); !ok {
			t.Fatal(drop)
		}
		if drop, ok := d.Decode(bytes.Clone(packet), &second); !ok {
			t.Fatal(drop)
		}
		clear(packet)
		if first.Body == second.Body || !reflect.DeepEqual(first.Body, s.body) {
			t.Errorf("%s changed to %+v", s.name, first.Body)
		}
	}
}

func drawVersions(t *rapid.T) core.LogVersions {
	return core.LogVersions{Log: rapid.Byte().Draw(t, "log version"), Snapshot: rapid.Byte().Draw(t, "snapshot version")}
}

// drawSeeds draws a message of the seeds, or nil if k is another's.
func drawSeeds(t *rapid.T, k kind) core.Message {
	n := rapid.Uint64().Draw(t, "number")
	switch k {
	case kindSeatHello:
		m := &core.SeatHello{
			Versions: drawVersions(t), Slot: drawSlot(t), Key: sampleKey, Life: hearsay.Life(drawBytes(t, "life", 16)), Config: drawHash(t), Nonce: n, Answer: n&1 != 0, Founded: n&2 != 0,
			Seats: drawSeats(t), Signature: drawSignature(t),
		}
		switch {
		case n&4 == 0:
		case n&32 == 0:
			m.Given = drawRuling(t)
		default:
			m.Unread = []byte("of another version")
		}
		if n&8 != 0 {
			m.Founding = drawHash(t)
		}
		if n&16 != 0 {
			m.Term, m.Last, m.Clock = n, core.LogPlace{Term: n >> 1, Index: n >> 2}, n>>3
		}
		return m
	case kindRaft:
		m := &core.Raft{
			Versions: drawVersions(t), Slot: drawSlot(t), Type: byte(n), To: n, From: n + 1, Term: n / 2, LogTerm: n / 3, Index: n / 5, Commit: n / 7, Vote: n / 9, RejectHint: n / 11,
			Reject: n&1 != 0, Context: orNil(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "context")),
			Entries: orNil(rapid.SliceOfN(rapid.Custom(drawEntry), 0, 5).Draw(t, "entries")), Signature: drawSignature(t),
		}
		if n&2 != 0 {
			m.Snapshot = drawSnapshot(t)
		}
		return m
	case kindLedgerReq:
		return &core.LedgerReq{After: hearsay.Epoch(n), Before: hearsay.Epoch(n / 2)}
	case kindRulings:
		return &core.Rulings{Items: orNil(rapid.SliceOfN(rapid.Custom(drawRuling), 0, 3).Draw(t, "rulings")), Heads: drawHeads(t)}
	case kindRosterPart:
		m := &core.RosterPart{Ruling: drawRuling(t), Heads: drawHeads(t), Part: uint16(n), Parts: uint16(n >> 16)}
		for range rapid.IntRange(0, 5).Draw(t, "members") {
			m.Members = append(m.Members, core.RosterMember{Stay: hearsay.Stay{ID: drawID(t), Epoch: hearsay.Epoch(n)}, Claim: drawSigned(t)})
		}
		return m
	}
	return nil
}

// orNil gives nil for an empty list, as readers do.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func drawSlot(t *rapid.T) uint8 { return rapid.Uint8Max(hearsay.MaxSeeds-1).Draw(t, "slot") }

func drawSeats(t *rapid.T) (seats []hearsay.Seat) {
	for slot := range uint8(hearsay.MaxSeeds) {
		if rapid.IntRange(0, 3).Draw(t, "seat") == 0 {
			seats = append(seats, hearsay.Seat{Slot: slot, Key: hearsay.PublicKey(drawBytes(t, "key", 32)), Life: hearsay.Life{slot}})
		}
	}
	return seats
}

func drawHeads(t *rapid.T) (heads []hearsay.Head) {
	for range rapid.IntRange(0, 3).Draw(t, "heads") {
		heads = append(heads, drawHead(t))
	}
	return heads
}

func drawHead(t *rapid.T) hearsay.Head {
	return hearsay.Head{Founding: drawHash(t), Epoch: hearsay.Epoch(rapid.Uint64().Draw(t, "epoch")), Hash: drawHash(t), Slot: drawSlot(t), Signature: drawSignature(t)}
}

func drawEntry(t *rapid.T) core.LogEntry {
	n := rapid.Uint64().Draw(t, "index")
	return core.LogEntry{Index: n, Term: n / 3, Type: byte(n), Data: orNil(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data"))}
}

func drawSnapshot(t *rapid.T) *core.LogSnapshot {
	ids := func() []uint64 { return orNil(rapid.SliceOfN(rapid.Uint64(), 0, 5).Draw(t, "ids")) }
	s := &core.LogSnapshot{
		Index: rapid.Uint64().Draw(t, "index"), Term: rapid.Uint64().Draw(t, "term"),
		Config: core.LogConfig{Voters: ids(), Learners: ids(), VotersOutgoing: ids(), LearnersNext: ids(), AutoLeave: rapid.Bool().Draw(t, "auto-leave")},
		Data:   orNil(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")), Offset: rapid.Uint32Max(core.MaxSnapshotBytes-300).Draw(t, "offset"),
	}
	s.Size = s.Offset + uint32(len(s.Data)) + rapid.Uint32Max(core.MaxSnapshotBytes-300-s.Offset).Draw(t, "rest")
	s.Size = min(s.Size, core.MaxSnapshotBytes)
	return s
}

// drawSigned draws a claim of alive with a card, as a ledger has it; the card
// of a guest has no key.
func drawSigned(t *rapid.T) hearsay.Claim {
	c := full(hearsay.StateAlive, rapid.StringMatching(`[a-zA-Z0-9äöü][a-zA-Z0-9.äöü-]{0,31}`).Draw(t, "name"), drawAddr(t))
	c.Subject, c.Incarnation, c.Card.Signature = drawID(t), drawIncarnation(t), drawSignature(t)
	if rapid.Bool().Draw(t, "guest") {
		c.Card.Key, c.Card.Signature = hearsay.PublicKey{}, hearsay.Signature{}
	}
	return c
}

func drawBallot(t *rapid.T) hearsay.Ballot {
	return hearsay.Ballot{
		Case: hearsay.CaseID(rapid.Uint64().Draw(t, "case")), About: drawHash(t), Stay: hearsay.Stay{ID: drawID(t)}, Slot: drawSlot(t), Life: sampleLife,
		Verdict: hearsay.BallotVerdict(rapid.Uint8Range(1, 2).Draw(t, "verdict")), At: rapid.Int64().Draw(t, "at"), Signature: drawSignature(t),
		Why: rapid.SampledFrom([]hearsay.Why{
			{Reason: hearsay.ReasonAnswers, Addr: addr4},
			{Reason: hearsay.ReasonSilent, Addr: addr6, Took: 4100},
			{Reason: hearsay.ReasonAway, Until: sampleTime},
			{Reason: hearsay.ReasonFewObserved, Count: 4, Of: 9, Needed: 5},
			{Reason: hearsay.ReasonMet},
		}).Draw(t, "why"),
	}
}

func drawRuling(t *rapid.T) *hearsay.Ruling {
	r := &hearsay.Ruling{
		Epoch: hearsay.Epoch(rapid.Uint64().Draw(t, "epoch")), Kind: hearsay.RulingKind(rapid.Uint8Range(1, uint8(hearsay.NumRulingKinds)-1).Draw(t, "kind of ruling")),
		Stay: hearsay.Stay{ID: drawID(t), Epoch: hearsay.Epoch(rapid.Uint64().Draw(t, "stay"))}, Key: sampleKey, Seats: drawSeats(t),
		Case: hearsay.CaseID(rapid.Uint64().Draw(t, "case")), Rule: hearsay.Rule(rapid.Uint8Max(uint8(hearsay.RuleTrial)).Draw(t, "rule")),
		Ballots:  orNil(rapid.SliceOfN(rapid.Custom(drawBallot), 0, 4).Draw(t, "ballots")),
		Evidence: drawHash(t), At: rapid.Int64().Draw(t, "at"), Previous: drawHash(t), Roster: drawHash(t),
	}
	switch r.Kind {
	case hearsay.RulingAdmit:
		r.Claim = drawSigned(t)
	case hearsay.RulingLeave:
		r.Leave = drawSignature(t)
	}
	return r
}

func drawSeedRecord(t *rapid.T) core.Record {
	n := rapid.Uint64().Draw(t, "number")
	switch n % 8 {
	case 0:
		life := &core.SeedLife{Life: hearsay.Life(drawBytes(t, "life", 16)), Config: drawHash(t), Founding: drawHash(t), Doubt: rapid.Bool().Draw(t, "doubt")}
		if life.Doubt {
			life.Waited = time.Duration(rapid.Uint32().Draw(t, "waited")) * time.Millisecond
		}
		for range rapid.IntRange(0, hearsay.MaxSeeds).Draw(t, "seeds") {
			life.List = append(life.List, drawAddr(t))
		}
		return life
	case 1:
		pin := &core.SeedPin{Seat: hearsay.Seat{Slot: drawSlot(t), Key: hearsay.PublicKey(drawBytes(t, "key", 32)), Life: sampleLife}, Since: hearsay.CaseID(n)}
		if n%2 == 0 {
			pin.Addr = drawAddr(t)
		}
		return pin
	case 2:
		state := &core.LogState{Term: n, Vote: n / 3}
		for i := range n % (core.MaxCommits + 1) {
			state.Commits = append(state.Commits, core.LogPlace{Term: 1 + n/5 + i, Index: max(1, n/3) + i})
		}
		return state
	case 3:
		return &core.KeptEntry{Entry: drawEntry(t), Before: n}
	case 4:
		return &core.KeptSnapshot{Snapshot: drawSnapshot(t)}
	case 5:
		return &core.KeptHead{Head: drawHead(t)}
	case 6:
		head := drawHead(t)
		return &core.KeptRival{Slot: head.Slot, Rival: core.Rival{Epoch: head.Epoch, Own: drawHash(t), Other: head.Hash, Head: head, Twin: drawHead(t)}}
	}
	r := &core.KeptRuling{Ruling: drawRuling(t)}
	if rapid.Bool().Draw(t, "with evidence") {
		r.Evidence = drawEvidence(t)
	}
	return r
}

// What is kept is loaded as it was, and every cut of it is seen.
func TestSeedRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSeedRecord(t)
		bucket, key, value, drop := AppendRecord(nil, nil, want)
		got, err := DecodeRecord(bucket, key, value)
		if drop || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		cut := rapid.IntRange(0, len(value)-1).Draw(t, "cut")
		earlier := false
		switch want := want.(type) {
		case *core.SeedLife:
			earlier = cut == len(value)-1-18*len(want.List) // without the list
		case *core.SeedPin:
			earlier = cut == 32+16+8 // without the address
		case *core.KeptEntry:
			earlier = cut == len(value)-8 // without the term before
		case *core.LogState:
			earlier = cut == 3*8 // without terms
		}
		if got, err := DecodeRecord(bucket, key, value[:cut]); err == nil && !earlier {
			t.Fatalf("%d of %d bytes gave %+v", cut, len(value), got)
		}
		if got, err := DecodeRecord(bucket, key[:len(key)-1], value); err == nil {
			t.Fatalf("a key cut short gave %+v", got)
		}
	})
}

// A disk gives what is numbered in order.
func TestSeedKeysAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		key := func(r core.Record) []byte { _, k, _, _ := AppendRecord(nil, nil, r); return k }
		for _, keys := range [][2][]byte{
			{key(&core.KeptEntry{Entry: core.LogEntry{Index: a}}), key(&core.KeptEntry{Entry: core.LogEntry{Index: b}})},
			{key(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: a}}), key(&core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: b}})},
			{key(&core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: hearsay.Epoch(a)}}), key(&core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: hearsay.Epoch(b)}})},
		} {
			if bytes.Compare(keys[0], keys[1]) != cmp.Compare(a, b) {
				t.Fatalf("%d has key %x, %d has %x", a, keys[0], b, keys[1])
			}
		}
	})
}
