package quorum

import (
	"strings"
	"testing"
	"time"

	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// spoil has all snapshots on a disk, or all entries, be of a version that is to come.
func spoil(d *disk, entries bool) (spoilt int) {
	for key, r := range d.Durable {
		switch r := r.(type) {
		case *core.KeptSnapshot:
			if !entries {
				snapshot := *r.Snapshot
				snapshot.Data = append([]byte{ledger.SnapshotVersion + 1}, snapshot.Data[1:]...)
				d.Durable[key] = &core.KeptSnapshot{Snapshot: &snapshot}
				spoilt++
			}
		case *core.KeptEntry:
			if entries && len(r.Entry.Data) > 0 && !r.Dropped {
				entry := r.Entry
				entry.Data = append([]byte{ledger.LogVersion + 1}, entry.Data[1:]...)
				d.Durable[key] = &core.KeptEntry{Entry: entry}
				spoilt++
			}
		}
	}
	return spoilt
}

// A seed does not start where its own state, or its log, is none that this version reads, and
// says so: it would found the network anew, or vote against what it has signed. Nothing on its disk changes.
func TestUnreadableDisk(t *testing.T) {
	for _, entries := range []bool{false, true} {
		for _, recover := range []bool{false, true} {
			w := followed(t, 80, 4)
			w.Run(time.Second)
			m := w.Machines[0]
			w.Crash(m)
			if spoil(&m.Disk, entries) == 0 {
				t.Fatal("nothing is there to be spoilt")
			}
			cfg, out := w.cfg, &core.Effects{}
			cfg.Recover = recover
			_, err := New(cfg, m.Signer, w.Random, Directory{Sender: w.Sender}, m.Disk.Load(), &m.Stats, out, w.Now)
			if err == nil || !strings.Contains(err.Error(), "another version of hearsay wrote it") || strings.Contains(err.Error(), "\n") {
				t.Errorf("entries %t, recover %t: it says %v", entries, recover, err)
			}
			if len(out.Persist) > 0 {
				t.Errorf("entries %t, recover %t: it changes %d records", entries, recover, len(out.Persist))
			}
		}
	}
}

// An entry of another version is refused where it comes from another seat: no seed that has
// it would start again.
func TestEntryOfAnotherVersion(t *testing.T) {
	w := followed(t, 81, 1)
	m, thief := w.Machines[0], w.Machines[1]
	log := m.Q.replica.log
	term := m.Q.replica.node.BasicStatus().GetTerm()
	last, _ := log.Term(log.last())
	before, faults := log.last(), m.Q.driver.faults[thief.Slot]
	w.forge(m, thief, core.Raft{
		Type: uint8(raftpb.MsgApp), Term: term + 1, LogTerm: last, Index: before, Entries: []core.LogEntry{{Index: before + 1, Term: term + 1, Data: []byte{ledger.LogVersion + 1}}},
	})
	if log.last() != before || m.Q.driver.faults[thief.Slot] != faults+1 {
		t.Errorf("the log went from entry %d to %d, and %d faults are counted", before, log.last(), m.Q.driver.faults[thief.Slot]-faults)
	}
}
