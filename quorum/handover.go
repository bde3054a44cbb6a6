package quorum

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"

	"go.etcd.io/raft/v3/raftpb"
)

// This file has a leader that is late hand over to another seed. The library replaces a
// leader that is gone. One that is slow, or behind loss, is heard often enough to
// keep its place, and every case waits for it.
//
//	leader ── MsgTimeoutNow ──▶ follower ── MsgVote ──▶ all
//	   |  sends nothing else as a leader or candidate for a while
//
// It goes by stream, and in each tick as a datagram until another leads: behind loss what is in
// front of it in the stream may keep it for seconds.
//
// The library's own transfer waits until the follower has all entries, and takes no
// new ones meanwhile. Where entries do not get through that never ends. An
// election is safe at any time, and should the message get lost, the silence of the leader
// brings one about as well.

const (
	// Without a word of a quorum for so many ticks a leader is late, and so it is if its
	// own tick comes so much later than the last. Guess: half of the shortest election. A
	// leader that is well hears each other seed in each tick, however long the way is.
	lateTicks = 5

	// An entry that a quorum has not taken for so many ticks makes a leader late, too:
	// behind loss messages come often, but old. Guess: a long round trip and two syncs
	// take half of it.
	commitTicks = 8

	// A late tick costs so much, each that is not gives one back, and from lateMost on
	// the leader hands over: after one pause of almost a second, or if more than one tick in six
	// is late. Guesses.
	latePrice = 5
	lateMost  = 3 * latePrice

	// handOverEvery is how long a seed that has handed over keeps what it is given
	// again: where all seeds are late, the lead must not go round all the time. Guess.
	handOverEvery = 10 * time.Second

	// passedOver is how long nothing is handed to a seed that has handed over to this one.
	passedOver = 3 * handOverEvery

	// quietElections is for how many of the longest elections a seed that has handed over
	// does not stand itself. Guess: if by then there is no leader the others are no better.
	quietElections = 2
)

// lateness is how late this seed finds that it is while it leads.
type lateness struct {
	seed *Quorum

	gave   [hearsay.MaxSeeds]time.Time // by slot: when it has handed over to this seed
	ledAt  time.Time                   // when this seed began to lead; zero: it does not
	tickAt time.Time                   // of the last tick that it led
	score  int
	handed time.Time // when it has handed over last
	to     int       // the slot to which
	quiet  time.Time // until then it sends nothing as a leader or candidate

	entry   uint64    // the newest of the log when one had to wait for a quorum
	entryAt time.Time // since when; zero: none does
}

// tickLate measures in each tick how late this seed is as a leader, and hands over.
func (l *lateness) tickLate(now time.Time) {
	if !l.seed.replica.leads() {
		l.ledAt, l.entryAt, l.score = time.Time{}, time.Time{}, 0
		return
	}
	if l.ledAt.IsZero() {
		l.ledAt, l.tickAt = now, now
	}
	if now.Before(l.quiet) {
		l.seed.out.Send = append(l.seed.out.Send, l.handingOver(l.to))
	}
	patience := lateTicks * l.seed.cfg.TickEvery
	late := now.Sub(l.tickAt) >= patience || now.Sub(when.Later(l.seed.hearing.lastHeard(), l.ledAt)) >= patience || l.commitWaits(now) >= commitTicks*l.seed.cfg.TickEvery
	if l.tickAt = now; !late {
		l.score = max(0, l.score-1)
		return
	}
	if l.score = min(l.score+latePrice, lateMost); l.score < lateMost || now.Sub(l.handed) < handOverEvery {
		return
	}
	if slot, ok := l.successor(now); ok {
		l.handed, l.to = now, slot
		byStream := l.handingOver(slot)
		byStream.Stream = true
		l.seed.out.Send = append(l.seed.out.Send, byStream, l.handingOver(slot))
		l.quiet = now.Add(quietElections * l.seed.hearing.patience())
	}
}

// handingOver tells the seed in a slot to stand, by a datagram.
func (l *lateness) handingOver(slot int) core.Packet {
	f := &core.Raft{
		Slot: uint8(l.seed.cfg.Slot), Type: uint8(raftpb.MsgTimeoutNow),
		To: l.seed.seats.known[slot].id, From: l.seed.replica.id, Term: l.seed.replica.log.hard.GetTerm(),
	}
	l.seed.driver.sign(f)
	return core.Packet{Addr: l.seed.cfg.Seeds[slot].Addr, Body: f}
}

// ByDatagram reports whether what a packet carries for the seeds' authority may come as a
// datagram: anybody can forge where that came from, so nothing may be answered.
func ByDatagram(body core.Message) bool {
	f, is := body.(*core.Raft)
	return is && f.Type == uint8(raftpb.MsgTimeoutNow)
}

// commitWaits is how long the log has waited for a quorum to take an entry.
func (l *lateness) commitWaits(now time.Time) time.Duration {
	l, log := l, l.seed.replica.log
	if commit := log.hard.GetCommit(); l.entryAt.IsZero() || commit >= l.entry {
		l.entry, l.entryAt = log.last(), now
		if commit >= l.entry {
			l.entryAt = time.Time{}
			return 0
		}
	}
	return now.Sub(l.entryAt)
}

// successor gives the slot of the voter that was heard last, if one was within two
// elections' time, and none that has handed over to this seed: a leader that is late
// cannot tell which of the others is not.
func (l *lateness) successor(now time.Time) (slot int, ok bool) {
	l, voters := l, l.seed.replica.log.config.GetVoters()
	oldest, status := now.Add(-l.seed.hearing.patience()), l.seed.replica.node.Status()
	for one := range l.seed.others() {
		id := l.seed.seats.known[one].id
		able := slices.Contains(voters, id) && status.Progress[id].Match >= status.GetCommit()
		if !able || l.seed.hearing.heardAt[one].Before(oldest) || now.Sub(l.gave[one]) < passedOver {
			continue
		}
		if !ok || l.seed.hearing.heardAt[one].After(l.seed.hearing.heardAt[slot]) {
			slot, ok = one, true
		}
	}
	return slot, ok
}

// handsOver reports whether the leader tells this seed to stand. Nobody else may.
func (l *lateness) handsOver(f *core.Raft) bool {
	return f.Type == uint8(raftpb.MsgTimeoutNow) && f.From == l.seed.replica.leader()
}

// notTaken ends the quiet time if the seed to which this one has handed over asks for its vote in vain, as it lacks
// entries that are here: where no other seed has them either, only this one can lead.
func (l *lateness) notTaken(f *core.Raft) {
	asked := int(f.Slot) == l.to && f.Type == uint8(raftpb.MsgVote)
	if asked && (core.LogPlace{Term: f.LogTerm, Index: f.Index}).Before(l.seed.replica.log.end()) {
		l.quiet = time.Time{}
	}
}

// holdsBack reports whether a message is not sent, as this seed has handed over: it is a
// leader's, or asks for votes.
func (l *lateness) holdsBack(now time.Time, m *raftpb.Message) bool {
	if !now.Before(l.quiet) {
		return false
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap, raftpb.MsgVote, raftpb.MsgPreVote:
		return true
	}
	return false
}
