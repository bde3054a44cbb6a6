package store

import (
	"runtime"
	"testing"

	"hearsay"
	"hearsay/internal/core"
)

// bulk gives n log entries and n rulings from an epoch on: what n nodes that
// come together cost a seed, if each had an entry of its own.
func bulk(from hearsay.Epoch, n int) []core.Record {
	records := make([]core.Record, 0, 2*n)
	for i := range hearsay.Epoch(n) {
		kept := keptRuling(2 * (from + i)) // an admission
		kept.Ruling.Epoch = from + i
		records = append(records, kept, &core.KeptEntry{Entry: core.LogEntry{Index: uint64(from + i), Term: 1, Data: make([]byte, 250)}})
	}
	return records
}

// BenchmarkCommitBulk is the write of a thousand admissions in one step, with
// the sync.
func BenchmarkCommitBulk(b *testing.B) {
	d, err := Open(b.TempDir(), "test")
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	epoch := hearsay.Epoch(1)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		records := bulk(epoch, 1000)
		epoch += 1000
		b.StartTimer()
		if err := d.Persist(records); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitOne is the write of one admission.
func BenchmarkCommitOne(b *testing.B) {
	d, err := Open(b.TempDir(), "test")
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	epoch := hearsay.Epoch(1)
	for b.Loop() {
		if err := d.Persist(bulk(epoch, 1)); err != nil {
			b.Fatal(err)
		}
		epoch++
	}
}

// BenchmarkOpenAndLoad is the start of a seed of ten thousand members, each of
// the member that a ruling admitted, and its memory when it holds all of them.
func BenchmarkOpenAndLoad(b *testing.B) {
	dir := b.TempDir()
	d, err := Open(dir, "test")
	if err != nil {
		b.Fatal(err)
	}
	const members = 10_000
	for epoch := hearsay.Epoch(1); epoch <= members; epoch += 1000 {
		if err := d.Persist(bulk(epoch, 1000)); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		d, err := Open(dir, "test")
		if err != nil {
			b.Fatal(err)
		}
		records, err := d.Load()
		if err != nil || len(records) != 2*members {
			b.Fatal(len(records), err)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
		runtime.KeepAlive(records)
		d.Close()
		b.StartTimer()
	}
}
