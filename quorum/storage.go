package quorum

import (
	"slices"

	"hearsay/internal/core"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// storage is the replicated log as far as this seed keeps it in memory: what
// the Raft library reads. Everything in it is on disk, or in the Effects of
// this step before whatever tells of it.
type storage struct {
	hard     *raftpb.HardState
	config   *raftpb.ConfState // as of applied
	base     uint64            // the index before the first entry
	baseTerm uint64
	entries  []*raftpb.Entry
	bytes    int // of the entries' data
	applied  uint64
	partly   bool // so is a part of the entry after it

	unapplied int // bytes of the entries after it (entryBytes)

	commits []core.LogPlace // LogState.Commits

	snapshot func() (*raftpb.Snapshot, error)
}

// InitialState implements raft.Storage.
func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return s.hard, raftpb.EnsureConfState(s.config), nil
}

// Entries implements raft.Storage.
func (s *storage) Entries(low, high, bytesMax uint64) ([]*raftpb.Entry, error) {
	switch {
	case low <= s.base:
		return nil, raft.ErrCompacted
	case high > s.last()+1:
		return nil, raft.ErrUnavailable
	}
	found := s.entries[low-s.base-1 : high-s.base-1]
	size := uint64(0)
	for i, e := range found {
		if size += uint64(len(e.GetData())) + entryOverhead; size > bytesMax && i > 0 {
			found = found[:i]
			break
		}
	}
	return slices.Clone(found), nil
}

// entryOverhead is what an entry takes besides its data, at most, in bytes.
const entryOverhead = 32

// Term implements raft.Storage.
func (s *storage) Term(index uint64) (uint64, error) {
	switch {
	case index < s.base:
		return 0, raft.ErrCompacted
	case index == s.base:
		return s.baseTerm, nil
	case index > s.last():
		return 0, raft.ErrUnavailable
	}
	return s.entries[index-s.base-1].GetTerm(), nil
}

// LastIndex implements raft.Storage.
func (s *storage) LastIndex() (uint64, error) { return s.last(), nil }

// FirstIndex implements raft.Storage.
func (s *storage) FirstIndex() (uint64, error) { return s.base + 1, nil }

// Snapshot implements raft.Storage.
func (s *storage) Snapshot() (*raftpb.Snapshot, error) { return s.snapshot() }

func (s *storage) last() uint64 { return s.base + uint64(len(s.entries)) }

// end names the last entry.
func (s *storage) end() core.LogPlace {
	term, _ := s.Term(s.last())
	return core.LogPlace{Term: term, Index: s.last()}
}

// append takes entries in. Those that it overwrites, and all behind them,
// were never committed. It gives how many indices at the end are no longer
// in use.
func (s *storage) append(entries []*raftpb.Entry) (unused uint64) {
	first, last := entries[0].GetIndex(), s.last()
	if first <= s.base || first > last+1 {
		panic("quorum: entries that do not join the log")
	}
	for _, e := range s.entries[first-s.base-1:] {
		s.bytes -= len(e.GetData())
		s.unapplied -= entryBytes(e)
	}
	s.entries = append(s.entries[:first-s.base-1], entries...)
	for _, e := range entries {
		s.bytes += len(e.GetData())
		s.unapplied += entryBytes(e)
	}
	return max(last, s.last()) - s.last()
}

// apply notes that the next entry is applied.
func (s *storage) apply(e *raftpb.Entry) {
	s.applied, s.partly = e.GetIndex(), false
	s.unapplied -= entryBytes(e)
}

// restore begins anew at a snapshot.
func (s *storage) restore(index, term uint64, config *raftpb.ConfState) {
	s.base, s.baseTerm, s.entries, s.bytes, s.config = index, term, nil, 0, config
	s.applied, s.partly, s.unapplied = index, false, 0
}

// compact lets go of the entries up to an index.
func (s *storage) compact(index uint64) {
	if index <= s.base || index > s.last() {
		return
	}
	term, _ := s.Term(index)
	for _, e := range s.entries[:index-s.base] {
		s.bytes -= len(e.GetData())
	}
	s.entries = slices.Clone(s.entries[index-s.base:])
	s.base, s.baseTerm = index, term
}

// commit notes how far the log is committed.
func (s *storage) commit(index uint64) {
	term, err := s.Term(index)
	if err != nil || index == 0 {
		return
	}
	if n := len(s.commits); n > 0 && s.commits[n-1].Term == term {
		s.commits[n-1].Index = index
		return
	}
	s.commits = append(s.commits, core.LogPlace{Term: term, Index: index})
	s.commits = s.commits[max(0, len(s.commits)-core.MaxCommits):]
}

// committed gives how far the log is committed by the word that an entry is, which may not be here.
//
// "If two entries in different logs have the same index and term, then the logs are identical in all preceding entries"
// (Raft, section 5.3). A term has one leader, which never takes an entry of its own back: so one of that term here, at
// or before that index, is in the same log. Of an earlier term it may be one that was replaced.
func (s *storage) committed(place core.LogPlace) (index uint64, known bool) {
	index = max(s.base, min(place.Index, s.last()))
	term, _ := s.Term(index)
	return index, place.Index <= s.base || place.Term == term || place.Term == 0
}

// state gives the record of what was promised, and of what is committed.
func (s *storage) state() *core.LogState {
	s.commit(s.hard.GetCommit())
	return &core.LogState{Term: s.hard.GetTerm(), Vote: s.hard.GetVote(), Commits: slices.Clone(s.commits)}
}

// kept gives the record of an entry.
func (s *storage) kept(e *raftpb.Entry) *core.KeptEntry {
	before, _ := s.Term(e.GetIndex() - 1)
	return &core.KeptEntry{Entry: logEntry(e), Before: before}
}

func logEntry(e *raftpb.Entry) core.LogEntry {
	return core.LogEntry{Index: e.GetIndex(), Term: e.GetTerm(), Type: uint8(e.GetType()), Data: e.GetData()}
}

func raftEntry(e *core.LogEntry) *raftpb.Entry {
	return &raftpb.Entry{Index: new(e.Index), Term: new(e.Term), Type: raftpb.EntryType(e.Type).Enum(), Data: e.Data}
}

func logConfig(c *raftpb.ConfState) core.LogConfig {
	return core.LogConfig{
		Voters: c.GetVoters(), Learners: c.GetLearners(), VotersOutgoing: c.GetVotersOutgoing(),
		LearnersNext: c.GetLearnersNext(), AutoLeave: c.GetAutoLeave(),
	}
}

func raftConfig(c *core.LogConfig) *raftpb.ConfState {
	return &raftpb.ConfState{
		Voters: c.Voters, Learners: c.Learners, VotersOutgoing: c.VotersOutgoing, LearnersNext: c.LearnersNext, AutoLeave: new(c.AutoLeave),
	}
}
