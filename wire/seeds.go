package wire

import (
	"encoding/binary"
	"fmt"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// What seeds say is written in the canonical bytes that they sign and hash
// (package hearsay): there is one way to write each value, and a field cannot
// be skipped without its signature.

// The kinds of what belongs to the seeds' authority.
const (
	kindSeatHello kind = iota + 32
	kindRaft
	kindLedgerReq
	kindRulings
	kindRosterPart
)

// The buckets of the seeds' authority. A peer has pins and heads.
const (
	BucketSeed      Bucket = "seed"
	BucketPins      Bucket = "pins"
	BucketLog       Bucket = "log"
	BucketSnapshots Bucket = "snapshots"
	BucketLedger    Bucket = "rulings" // not "ledger", as earlier versions have it, with reasons in words
	BucketHeads     Bucket = "heads"
	BucketRivals    Bucket = "rivals"
)

// The keys of BucketSeed.
const (
	keyLife     = "life"
	keyLogState = "state"
)

// kindOfSeeds gives the number of a message, or 0.
func kindOfSeeds(m core.Message) kind {
	switch m.(type) {
	case *core.SeatHello:
		return kindSeatHello
	case *core.Raft:
		return kindRaft
	case *core.LedgerReq:
		return kindLedgerReq
	case *core.Rulings:
		return kindRulings
	case *core.RosterPart:
		return kindRosterPart
	}
	return 0
}

// appendSeeds writes a message of the seeds, if it is one.
func appendSeeds(dst []byte, m core.Message) (after []byte, ok bool) {
	switch m := m.(type) {
	case *core.SeatHello:
		return m.AppendBinary(dst), true
	case *core.Raft:
		return m.AppendBinary(dst), true
	case *core.LedgerReq:
		return m.AppendBinary(dst), true
	case *core.Rulings:
		return m.AppendBinary(dst), true
	case *core.RosterPart:
		return m.AppendBinary(dst), true
	}
	return dst, false
}

// readSeeds reads a message of the seeds, or gives nil if it is none. Unlike
// other messages it is new each time, and may be kept.
func readSeeds(r *reader, k kind) core.Message {
	c := core.NewCanonical(r.bytes[r.at:])
	var m core.Message
	switch k {
	case kindSeatHello:
		m = c.SeatHello()
	case kindRaft:
		m = c.Raft()
	case kindLedgerReq:
		m = c.LedgerReq()
	case kindRulings:
		m = c.Rulings()
	case kindRosterPart:
		m = c.RosterPart()
	default:
		return nil
	}
	r.took(c)
	return m
}

// took goes on behind what was read as canonical bytes.
func (r *reader) took(c *core.Canonical) {
	if c.Failed() {
		r.fail(c.Drop())
		return
	}
	r.at = len(r.bytes) - c.Left()
}

// appendSeedRecord writes a record of the seeds' authority.
func appendSeedRecord(k, v []byte, r core.Record) (bucket Bucket, key, value []byte, drop bool) {
	switch r := r.(type) {
	case *core.SeedLife:
		v = append(append(append(v, r.Life[:]...), r.Config[:]...), r.Founding[:]...)
		if v = appendBool(v, r.Doubt); r.Doubt {
			v = binary.BigEndian.AppendUint32(v, uint32(r.Waited.Milliseconds()))
		}
		if len(r.List) > 0 {
			v = append(v, byte(len(r.List)))
		}
		for _, addr := range r.List {
			ip := addr.Addr().As16()
			v = binary.BigEndian.AppendUint16(append(v, ip[:]...), addr.Port())
		}
		return BucketSeed, append(k, keyLife...), v, false
	case *core.LogState:
		return BucketSeed, append(k, keyLogState...), appendLogState(v, r), false
	case *core.SeedPin:
		v = append(append(v, r.Seat.Key[:]...), r.Seat.Life[:]...)
		v = binary.BigEndian.AppendUint64(v, uint64(r.Since))
		if !r.Addr.IsValid() {
			return BucketPins, append(k, r.Seat.Slot), append(v, noAddr), false
		}
		return BucketPins, append(k, r.Seat.Slot), appendAddr(v, r.Addr), false
	case *core.KeptEntry:
		k = binary.BigEndian.AppendUint64(k, r.Entry.Index)
		if r.Dropped {
			return BucketLog, k, v, true
		}
		return BucketLog, k, binary.BigEndian.AppendUint64(r.Entry.AppendBinary(v), r.Before), false
	case *core.KeptSnapshot:
		k = binary.BigEndian.AppendUint64(k, r.Snapshot.Index)
		if r.Dropped {
			return BucketSnapshots, k, v, true
		}
		return BucketSnapshots, k, r.Snapshot.AppendBinary(v), false
	case *core.KeptRuling:
		k = binary.BigEndian.AppendUint64(k, uint64(r.Ruling.Epoch))
		if r.Dropped {
			return BucketLedger, k, v, true
		}
		v = appendBool(r.Ruling.AppendBinary(v), r.Evidence != nil)
		if r.Evidence != nil {
			v = r.Evidence.AppendBinary(v)
		}
		return BucketLedger, k, v, false
	case *core.KeptHead:
		return BucketHeads, append(k, r.Head.Slot), r.Head.AppendBinary(v), false
	case *core.KeptRival:
		if r.Dropped {
			return BucketRivals, append(k, r.Slot), v, true
		}
		return BucketRivals, append(k, r.Slot), r.Rival.AppendBinary(v), false
	}
	panic(fmt.Sprintf("wire: no such record: %T", r))
}

// readSeedRecord reads a record of the seeds' authority, or gives nil if the
// bucket is another's.
func readSeedRecord(bucket Bucket, k, v *reader) core.Record {
	c := core.NewCanonical(v.bytes)
	var record core.Record
	switch bucket {
	case BucketSeed:
		record = readSeed(k, c)
	case BucketPins:
		return readPin(k, v, c)
	case BucketLog:
		entry := c.LogEntry()
		if entry.Index != k.uint64() {
			c.Fail()
		}
		kept := &core.KeptEntry{Entry: entry}
		if c.Left() > 0 { // it was not always told
			kept.Before = c.Uint64()
		}
		record = kept
	case BucketSnapshots:
		snapshot := c.LogSnapshot()
		if snapshot.Index != k.uint64() {
			c.Fail()
		}
		record = &core.KeptSnapshot{Snapshot: snapshot}
	case BucketLedger:
		record = readKeptRuling(k, c)
	case BucketHeads:
		head := c.Head()
		if head.Slot != slot(k) {
			c.Fail()
		}
		record = &core.KeptHead{Head: head}
	case BucketRivals:
		kept := &core.KeptRival{Slot: slot(k), Rival: c.Rival()}
		if kept.Rival.Head.Slot != kept.Slot {
			c.Fail()
		}
		record = kept
	default:
		return nil
	}
	v.took(c)
	return record
}

// noAddr stands in the place of an address where there is none.
const noAddr = 0

func readPin(k, v *reader, c *core.Canonical) core.Record {
	pin := &core.SeedPin{Seat: hearsay.Seat{Slot: slot(k), Key: c.Key(), Life: c.Life()}, Since: hearsay.CaseID(c.Uint64())}
	switch v.took(c); {
	case v.at == len(v.bytes): // it was not always told
	case v.bytes[v.at] == noAddr:
		v.byte()
	default:
		pin.Addr = v.addr()
	}
	return pin
}

func readSeed(k *reader, c *core.Canonical) core.Record {
	switch string(k.take(len(k.bytes))) {
	case keyLife:
		life := &core.SeedLife{Life: c.Life(), Config: c.Hash(), Founding: c.Hash()}
		switch c.Byte() {
		case 0:
		case 1:
			life.Doubt, life.Waited = true, time.Duration(c.Uint32())*time.Millisecond
		default:
			k.fail(hearsay.DropMalformed)
		}
		if c.Left() == 0 {
			return life // it was not always told
		}
		n := int(c.Byte())
		if n > hearsay.MaxSeeds {
			k.fail(hearsay.DropMalformed)
			return life
		}
		for range n {
			life.List = append(life.List, c.Addr())
		}
		return life
	case keyLogState:
		return readLogState(k, c)
	}
	k.fail(hearsay.DropMalformed)
	return &core.LogState{}
}

// appendLogState writes the newest entry that is committed first: an earlier version reads its index, and no more.
func appendLogState(v []byte, r *core.LogState) []byte {
	newest, before := core.LogPlace{}, r.Commits
	if n := len(before); n > 0 {
		newest, before = before[n-1], before[:n-1]
	}
	for _, n := range [...]uint64{r.Term, r.Vote, newest.Index, newest.Term} {
		v = binary.BigEndian.AppendUint64(v, n)
	}
	v = append(v, byte(len(before)))
	for _, place := range before {
		v = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(v, place.Index), place.Term)
	}
	return v
}

func readLogState(k *reader, c *core.Canonical) *core.LogState {
	state := &core.LogState{Term: c.Uint64(), Vote: c.Uint64()}
	newest := core.LogPlace{Index: c.Uint64()}
	if c.Left() > 0 { // it was not always told
		newest.Term = c.Uint64()
		n := int(c.Byte())
		if n >= core.MaxCommits {
			k.fail(hearsay.DropMalformed)
			return state
		}
		for range n {
			state.Commits = append(state.Commits, core.LogPlace{Index: c.Uint64(), Term: c.Uint64()})
		}
	}
	if newest.Index > 0 {
		state.Commits = append(state.Commits, newest)
	}
	return state
}

func readKeptRuling(k *reader, c *core.Canonical) core.Record {
	r := &core.KeptRuling{Ruling: c.Ruling()}
	switch c.Byte() {
	case 0:
	case 1:
		r.Evidence = c.Evidence()
	default:
		c.Fail()
	}
	if r.Ruling != nil && uint64(r.Ruling.Epoch) != k.uint64() {
		c.Fail()
	}
	return r
}

func slot(k *reader) uint8 {
	n := k.byte()
	if n >= hearsay.MaxSeeds {
		k.fail(hearsay.DropMalformed)
	}
	return n
}
