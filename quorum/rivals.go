package quorum

import (
	"fmt"
	"net/netip"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
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

// noteRival keeps a proof, tells it, and has the others know. With a quorum of
// them this seed stops.
func (hs *heads) noteRival(now time.Time, r *core.Rival) {
	if !hs.seed.chain.TakeRival(r) {
		return
	}
	hs.seed.driver.persist(&core.KeptRival{Slot: r.Head.Slot, Rival: *r})
	hs.seed.event(hs.seed.chain.ForkEvent(now, r.Epoch, r.Head.Slot, hs.keys(), hs.seed.cfg.Seeds))
	hs.stopIfForked()
	hs.tellHeads()
	hs.askBack(int(r.Head.Slot))
}

// noteOther keeps that a message of the log cannot be together with the log here, and
// tells it as noteRival does. Its sender is asked what this seed has signed.
func (hs *heads) noteOther(now time.Time, slot uint8, why string) {
	if hs.seed.stats.Drops[hearsay.DropUnexpected]++; !now.Before(hs.seed.replica.askAt) {
		hs.seed.replica.askAt = now.Add(hs.seed.cfg.HelloEvery)
		hs.askBack(int(slot))
	}
	if hs.seed.chain.OtherLogs[slot] != "" {
		return
	}
	hs.seed.chain.OtherLogs[slot] = why
	hs.seed.event(hs.seed.chain.ForkEvent(now, hs.seed.Epoch(), slot, hs.keys(), hs.seed.cfg.Seeds))
	hs.stopIfForked()
	hs.tellHeads()
}

// askBack asks a seed for the heads that it has, and for what this seed has signed.
func (hs *heads) askBack(slot int) {
	if hs.seed.mustStop == "" {
		hs.seed.send(hs.seed.cfg.Seeds[slot].Addr, &core.LedgerReq{After: hs.seed.Epoch()})
	}
}

// tellHeads sends all heads that are known to the other seeds and, if this one
// stops, to some members: they are what others find out by.
func (hs *heads) tellHeads() {
	var to []netip.AddrPort
	for slot := range hs.seed.others() {
		to = append(to, hs.seed.cfg.Seeds[slot].Addr)
	}
	if hs.seed.mustStop != "" && hs.seed.state != nil {
		to = append(to, hs.drawMembers(announceTo)...)
	}
	for _, addr := range to {
		hs.seed.send(addr, &core.Rulings{Heads: hs.seed.chain.Newest()})
	}
}

// stopIfForked has this seed take no part any more if a quorum of seats has
// signed another ledger.
func (hs *heads) stopIfForked() {
	if hs.seed.chain.Forked() && !hs.seed.cfg.Recover {
		hs.seed.mustStop = hs.seed.Fork().Text
	}
}

// contradicts says what a verified message of the log counts on that cannot be together
// with the log here; "": nothing. A leader has all that was ever committed. In a heartbeat it
// says how far that is, but no further than this life has confirmed to it. The library
// trusts all that: it would panic, or take an entry that is not here for progress.
func (hs *heads) contradicts(f *core.Raft) string {
	log, term := hs.seed.replica.log, hs.seed.replica.node.BasicStatus().GetTerm()
	if f.Term < term {
		return "" // it leads no more, and may have more than was committed
	}
	by := hs.seed.cfg.Seeds[f.Slot].Addr
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
		if !f.Reject && f.Index > log.last() && f.Term == term && hs.seed.replica.leads() {
			return fmt.Sprintf("the seed at %v has decided entry %d of the log, and %d are here", by, f.Index, log.last())
		}
	}
	return ""
}

// forgetRivals drops all proofs: an operator has decided.
func (hs *heads) forgetRivals() {
	for slot := range hs.seed.chain.Rivals {
		if hs.seed.chain.Rivals[slot].Head.Epoch > 0 {
			hs.seed.driver.persist(&core.KeptRival{Slot: uint8(slot), Dropped: true})
		}
	}
	hs.seed.chain.Rivals = ledger.Rivals{}
}

func (hs *heads) parted(now time.Time, items []*hearsay.Ruling) {
	for _, r := range hs.seed.chain.Parted(items, hs.seed.Epoch()) {
		hs.noteRival(now, &r)
	}
}
