package quorum

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

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
	// rounds of others that the leader takes up in a tick. Guess: what 14 others ask at their fastest fits
	freshTaken     = 512
	heartbeatBytes = 8  // of a heartbeat's context: the library's count of questions
	contextBytes   = 16 // of any other message's: the library's longest, of an election
)

// freshness is the asking. Questions are numbered; a round is for all that were
// asked before it began, and one round is under way at a time: so many who ask
// cost no more than a few.
type freshness struct {
	seed *Quorum

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
		return 0, "the seed has no seat yet"
	}
	q.fresh.asked++
	q.fresh.tickFresh(now)
	return q.fresh.asked, ""
}

// freshAt is when tickFresh must be called next, unless none is wanted.
func (f *freshness) freshAt() (at time.Time, wanted bool) {
	return f.nextAt, f.round == 0 && f.told < f.asked
}

// tickFresh begins the next round when its time has come.
func (f *freshness) tickFresh(now time.Time) {
	if at, wanted := f.freshAt(); !wanted || now.Before(at) {
		return
	}
	f.round, f.index, f.until, f.nextAt = f.asked, 0, now.Add(freshPatience), now.Add(f.seed.cfg.GatherEvery)
	for i := 0; i < len(f.name); i += 8 {
		binary.BigEndian.PutUint64(f.name[i:], f.seed.random.Uint64())
	}
	f.askFresh(now)
}

// againFresh asks again, in each tick of the log: a leader that is gone, or has
// not settled an entry of its own yet, forgets who asked. If it takes too long,
// all who ask are told.
func (f *freshness) againFresh(now time.Time) {
	f.taken = 0
	switch {
	case f.round == 0:
	case !now.Before(f.until):
		f.round = f.asked
		f.answerFresh(now, "no quorum of seeds has answered within "+freshPatience.String())
	case f.index == 0:
		f.askFresh(now)
	}
}

func (f *freshness) askFresh(now time.Time) {
	r := f.seed.replica
	if r == nil || r.leads() && !r.settled() {
		return
	}
	r.node.ReadIndex(slices.Clone(f.name[:]))
	f.seed.driver.work(now)
}

// settled reports whether the log has a committed entry of the present term:
// before, a leader does not know how far its log is committed.
func (r *replica) settled() bool {
	status := r.node.BasicStatus()
	term, err := r.log.Term(status.GetCommit())
	return err == nil && term == status.GetTerm()
}

// confirmed takes the answer to a round from the library.
func (f *freshness) confirmed(name []byte, index uint64) {
	if f.round != 0 && bytes.Equal(name, f.name[:]) {
		f.index = index
	}
}

// freshIfApplied answers the round when what it waits for is applied. What is
// in the ledger then is durable when the event is told.
func (f *freshness) freshIfApplied(now time.Time) {
	if f.round != 0 && f.index != 0 && f.seed.replica.log.applied >= f.index && f.seed.state != nil {
		f.answerFresh(now, "")
	}
}

func (f *freshness) answerFresh(now time.Time, why string) {
	f.told, f.round = f.round, 0
	f.seed.event(hearsay.Event{At: now, Kind: hearsay.EventFresh, Count: f.told, Epoch: f.seed.Epoch(), Text: why})
}
