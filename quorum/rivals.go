package quorum

import (
	"fmt"
	"net/netip"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// This file is about seats that have signed what cannot be together with the
// ledger here. Seeds sign only what their log has committed, so there are two
// logs: a seed has gone on from an older copy of its disk, and two quorums, with
// it in both, have decided.
//
//	A, B  sign epochs 11, 12          B is down, A is put back as it was at 10
//	A, C  sign epochs 11', 12'        B comes back
//	B     hears A's and C's heads     two of three seats have signed another ledger: it tells, and stops
//	C     hears A's old head and B's  likewise
//	A     hears its own old head      it has signed twice: it stops
//	peers keep the ledger that they have
//
// One seat that signs another ledger is told, and stops nobody: its key may be
// stolen. A quorum of them is a proof. Nobody decides by itself which of two
// ledgers is right. It is the same with messages of the log: each is one seat's word,
// is dropped if it cannot be together with the log here, and counts once.

// Fork tells what is known of another ledger than the one here; nil: nothing.
func (q *Quorum) Fork() *hearsay.Fork { return q.chain.Fork(q.cfg.Seeds) }

// Fork tells what is known of another ledger than the one here; nil: nothing.
func (f *Follower) Fork() *hearsay.Fork { return f.chain.Fork(f.cfg.Seeds) }

// noteRival keeps a proof, tells it, and has the others know. With a quorum of
// them this seed stops.
func (q *Quorum) noteRival(now time.Time, r *hearsay.Rival) {
	if !q.chain.TakeRival(r) {
		return
	}
	q.persist(&hearsay.KeptRival{Slot: r.Head.Slot, Rival: *r})
	q.event(q.chain.ForkEvent(now, r.Epoch, r.Head.Slot, q.keys(), q.cfg.Seeds))
	q.stopIfForked()
	q.tellHeads()
	q.askBack(int(r.Head.Slot))
}

// noteOther keeps that a message of the log cannot be together with the log here, and
// tells it as noteRival does. Its sender is asked what this seed has signed.
func (q *Quorum) noteOther(now time.Time, slot uint8, why string) {
	if q.drops[hearsay.DropUnexpected]++; !now.Before(q.replica.askAt) {
		q.replica.askAt = now.Add(q.cfg.HelloEvery)
		q.askBack(int(slot))
	}
	if q.chain.OtherLogs[slot] != "" {
		return
	}
	q.chain.OtherLogs[slot] = why
	q.event(q.chain.ForkEvent(now, q.Epoch(), slot, q.keys(), q.cfg.Seeds))
	q.stopIfForked()
	q.tellHeads()
}

// askBack asks a seed for the heads that it has, and for what this seed has signed.
func (q *Quorum) askBack(slot int) {
	if q.doomed == "" {
		q.send(q.cfg.Seeds[slot].Addr, &hearsay.LedgerReq{After: q.Epoch()})
	}
}

// tellHeads sends all heads that are known to the other seeds and, if this one
// stops, to some members: they are what others find out by.
func (q *Quorum) tellHeads() {
	var to []netip.AddrPort
	for slot := range q.others() {
		to = append(to, q.cfg.Seeds[slot].Addr)
	}
	if q.doomed != "" && q.state != nil {
		to = append(to, q.drawMembers(announceTo)...)
	}
	for _, addr := range to {
		q.send(addr, &hearsay.Rulings{Heads: q.chain.Newest()})
	}
}

// stopIfForked has this seed take no part any more if a quorum of seats has
// signed another ledger.
func (q *Quorum) stopIfForked() {
	if q.chain.Forked() && !q.cfg.Recover {
		q.doomed = q.Fork().Text
	}
}

// contradicts says what a verified message of the log counts on that cannot be together
// with the log here; "": nothing. A leader has all that was ever committed. In a heartbeat it
// says how far that is, but no further than this life has confirmed to it. The library
// trusts all that: it would panic, or take an entry that is not here for progress.
func (q *Quorum) contradicts(f *hearsay.Raft) string {
	log, term := q.replica.log, q.replica.node.BasicStatus().GetTerm()
	if f.Term < term {
		return "" // it leads no more, and may have more than was committed
	}
	by := q.cfg.Seeds[f.Slot].Addr
	other := func(index, term uint64) string {
		if index > log.hard.GetCommit() || index < log.base {
			return ""
		}
		if have, err := log.Term(index); err == nil && have != term {
			return fmt.Sprintf("entry %d of the log was decided here in term %d, and the seed at %v has it of term %d", index, have, by, term)
		}
		return ""
	}
	switch raftpb.MessageType(f.Type) {
	case raftpb.MsgApp:
		why := other(f.Index, f.LogTerm)
		for i := 0; i < len(f.Entries) && why == ""; i++ {
			why = other(f.Entries[i].Index, f.Entries[i].Term)
		}
		return why
	case raftpb.MsgSnap:
		if f.Snapshot != nil {
			return other(f.Snapshot.Index, f.Snapshot.Term)
		}
	case raftpb.MsgHeartbeat:
		if f.Commit > log.last() {
			return fmt.Sprintf("the seed at %v counts on entry %d of the log, and %d are here", by, f.Commit, log.last())
		}
	case raftpb.MsgAppResp:
		if !f.Reject && f.Index > log.last() && f.Term == term && q.replica.leads() {
			return fmt.Sprintf("the seed at %v has decided entry %d of the log, and %d are here", by, f.Index, log.last())
		}
	}
	return ""
}

// forgetRivals drops all proofs: an operator has decided.
func (q *Quorum) forgetRivals() {
	for slot := range q.chain.Rivals {
		if q.chain.Rivals[slot].Head.Epoch > 0 {
			q.persist(&hearsay.KeptRival{Slot: uint8(slot), Dropped: true})
		}
	}
	q.chain.Rivals = ledger.Rivals{}
}

// noteRival keeps a proof, tells it, and passes it on. With a quorum of them this
// peer follows no ledger any more.
func (f *Follower) noteRival(now time.Time, r *hearsay.Rival) {
	c := &f.chain
	if !c.TakeRival(r) {
		return
	}
	f.out.Persist = append(f.out.Persist, &hearsay.KeptRival{Slot: r.Head.Slot, Rival: *r})
	f.out.Events = append(f.out.Events, c.ForkEvent(now, r.Epoch, r.Head.Slot, f.keys(), f.cfg.Seeds))
	for _, addr := range f.directory.Links() {
		f.send(addr, &hearsay.Rulings{Heads: c.Newest()})
	}
	if c.Forked() {
		f.gathering.forget()
	}
}

func (f *Follower) parted(now time.Time, items []*hearsay.Ruling) {
	if !f.based {
		return
	}
	for _, r := range f.chain.Parted(items, f.epoch) {
		f.noteRival(now, &r)
	}
}

func (q *Quorum) parted(now time.Time, items []*hearsay.Ruling) {
	for _, r := range q.chain.Parted(items, q.Epoch()) {
		q.noteRival(now, &r)
	}
}
