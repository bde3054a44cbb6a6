package testkit

import (
	"fmt"
	"maps"
	"slices"

	"hearsay/internal/core"
)

// Disk keeps the records of a node that were synced, each under its key.
type Disk struct {
	Durable map[string]core.Record
}

// place gives where a record stands, and whether it drops what is there.
func place(r core.Record) (key string, drop bool) {
	switch r := r.(type) {
	case *core.OwnIncarnation:
		return "incarnation", false
	case *core.Contact:
		return fmt.Sprintf("contact %v", r.Addr), r.Dropped
	case *core.KeptEvidence:
		return fmt.Sprintf("evidence %x", r.Hash), r.Evidence == nil
	case *core.ReservedNumbers:
		return "numbers", false
	case *core.KeptRumor:
		return fmt.Sprintf("rumor %d", r.Number), r.Rumor == nil
	case *core.KeptStore:
		return "store", false
	case *core.KeptObject:
		return fmt.Sprintf("value %v %d", r.Dot.Origin, r.Dot.Counter), r.Gone
	case *core.KeptSeen:
		return fmt.Sprintf("seen %v", r.Origin), len(r.Ranges) == 0
	case *core.KeptOver:
		return fmt.Sprintf("over %v", r.Origin), r.Gone
	case *core.SeedLife:
		return "life", false
	case *core.SeedPin:
		return fmt.Sprintf("pin %d", r.Seat.Slot), false
	case *core.LogState:
		return "state", false
	case *core.KeptEntry:
		return fmt.Sprintf("entry %d", r.Entry.Index), r.Dropped
	case *core.KeptSnapshot:
		return fmt.Sprintf("snapshot %d", r.Snapshot.Index), r.Dropped
	case *core.KeptRuling:
		return fmt.Sprintf("ruling %d", r.Ruling.Epoch), r.Dropped
	case *core.KeptHead:
		return fmt.Sprintf("head %d", r.Head.Slot), false
	case *core.KeptRival:
		return fmt.Sprintf("rival %d", r.Slot), r.Dropped
	}
	panic(fmt.Sprintf("no such record: %T", r))
}

// Apply makes a record durable.
func (d *Disk) Apply(r core.Record) {
	if d.Durable == nil {
		d.Durable = make(map[string]core.Record)
	}
	key, drop := place(r)
	if drop {
		delete(d.Durable, key)
	} else {
		d.Durable[key] = r
	}
}

// Sync makes records durable.
func (d *Disk) Sync(records []core.Record) {
	for _, r := range records {
		d.Apply(r)
	}
}

// Load gives all records, ordered by key.
func (d *Disk) Load() (records []core.Record) {
	for _, key := range slices.Sorted(maps.Keys(d.Durable)) {
		records = append(records, d.Durable[key])
	}
	return records
}
