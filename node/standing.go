package node

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
)

// This file has a node tell as events what keeps it from its work by what the seeds say, or do not say.

const (
	standEvery = time.Second // between two looks

	// untakenHeld is for how long reports must not have been taken while a quorum is heard, when that is told: once one is
	// back a seed takes them within seconds. A guess.
	untakenHeld = 5 * time.Second
)

// standing is what was told last.
type standing struct {
	at      time.Time // the next look
	noPart  bool      // this seed takes no part in what the seeds decide
	apart   bool      // this node is in by a ledger that is not the seeds'
	held    bool      // no quorum is heard, which is not told as the disk is the cause
	stood   time.Time // the last look at which the disk did not keep up
	untaken bool      // no seed takes a report of this peer
	vain    time.Time // since when looks have shown that; zero: the last has not
}

// holdsBack reports whether an event is not told: while the disk stands still no quorum is heard, which says nothing of
// the seeds. It is told if none is heard earlyFor after the disk keeps up again.
func (st *standing) holdsBack(now time.Time, e *hearsay.Event) bool {
	switch {
	case e.Kind == hearsay.EventQuorumLost && now.Sub(st.stood) < earlyFor:
		st.held = true
		return true
	case e.Kind == hearsay.EventQuorumBack && st.held:
		st.held = false
		return true
	}
	return false
}

// noteStanding tells what has changed.
func (n *Node) noteStanding(now time.Time) {
	st, s := &n.standing, &n.seeded
	if now.Before(st.at) {
		return
	}
	st.at = now.Add(standEvery)
	tell := func(told *bool, is bool, begins, ends hearsay.EventKind, e hearsay.Event) {
		if is == *told {
			return
		}
		if e.At, e.Kind = now, begins; !is {
			e.Kind = ends
		}
		*told = is
		n.out.Events = append(n.out.Events, e)
	}
	self := hearsay.Event{Subject: n.id}
	if n.DiskBehind() > 0 {
		st.stood = now
	}
	if st.held && now.Sub(st.stood) >= earlyFor {
		st.held = false
		n.out.Events = append(n.out.Events, hearsay.Event{At: now, Kind: hearsay.EventQuorumLost, Subject: n.id, Count: hearsay.QuorumOf(len(s.seeds()))})
	}
	switch early := s.early(now); {
	case s.seat != nil:
		if self.Text = s.seat.Why(); s.seat.Decides() {
			self.Text = ""
		}
		is := self.Text != "" && !s.seat.Waits() && !s.seat.Stalled()
		tell(&st.noPart, is && (st.noPart || !early), hearsay.EventNoPart, hearsay.EventTakesPart, self)
	case s.follower != nil:
		is := s.follower.Apart() && s.follower.Epoch() > 0
		if is {
			self.Text = s.follower.Why()
		}
		tell(&st.apart, is && (st.apart || !early), hearsay.EventApart, hearsay.EventApartOver, self)
		vain, report := n.untaken(), hearsay.Event{Subject: n.id}
		if len(vain) == 0 {
			st.vain = time.Time{}
		} else {
			st.vain = cmp.Or(st.vain, now)
			report.Subject, report.Addr, report.Text = vain[0].ID, vain[0].Seed, vain[0].Words()
		}
		tell(&st.untaken, len(vain) > 0 && (st.untaken || now.Sub(st.vain) >= untakenHeld), hearsay.EventUntaken, hearsay.EventTaken, report)
	}
}

// untaken gives the reports of this peer that no seed takes. Where nobody answers that is no fault of the seeds.
func (n *Node) untaken() []hearsay.Untaken {
	return slices.DeleteFunc(n.seeded.untaken(), func(u hearsay.Untaken) bool { return n.silent.last.Before(u.Since) })
}
