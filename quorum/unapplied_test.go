package quorum

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// pushEntries has a seat that says it leads send a seed entries that it never commits: messages of
// some each, with so many bytes. It gives how many of them are on that seed's disk afterwards.
func (w *world) pushEntries(m, thief *machine, messages, each, size int) (kept int) {
	log := m.Q.replica.log
	term := m.Q.replica.node.BasicStatus().GetTerm() + 1
	index, before, commit := log.last(), log.last(), log.hard.GetCommit()
	last, _ := log.Term(index)
	for range messages {
		f := core.Raft{Type: uint8(raftpb.MsgApp), Term: term, Index: index, LogTerm: last, Commit: commit}
		for range each {
			index++
			e := core.LogEntry{Index: index, Term: term}
			if size > 0 {
				e.Data = make([]byte, size)
				e.Data[0] = ledger.LogVersion
			}
			f.Entries = append(f.Entries, e)
		}
		last = term
		w.forge(m, thief, f)
	}
	w.Run(100 * time.Millisecond)
	for key := range m.Disk.Durable { // order does not matter: they are counted
		if e, is := m.Disk.Durable[key].(*core.KeptEntry); is && e.Entry.Index > before {
			kept++
		}
	}
	return kept
}

// A seat whose key is stolen fills neither the memory nor the disk of other seeds with entries
// that are never committed. However much each of them has taken, they go on without that seat.
func TestEntriesThatAreNeverCommittedAreBounded(t *testing.T) {
	const size = 100 << 10
	for name, messages := range map[string][2]int{"both": {300, 300}, "one": {300, 0}, "one less": {300, 40}, "other ones": {82, 81}} {
		t.Run(name, func(t *testing.T) {
			w := followed(t, 110, 1)
			w.Run(time.Second)
			slot, _ := w.Machines[0].Q.Leader()
			leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
			for i, m := range []*machine{third, leader} {
				kept := w.pushEntries(m, thief, messages[i], 1, size)
				if most := unappliedMost / size; kept > most {
					t.Errorf("%d MB are on the disk of slot %d, %d in its log, want at most %d", kept*size>>20, m.Slot, m.Q.replica.log.bytes>>20, unappliedMost>>20)
				}
			}
			w.Cut = func(from, to int) bool { return from == thief.Slot || to == thief.Slot }
			w.goOn(name, thief)
			w.Crash(third)
			w.Start(third)
			w.goOn("after a start", thief)
			if held := third.Q.replica.log.unapplied; held > 0 {
				t.Errorf("%d bytes are not applied", held)
			}
		})
	}
}

// Nor with bare ones, of which a correct leader needs one to begin.
func TestBareEntriesAreBounded(t *testing.T) {
	const each, most = 4000, unappliedMost / entryLeast
	w := followed(t, 111, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, thief, third := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	for _, m := range []*machine{third, leader} {
		if kept := w.pushEntries(m, thief, 20, each, 0); kept > most {
			t.Errorf("%d bare entries are on the disk of slot %d, want at most %d", kept, m.Slot, most)
		}
	}
	w.Cut = func(from, to int) bool { return from == thief.Slot || to == thief.Slot }
	w.goOn("they go on", thief)
}

// A seed that was away, and applies entries more slowly than they come, takes no more of them than
// it has room for, and catches up.
func TestSeedCatchesUpBeyondItsRoom(t *testing.T) {
	w := followed(t, 112, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, other, away := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
	for _, m := range []*machine{leader, other} { // the leader keeps all entries for it
		m.Q.cfg.SnapshotEvery, m.Q.cfg.SnapshotBytes = 1<<30, 1<<30
	}
	w.Crash(away)
	entry := ledger.AppendEntry(nil, slices.Repeat([]ledger.Command{{Op: ledger.OpLift, ID: hearsay.NodeID{7}, Why: strings.Repeat("x", hearsay.MaxWhyLen)}}, 55))
	for sent := 0; sent < unappliedMost+unsettledMost; sent += len(entry) {
		w.Must(time.Minute, "there is room", func() bool { return !leader.Q.replica.log.unsettled() && leader.Q.replica.leads() })
		w.Step(leader, func() {
			if err := leader.Q.replica.node.Propose(entry); err != nil {
				t.Fatal(err)
			}
			leader.Q.driver.work(w.Now)
		})
	}
	applied := func(m *machine) uint64 { return m.Q.replica.log.applied }
	end := leader.Q.replica.log.last()
	w.Must(5*time.Minute, "they are applied", func() bool { return applied(leader) >= end && applied(other) >= end })
	w.Start(away)
	away.Q.cfg.SnapshotEvery, away.Q.cfg.SnapshotBytes = 1<<30, 1<<30
	most := 0
	w.Must(5*time.Minute, "it catches up", func() bool {
		most = max(most, away.Q.replica.log.unapplied)
		return applied(away) >= end
	})
	if most > unappliedMost || away.Q.stats.Drops[hearsay.DropTableFull] == 0 {
		t.Errorf("it had %d bytes to apply, may have %d, and dropped %d messages", most, unappliedMost, away.Q.stats.Drops[hearsay.DropTableFull])
	}
	w.goOn("afterwards", nil)
}
