package quorum

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// This file answers whether the ledger of a seed is fresh. What a seed has
// applied may lag behind what was ruled: its leader may have lost the others,
// or it may be the one who is cut off. So it asks the leader, who has a quorum
// confirm that it leads and says how far the log is, and when that is applied
// here, whatever was ruled before the question is in the ledger (Ongaro 2014,
// section 6.4; the library's ReadIndex).
//
//	seed   ── MsgReadIndex{name} ──▶ leader ── MsgHeartbeat{n} ──▶ the others
//	                                        ◀─ MsgHeartbeatResp{n} ──
//	seed   ◀─ MsgReadIndexResp{name, index} ── leader, once they are a quorum
//	applied up to index → EventFresh

// Limits of the questions whether the ledger is fresh.
const (
	freshPatience  = 2 * time.Second // without an answer by a quorum: then all who ask are told so
	freshNameBytes = 16              // drawn: no two rounds of any seeds have the same
	freshTaken     = 512             // rounds of others that the leader takes up in a tick. Guess: what 14 others ask at their fastest fits
	heartbeatBytes = 8               // of a heartbeat's context: the library's count of questions
	contextBytes   = 16              // of any other message's: the library's longest, of an election
)

// freshness is the asking. Questions are numbered; a round is for all that were
// asked before it began, and one round is under way at a time: so many who ask
// cost no more than a few.
type freshness struct {
	asked  int                  // number of the last question
	round  int                  // number of the last one that the round is for; 0: none is under way
	name   [freshNameBytes]byte // of the round
	until  time.Time            // then it has failed
	nextAt time.Time            // no round begins before
	index  uint64               // of the log, which a quorum has confirmed; 0: it has not yet
	told   int                  // number of the last question that was answered
	taken  int                  // rounds of others in this tick
}

// Fresh asks whether all that was ruled before now is in the ledger here. It
// gives the question's number; EventFresh answers it, and all before it. Why
// not, if it cannot be asked.
func (q *Quorum) Fresh(now time.Time) (number int, why string) {
	if !q.Seated() || q.replica == nil {
		return 0, "this seed has no seat yet"
	}
	q.fresh.asked++
	q.tickFresh(now)
	return q.fresh.asked, ""
}

// freshAt is when tickFresh must be called next, unless none is wanted.
func (q *Quorum) freshAt() (at time.Time, wanted bool) {
	f := &q.fresh
	return f.nextAt, f.round == 0 && f.told < f.asked
}

// tickFresh begins the next round when its time has come.
func (q *Quorum) tickFresh(now time.Time) {
	f := &q.fresh
	if at, wanted := q.freshAt(); !wanted || now.Before(at) {
		return
	}
	f.round, f.index, f.until, f.nextAt = f.asked, 0, now.Add(freshPatience), now.Add(q.cfg.GatherEvery)
	for i := 0; i < len(f.name); i += 8 {
		binary.BigEndian.PutUint64(f.name[i:], q.random.Uint64())
	}
	q.askFresh(now)
}

// againFresh asks again, in each tick of the log: a leader that is gone, or has
// not settled an entry of its own yet, forgets who asked. If it takes too long,
// all who ask are told.
func (q *Quorum) againFresh(now time.Time) {
	f := &q.fresh
	f.taken = 0
	switch {
	case f.round == 0:
	case !now.Before(f.until):
		f.round = f.asked
		q.answerFresh(now, "no quorum of seeds has answered within "+freshPatience.String())
	case f.index == 0:
		q.askFresh(now)
	}
}

func (q *Quorum) askFresh(now time.Time) {
	r := q.replica
	if r == nil || r.leads() && !r.settled() {
		return
	}
	r.node.ReadIndex(slices.Clone(q.fresh.name[:]))
	q.work(now)
}

// settled reports whether the log has a committed entry of the present term:
// before, a leader does not know how far its log is committed.
func (r *replica) settled() bool {
	status := r.node.BasicStatus()
	term, err := r.log.Term(status.GetCommit())
	return err == nil && term == status.GetTerm()
}

// confirmed takes the answer to a round from the library.
func (q *Quorum) confirmed(name []byte, index uint64) {
	if f := &q.fresh; f.round != 0 && bytes.Equal(name, f.name[:]) {
		f.index = index
	}
}

// freshIfApplied answers the round when what it waits for is applied. What is
// in the ledger then is durable when the event is told.
func (q *Quorum) freshIfApplied(now time.Time) {
	if f := &q.fresh; f.round != 0 && f.index != 0 && q.replica.log.applied >= f.index && q.state != nil {
		q.answerFresh(now, "")
	}
}

func (q *Quorum) answerFresh(now time.Time, why string) {
	f := &q.fresh
	f.told, f.round = f.round, 0
	q.event(hearsay.Event{At: now, Kind: hearsay.EventFresh, Count: f.told, Epoch: q.Epoch(), Text: why})
}

// mayTake reports whether this seed takes a message of another into the library, which
// keeps as many questions as it is given, and passes proposals on in another's name, which
// nobody takes. It would stand for election by anybody's word. No seat but the leader's ends a
// case for lack of time: one that lies would end each as soon as it is open.
func (q *Quorum) mayTake(f *hearsay.Raft) bool {
	kind, r := raftpb.MessageType(f.Type), q.replica
	switch {
	case q.mayHaveForgotten(kind, f.Term, hearsay.LogPlace{Term: f.LogTerm, Index: f.Index}):
		q.drops[hearsay.DropUnexpected]++
		return false
	case kind == raftpb.MsgTimeoutNow && !q.handsOver(f), kind == raftpb.MsgProp && slices.ContainsFunc(f.Entries, expires):
		q.drops[hearsay.DropUnexpected]++ // only the leader says so: this one may have led until now
		return false
	case kind != raftpb.MsgReadIndex && kind != raftpb.MsgProp:
		return true
	case !r.leads() || kind == raftpb.MsgReadIndex && !r.settled():
		q.drops[hearsay.DropUnexpected]++ // it asks again, and by then knows which one
		return false
	case kind == raftpb.MsgProp && r.log.unsettled():
		q.drops[hearsay.DropTableFull]++
		return false
	case kind == raftpb.MsgProp:
		return true
	case q.fresh.taken >= freshTaken:
		q.drops[hearsay.DropRate]++
		return false
	}
	q.fresh.taken++
	return true
}
