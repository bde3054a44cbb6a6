package quorumtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"hearsay"
)

// Disk keeps what was synced, and of the rest whatever a crash leaves.
type Disk struct {
	Durable map[string]hearsay.Record
}

// place gives where a record stands, and whether it drops what is there.
func place(r hearsay.Record) (key string, drop bool) {
	switch r := r.(type) {
	case *hearsay.SeedLife:
		return "life", false
	case *hearsay.SeedPin:
		return fmt.Sprintf("pin %d", r.Seat.Slot), false
	case *hearsay.LogState:
		return "state", false
	case *hearsay.KeptEntry:
		return fmt.Sprintf("entry %d", r.Entry.Index), r.Dropped
	case *hearsay.KeptSnapshot:
		return fmt.Sprintf("snapshot %d", r.Snapshot.Index), r.Dropped
	case *hearsay.KeptRuling:
		return fmt.Sprintf("ruling %d", r.Ruling.Epoch), r.Dropped
	case *hearsay.KeptHead:
		return fmt.Sprintf("head %d", r.Head.Slot), false
	case *hearsay.KeptRival:
		return fmt.Sprintf("rival %d", r.Slot), r.Dropped
	}
	panic(fmt.Sprintf("no such record: %T", r))
}

// Apply makes a record durable.
func (d *Disk) Apply(r hearsay.Record) {
	if d.Durable == nil {
		d.Durable = make(map[string]hearsay.Record)
	}
	key, drop := place(r)
	if drop {
		delete(d.Durable, key)
	} else {
		d.Durable[key] = r
	}
}

// Sync makes records durable.
func (d *Disk) Sync(records []hearsay.Record) {
	for _, r := range records {
		d.Apply(r)
	}
}

// Load gives all records, ordered by key.
func (d *Disk) Load() (records []hearsay.Record) {
	for _, key := range slices.Sorted(maps.Keys(d.Durable)) {
		records = append(records, d.Durable[key])
	}
	return records
}

// Reread sends a message through its canonical bytes.
func Reread(t testing.TB, body hearsay.Message) hearsay.Message {
	var r *hearsay.Canonical
	var back hearsay.Message
	switch m := body.(type) {
	case *hearsay.SeatHello:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.SeatHello()
	case *hearsay.Raft:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.Raft()
	case *hearsay.Rulings:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.Rulings()
	case *hearsay.LedgerReq:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.LedgerReq()
	case *hearsay.RosterPart:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.RosterPart()
	default:
		t.Fatalf("sends %T", body)
	}
	if r.Failed() || r.Left() > 0 {
		t.Fatalf("not canonical: %+v", body)
	}
	return back
}
