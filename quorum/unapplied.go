package quorum

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// This file bounds the entries of the log that a seed keeps and has not applied. A leader
// sends entries, and says how far they are committed; a seat whose key is stolen can say that
// it leads, and send entries that it never says to be committed.
//
//	unsettledMost   a seed that leads has so many bytes of them, and proposes nothing more
//	unappliedMost   a seed takes so many bytes of them, and no more
//
// What a correct leader has fits a follower in any case, or it could commit nothing: its own proposals come to
// less, and what it was sent before it led it has taken within the same bound, in the same order. Only
// the entry with which it begins, and those that end a change of the log's members, come beyond: they are bare.
// Entries that are committed are applied in time, and make room.
const (
	unsettledMost = 4 << 20 // bytes. Guess: four seconds of what a leader sends at its fastest (maxInflightBytes)
	unappliedMost = 2 * unsettledMost

	// bareEvery is the time between two bare entries that are taken beyond unappliedMost. A seat that
	// sends nothing else takes some 200 kB an hour by them. A correct leader sends its own again. Guess.
	bareEvery = time.Second

	// entryLeast is what an entry counts for besides its data: memory, a record on disk, and a quarter of a
	// step until it is applied. Guess: 8,192 bare ones take two seconds.
	entryLeast = 1 << 10
)

// entryBytes is what an entry counts for.
func entryBytes(e *raftpb.Entry) int { return len(e.GetData()) + entryLeast }

// unsettled reports whether so much of the log is not applied that nothing more is proposed.
func (s *storage) unsettled() bool { return s.unapplied >= unsettledMost }

// has reports whether an entry is here, or was applied and let go.
func (s *storage) has(e *raftpb.Entry) bool {
	if e.GetIndex() <= s.base {
		return true
	}
	term, err := s.Term(e.GetIndex())
	return err == nil && term == e.GetTerm()
}

// unappliedBefore gives the bytes of entries that are not applied, and come before one that
// is not applied itself.
func (s *storage) unappliedBefore(index uint64) int {
	n := s.unapplied
	for ; index <= s.last(); index++ {
		n -= entryBytes(s.entries[index-s.base-1])
	}
	return n
}

// makeRoom leaves of a leader's entries those for which there is room, and reports whether
// the message is worth taking. One that does not join the log here is left as it is: the library refuses it, and
// the leader must know why.
func (d *driver) makeRoom(now time.Time, m *raftpb.Message) bool {
	log := d.seed.replica.log
	if m.GetType() != raftpb.MsgApp || m.GetTerm() < d.seed.replica.node.BasicStatus().GetTerm() {
		return true
	}
	if term, err := log.Term(m.GetIndex()); err != nil || term != m.GetLogTerm() {
		return true
	}
	n := 0
	for n < len(m.Entries) && log.has(m.Entries[n]) {
		n++
	}
	if n == len(m.Entries) {
		return true
	}
	bare, size := len(m.Entries[n].GetData()) == 0, log.unappliedBefore(m.Entries[n].GetIndex())
	before := n
	for n < len(m.Entries) && size+entryBytes(m.Entries[n]) <= unappliedMost {
		size += entryBytes(m.Entries[n])
		n++
	}
	if n == len(m.Entries) {
		return true
	}
	if n == before && bare && now.Sub(d.seed.replica.bareAt) >= bareEvery {
		d.seed.replica.bareAt = now
		n++
	}
	d.seed.stats.Drops[hearsay.DropTableFull]++
	m.Entries = m.Entries[:n]
	return n > 0
}
