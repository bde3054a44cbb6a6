package store

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// seedRecords is what a seed keeps, in the order in which it is loaded: 255
// stands before 256.
func seedRecords() []core.Record {
	records := []core.Record{
		&core.SeedLife{Life: hearsay.Life{1}, Config: hearsay.Hash{2}},
		&core.LogState{Term: 3, Vote: 4, Commits: []core.LogPlace{{Term: 3, Index: 256}}},
	}
	for slot := range uint8(3) {
		records = append(records, &core.SeedPin{Seat: hearsay.Seat{Slot: slot, Key: hearsay.PublicKey{slot + 1}, Life: hearsay.Life{9}}, Since: 5})
	}
	for index := uint64(254); index < 258; index++ {
		records = append(records, &core.KeptEntry{Entry: core.LogEntry{Index: index, Term: 3, Data: []byte("an entry")}})
	}
	for _, index := range []uint64{200, 70000} {
		config := core.LogConfig{Voters: []uint64{1, 2, 1 << 63}}
		records = append(records, &core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: index, Term: 3, Config: config, Size: 5, Data: []byte("state")}})
	}
	for epoch := hearsay.Epoch(254); epoch < 258; epoch++ {
		records = append(records, keptRuling(epoch))
	}
	records = append(records, &core.KeptHead{Head: hearsay.Head{Epoch: 257, Hash: hearsay.Hash{6}, Slot: 2}})
	records = append(records, &core.KeptRival{Slot: 2, Rival: core.Rival{Epoch: 9, Own: hearsay.Hash{1}, Other: hearsay.Hash{2}, Head: hearsay.Head{Epoch: 9, Hash: hearsay.Hash{2}, Slot: 2}}})
	return records
}

// keptRuling gives a ruling as one of three seeds keeps it: every second one
// admits somebody, the others remove somebody by the word of nine observers.
func keptRuling(epoch hearsay.Epoch) *core.KeptRuling {
	r := &hearsay.Ruling{
		Epoch: epoch, Kind: hearsay.RulingAdmit, Stay: hearsay.Stay{ID: hearsay.NodeID{1, byte(epoch >> 8), byte(epoch)}, Epoch: epoch}, Key: hearsay.PublicKey{7},
		Case: hearsay.CaseID(epoch) * hearsay.CasesAnEntry, At: 1_763_633_000_000, Previous: hearsay.Hash{8}, Roster: hearsay.Hash{9},
		Ballots: make([]hearsay.Ballot, 2),
	}
	for i := range r.Ballots {
		r.Ballots[i] = hearsay.Ballot{Case: r.Case, Stay: r.Stay, Slot: uint8(i), Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
	}
	if epoch%2 == 0 {
		r.Claim = hearsay.Claim{Subject: r.Stay.ID, State: hearsay.StateAlive, Incarnation: 1, Card: hearsay.Card{
			Key: r.Key, Role: hearsay.RolePeer, Name: "web-17.example", Addr: netip.MustParseAddrPort("10.0.0.1:7946"),
		}}
		return &core.KeptRuling{Ruling: r}
	}
	r.Kind, r.Rule = hearsay.RulingRemove, hearsay.RuleMajority
	evidence := &hearsay.Evidence{Subject: r.Stay.ID, Incarnation: 1, Round: 2, Rule: hearsay.RuleMajority, Observers: 9, Needed: 5}
	for observer := range byte(9) {
		evidence.Statements = append(evidence.Statements, hearsay.Statement{
			Subject: r.Stay.ID, Incarnation: 1, Round: 2, Observer: hearsay.NodeID{observer + 1}, Verdict: hearsay.VerdictUnreachable, At: 3,
		})
	}
	return &core.KeptRuling{Ruling: r, Evidence: evidence}
}

// dropped gives the records, and what drops every entry, snapshot and ruling
// of them.
func dropped(records []core.Record) (left, drops []core.Record) {
	for _, record := range records {
		switch r := record.(type) {
		case *core.KeptEntry:
			drops = append(drops, &core.KeptEntry{Entry: core.LogEntry{Index: r.Entry.Index}, Dropped: true})
		case *core.KeptSnapshot:
			drops = append(drops, &core.KeptSnapshot{Snapshot: &core.LogSnapshot{Index: r.Snapshot.Index}, Dropped: true})
		case *core.KeptRuling:
			drops = append(drops, &core.KeptRuling{Ruling: &hearsay.Ruling{Epoch: r.Ruling.Epoch}, Dropped: true})
		default:
			left = append(left, record)
		}
	}
	return left, drops
}

func TestSeedRecordsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir)
	all := slices.Concat(someRecords(), seedRecords())
	left, drops := dropped(all)
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	if err := d.Persist(backwards); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = mustOpen(t, dir)
	if got, err := d.Load(); err != nil || !reflect.DeepEqual(got, all) {
		t.Fatalf("loaded %v, %v", got, err)
	}
	if err := d.Persist(drops); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if got, err := mustOpen(t, dir).Load(); err != nil || !reflect.DeepEqual(got, left) {
		t.Errorf("loaded %v, %v", got, err)
	}
}

func TestMemoryKeepsSeedRecords(t *testing.T) {
	var m Memory
	all := slices.Concat(someRecords(), seedRecords())
	left, drops := dropped(all)
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	m.Persist(backwards)
	if got := load(t, &m); !reflect.DeepEqual(got, all) {
		t.Errorf("loaded %v", got)
	}
	m.Persist(drops)
	if got := load(t, &m); !reflect.DeepEqual(got, left) {
		t.Errorf("loaded %v", got)
	}
}

// A file in which there never was a seed has none of a seed's buckets, and
// takes them in.
func TestFileOfAnEarlierVersionTakesSeedRecords(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir)
	if err := d.Persist(someRecords()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []wire.Bucket{wire.BucketSeed, wire.BucketPins, wire.BucketLog, wire.BucketSnapshots, wire.BucketLedger, wire.BucketHeads} {
		if !slices.Contains(addedBuckets, name) || slices.Contains(firstBuckets, name) {
			t.Errorf("bucket %s is made with the file", name)
		}
	}
	d.Close()
	d = mustOpen(t, dir)
	if err := d.Persist(seedRecords()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if got, err := mustOpen(t, dir).Load(); err != nil || !reflect.DeepEqual(got, slices.Concat(someRecords(), seedRecords())) {
		t.Errorf("loaded %v, %v", got, err)
	}
}
