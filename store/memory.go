package store

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/wire"
)

// Memory is a disk for the simulator: it keeps what was synced, and of the
// rest whatever a crash leaves. It is not safe for concurrent use. The zero
// value is an empty disk.
type Memory struct {
	durable map[place]string // sealed values
	waiting []write          // written and not synced, oldest first
	steps   int              // calls of Write since the last Sync
}

// place is where a value stands.
type place struct {
	bucket wire.Bucket
	key    string
}

// write sets a place, or drops it.
type write struct {
	place
	value string
	drop  bool
	step  int // the call of Write, from 1, with which it stands or falls; 0: by itself
}

// Clone gives a copy of what is durable, as a backup would be.
func (m *Memory) Clone() *Memory { return &Memory{durable: maps.Clone(m.durable)} }

// Persist makes records durable: Write, then Sync.
func (m *Memory) Persist(records []core.Record) error {
	m.Write(records)
	m.Sync()
	return nil
}

// Write takes records in. A crash before the next Sync may lose them.
func (m *Memory) Write(records []core.Record) {
	m.steps++
	var b Batch
	b.Add(records)
	b.each(func(c change, key, value []byte) error {
		step := 0
		if isOfStore(records[0]) {
			step = m.steps
		}
		records = records[1:]
		m.waiting = append(m.waiting, write{place{c.bucket, string(key)}, string(value), c.drop, step})
		return nil
	})
}

// isOfStore reports whether a record is one of the key-value store's.
func isOfStore(record core.Record) bool {
	switch record.(type) {
	case *core.KeptObject, *core.KeptSeen, *core.KeptStore, *core.KeptOver:
		return true
	}
	return false
}

// Waits is how many bytes of keys and values were written and are not durable yet.
func (m *Memory) Waits() (bytes int) {
	for i := range m.waiting {
		bytes += len(m.waiting[i].key) + len(m.waiting[i].value)
	}
	return bytes
}

// Sync makes durable what was written.
func (m *Memory) Sync() {
	for _, w := range m.waiting {
		m.apply(w)
	}
	m.waiting, m.steps = nil, 0
}

// Crash loses what was not synced, in part: the writes after some first ones,
// or each by itself. The latter is worse than what a real crash leaves below
// bbolt, where one Persist survives whole or not at all: no node may rely on
// that, but for the key-value store. Its clock without its values would say that these are gone: a change
// of it is one transaction, and of two the first is durable first. It reports how many writes were lost.
func (m *Memory) Crash(random *rand.Rand) (lost int) {
	if len(m.waiting) == 0 {
		return 0
	}
	isPrefix, prefix := random.IntN(2) == 0, random.IntN(len(m.waiting)+1)
	whole := 0 // steps that are, of the store
	if slices.ContainsFunc(m.waiting, func(w write) bool { return w.step > 0 }) {
		whole = random.IntN(m.steps + 1)
	}
	for i, w := range m.waiting {
		survives := isPrefix && i < prefix || !isPrefix && random.IntN(2) == 0
		if w.step > 0 {
			survives = w.step <= whole
		}
		if survives {
			m.apply(w)
		} else {
			lost++
		}
	}
	m.waiting, m.steps = nil, 0
	return lost
}

func (m *Memory) apply(w write) {
	if m.durable == nil {
		m.durable = make(map[place]string)
	}
	if w.drop {
		delete(m.durable, w.place)
		return
	}
	m.durable[w.place] = w.value
}

// Damage flips one bit of what is durable. It reports false if there is none.
func (m *Memory) Damage(random *rand.Rand) bool {
	places := m.places()
	if len(places) == 0 {
		return false
	}
	at := places[random.IntN(len(places))]
	value := []byte(m.durable[at])
	value[random.IntN(len(value))] ^= 1 << random.IntN(8)
	m.durable[at] = string(value)
	return true
}

// Before is Disk.Before.
func (m *Memory) Before(epoch hearsay.Epoch, limit, bytes int) (found []*hearsay.Ruling, err error) {
	err = before(epoch, limit, bytes, &found, func(key []byte) []byte {
		if sealed, ok := m.durable[place{wire.BucketLedger, string(key)}]; ok {
			return []byte(sealed)
		}
		return nil
	})
	return found, err
}

// Load gives the durable records, ordered by bucket and key.
func (m *Memory) Load() ([]core.Record, error) {
	places := m.places()
	records := make([]core.Record, 0, len(places))
	for _, p := range places {
		record, err := decode(p.bucket, []byte(p.key), []byte(m.durable[p]))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// places gives where values stand, ordered by bucket and key.
func (m *Memory) places() []place {
	return slices.SortedFunc(maps.Keys(m.durable), func(a, b place) int {
		if a.bucket != b.bucket {
			return slices.Index(recordBuckets, a.bucket) - slices.Index(recordBuckets, b.bucket)
		}
		return strings.Compare(a.key, b.key)
	})
}
