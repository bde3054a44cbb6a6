package sim

import (
	"testing"
	"time"

	"hearsay/internal/core"
)

// tornLog has a leader be cut off with leaves that nobody else hears of, while the others rule; then what they have
// takes the place of that, and a crash takes apart what the leader's slow disk has not synced.
func tornLog(t *testing.T, seed uint64, bend *twist) *World {
	config := DefaultConfig()
	config.Nodes, config.Seeds, config.Seed = 9, 3, seed
	w := NewWorld(config, nil)
	for number := range w.machines {
		w.bend(number+1, bend)
	}
	w.Follow(&Scenario{}) // all start
	w.RunUntil(10 * time.Second)
	first := w.leader()
	alone, others := []int{first, 1, 2, 3, 4}, []int{5, 6, 7, 8, 9}
	for slot := 1; slot <= w.config.Seeds; slot++ {
		if number := w.config.Nodes + slot; number != first {
			others = append(others, number)
		}
	}
	w.Do(Action{Verb: Partition, Groups: [][]int{alone, others}})
	for _, number := range alone[1:] {
		w.Do(Action{Verb: Leave, Who: []int{number}})
		w.RunUntil(w.now + 100*time.Millisecond)
	}
	w.RunUntil(13 * time.Second)
	for _, number := range others[:3] {
		w.Do(Action{Verb: Leave, Who: []int{number}})
		w.RunUntil(w.now + 100*time.Millisecond)
	}
	w.RunUntil(16 * time.Second)
	w.Do(Action{Verb: Disk, Who: []int{first}, Delay: 400 * time.Millisecond})
	w.Do(Action{Verb: Heal})
	w.RunUntil(w.now + 500*time.Millisecond + time.Duration(seed%40)*15*time.Millisecond)
	w.Do(Action{Verb: Kill, Who: []int{first}})
	w.Do(Action{Verb: Disk, Who: []int{first}})
	w.Do(Action{Verb: Restart, Who: []int{first}})
	w.RunUntil(w.now + 10*time.Second)
	return w
}

// forgetTerms has a seed start without knowing behind which entry each was written, nor of which term those are that
// are committed.
func forgetTerms(_ *World, _ *machine, records []core.Record) []core.Record {
	for i, record := range records {
		switch r := record.(type) {
		case *core.KeptEntry:
			records[i] = &core.KeptEntry{Entry: r.Entry}
		case *core.LogState:
			state := *r
			if n := len(state.Commits); n > 0 {
				state.Commits = []core.LogPlace{{Index: state.Commits[n-1].Index}}
			}
			records[i] = &state
		}
	}
	return records
}

// A seed starts with no part of two logs that a crash has mixed on its disk. With one that does not see it two
// ledgers are found.
func TestTornLogs(t *testing.T) {
	const most = 400 // one of fifteen mixes two logs, or more: that none of so many does has one chance in 10^12
	found, torn := 0, uint64(0)
	for seed := uint64(0); seed < uint64(large(16, 200)) || found == 0 && seed < most; seed++ {
		w := tornLog(t, seed, honest)
		torn += w.counts.TornDisks
		for i := range w.check.violations {
			t.Errorf("seed %d: %s", seed, &w.check.violations[i])
		}
		w = tornLog(t, seed, &twist{loads: forgetTerms})
		for i := range w.check.violations {
			found++
			t.Logf("seed %d, mixed: %s", seed, &w.check.violations[i])
		}
	}
	t.Logf("%d disks were torn; mixed logs found in %d", torn, found)
	if torn == 0 || found == 0 {
		t.Error("this shows nothing")
	}
}
