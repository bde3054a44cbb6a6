package quorum

import (
	"slices"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// This file says which messages of the log the Raft library is given. The library trusts
// its peers: it panics for what no correct peer sends. Here one seat may lie, as its key may
// be stolen, so each message is looked at first.
//
//	Verify → wellFormed → contradicts → termTooFar → mayTake → library
//
// A change of the log's members is looked at twice. Whether it has the form that leaders give it
// is said here. Whether it fits the seats is said when it is applied: the rulings that give
// seats are in the log, too, and may not be applied here yet.

const (
	// termsAhead is how much higher than the own term the term of a message may be. A
	// network has one election in a loss of its leader: a million are more than it ever has. Guess.
	termsAhead = 1 << 20

	// termMost bounds every term. The library adds one to a term, and panics for what comes after
	// 2^64-1. In steps of termsAhead, one a message, nobody gets there.
	termMost = 1 << 62

	// indexMost bounds every index of the log: with it each case has a number (CasesAnEntry).
	indexMost = 1 << 48

	// swapChanges is how many members of the log one change concerns at most: one for another.
	swapChanges = 2
)

// wellFormed reports whether a message is one that a seed may send, by what it says alone.
func wellFormed(f *core.Raft) bool {
	kind := raftpb.MessageType(f.Type)
	local := kind == raftpb.MsgProp || kind == raftpb.MsgReadIndex // they are passed on without a term
	switch {
	case local != (f.Term == 0), f.Term > termMost, f.LogTerm > f.Term && !f.Reject && !local:
		return false
	case max(f.Index, f.Commit, f.RejectHint) > indexMost, f.Reject && f.RejectHint > f.Index:
		return false
	case (f.Snapshot != nil) != (kind == raftpb.MsgSnap):
		return false
	}
	contextMost := contextBytes
	switch kind {
	case raftpb.MsgApp:
		return len(f.Context) <= contextMost && entriesFollow(f)
	case raftpb.MsgProp:
		return len(f.Context) <= contextMost && len(f.Entries) > 0 && !slices.ContainsFunc(f.Entries, func(e core.LogEntry) bool {
			// only the leader changes the members of the log
			return e.Type != uint8(raftpb.EntryNormal) || !ofThisVersion(&e)
		})
	case raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		return len(f.Context) == 0 && len(f.Entries) == 1 && len(f.Entries[0].Data) == freshNameBytes
	case raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp:
		return len(f.Entries) == 0 && (len(f.Context) == 0 || len(f.Context) == heartbeatBytes)
	case raftpb.MsgSnap:
		s := f.Snapshot
		return len(f.Context) <= contextMost && len(f.Entries) == 0 &&
			s.Index >= ledger.FoundingIndex && s.Index <= indexMost && s.Term > 0 && s.Term <= f.Term && configSound(&s.Config)
	case raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgTimeoutNow:
		return len(f.Context) <= contextMost && len(f.Entries) == 0
	}
	return false // the library's own, or of features that this program does not use
}

// entriesFollow reports whether the entries of a message follow each other, and an entry of
// some founding: there is none before the first.
func entriesFollow(f *core.Raft) bool {
	if f.Index < ledger.FoundingIndex {
		return false
	}
	term := max(f.LogTerm, 1)
	for i := range f.Entries {
		e := &f.Entries[i]
		if e.Index != f.Index+1+uint64(i) || e.Term < term || e.Term > f.Term {
			return false
		}
		switch raftpb.EntryType(e.Type) {
		case raftpb.EntryNormal:
			if !ofThisVersion(e) { // no seed would start again that has it
				return false
			}
		case raftpb.EntryConfChangeV2: // the only form that leaders propose
			if readChange(e.Data) == nil {
				return false
			}
		default:
			return false
		}
		term = e.Term
	}
	return true
}

// readChange reads a change of the log's members; nil: leaders propose none such.
func readChange(data []byte) *raftpb.ConfChangeV2 {
	var change raftpb.ConfChangeV2
	if err := proto.Unmarshal(data, &change); err != nil {
		return nil
	}
	if change.GetTransition() != raftpb.ConfChangeTransitionAuto || len(change.Changes) > swapChanges {
		return nil
	}
	return &change
}

// changeFits reports whether a change of the log's members is one that a leader
// proposes with these members and seats: see tendSeats. All seeds say the same of an entry.
func changeFits(change *raftpb.ConfChangeV2, config *raftpb.ConfState, wanted []uint64) bool {
	joint := len(config.GetVotersOutgoing()) > 0
	if len(change.Changes) == 0 || joint {
		return joint && len(change.Changes) == 0
	}
	swap := len(change.Changes) == swapChanges
	for i, c := range change.Changes {
		id := c.GetNodeId()
		seated, votes, learns := slices.Contains(wanted, id), slices.Contains(config.GetVoters(), id), slices.Contains(config.GetLearners(), id)
		switch {
		case c.GetType() == raftpb.ConfChangeAddNode && i == 0 && seated && learns:
		case c.GetType() == raftpb.ConfChangeRemoveNode && swap && i == 1 && !seated && votes:
		case c.GetType() == raftpb.ConfChangeRemoveNode && !swap && !seated && learns:
		case c.GetType() == raftpb.ConfChangeAddLearnerNode && !swap && seated && !votes && !learns:
		default:
			return false
		}
	}
	return true
}

// configSound reports whether the library can take over the members of the log that a
// snapshot names: it panics if not. Each has one part, and leaves another only by a joint change.
func configSound(c *core.LogConfig) bool {
	for _, ids := range [][]uint64{c.Voters, c.Learners, c.VotersOutgoing, c.LearnersNext} {
		for i, id := range ids {
			if id == raft.None || slices.Contains(ids[:i], id) {
				return false
			}
		}
	}
	joint := len(c.VotersOutgoing) > 0
	if len(c.Voters) == 0 || c.AutoLeave && !joint {
		return false
	}
	votes := func(id uint64) bool { return slices.Contains(c.Voters, id) }
	votedBefore := func(id uint64) bool { return slices.Contains(c.VotersOutgoing, id) }
	return !slices.ContainsFunc(c.Learners, func(id uint64) bool { return votes(id) || votedBefore(id) }) &&
		!slices.ContainsFunc(c.LearnersNext, func(id uint64) bool { return votes(id) || !votedBefore(id) })
}

// termTooFar reports whether the term of a message is too far ahead. This seed then
// takes one step towards it: that is always safe, and one that was away while the terms rose gets
// there, too.
func (d *driver) termTooFar(f *core.Raft) bool {
	own := d.seed.replica.node.BasicStatus().GetTerm()
	if f.Term <= own || f.Term-own <= termsAhead {
		return false
	}
	switch kind := raftpb.MessageType(f.Type); {
	case kind == raftpb.MsgPreVote, kind == raftpb.MsgPreVoteResp && !f.Reject: // nobody is at that term
	default: // that nobody leads in a term says nothing of it but that it has begun
		d.step(&raftpb.Message{Type: raftpb.MsgForgetLeader.Enum(), To: new(f.To), From: new(f.From), Term: new(own + termsAhead)})
	}
	return true
}

// refuse drops a message of a seat that no correct seed sends.
func (d *driver) refuse(f *core.Raft) {
	d.seed.stats.Drops[hearsay.DropMalformed]++
	d.faults[f.Slot]++
}

// mayTake reports whether this seed takes a message of another into the library, which
// keeps as many questions as it is given, and passes proposals on in another's name, which
// nobody takes. It would stand for election by anybody's word. No seat but the leader's ends a
// case for lack of time: one that lies would end each as soon as it is open.
func (d *driver) mayTake(f *core.Raft) bool {
	kind, r := raftpb.MessageType(f.Type), d.seed.replica
	switch {
	case d.seed.diskCheck.mayHaveForgotten(kind, f.Term, core.LogPlace{Term: f.LogTerm, Index: f.Index}):
		d.seed.stats.Drops[hearsay.DropUnexpected]++
		return false
	case kind == raftpb.MsgTimeoutNow && !d.seed.lateness.handsOver(f), kind == raftpb.MsgProp && slices.ContainsFunc(f.Entries, expires):
		d.seed.stats.Drops[hearsay.DropUnexpected]++ // only the leader says so: this one may have led until now
		return false
	case kind != raftpb.MsgReadIndex && kind != raftpb.MsgProp:
		return true
	case !r.leads() || kind == raftpb.MsgReadIndex && !r.settled():
		d.seed.stats.Drops[hearsay.DropUnexpected]++ // it asks again, and by then knows which one
		return false
	case kind == raftpb.MsgProp && r.log.unsettled():
		d.seed.stats.Drops[hearsay.DropTableFull]++
		return false
	case kind == raftpb.MsgProp:
		return true
	case d.seed.fresh.taken >= freshTaken:
		d.seed.stats.Drops[hearsay.DropRate]++
		return false
	}
	d.seed.fresh.taken++
	return true
}
