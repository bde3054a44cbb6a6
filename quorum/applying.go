package quorum

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay/ledger"
)

// This file applies what the log has committed. An entry may hold hundreds of ballots, each
// with a signature to check, and so long the node would not answer a ping. So one
// step does a part of it, and the steps after it the rest, as on a peer (rest.go). Between
// them the state is as of some command of an entry. The entry is applied when all of it is:
// before that no snapshot is taken, and a question whether the ledger is fresh waits.

// commandsAStep is how many commands of entries are carried out in one step, besides the
// bound of verifiesAStep on signatures: some 40 µs each. Guess.
const commandsAStep = 4

// applying is what is committed, and not applied yet.
type applying struct {
	at       time.Time        // of the next step; zero: nothing is left
	entries  []*raftpb.Entry  // oldest first
	commands []ledger.Command // of the first entry, those that are not carried out; nil: it was not read yet
	begun    int              // how many of it are carried out
}

// committed takes an entry of the log. A change of who takes part in the log is applied
// at once, with all that is before it: the library counts on that.
func (q *Quorum) committed(now time.Time, e *raftpb.Entry) {
	if e.GetIndex() <= q.replica.log.applied {
		return
	}
	q.replica.applying.entries = append(q.replica.applying.entries, e)
	if e.GetType() == raftpb.EntryConfChangeV2 || q.quiet {
		for q.applyNext(now) {
		}
	}
}

// apply carries out as much of what is committed as a step may.
func (q *Quorum) apply(now time.Time) {
	a := &q.replica.applying
	if now.Before(a.at) {
		return
	}
	a.at = time.Time{}
	verified := q.signer.verified
	for n := 0; q.applyNext(now); n++ {
		if n+1 >= commandsAStep || q.signer.verified-verified >= verifiesAStep {
			a.at = now.Add(restEach)
			return
		}
	}
}

// applyNext carries out the next command, or an entry that has none. It reports whether
// there may be more.
func (q *Quorum) applyNext(now time.Time) (more bool) {
	a, log := &q.replica.applying, q.replica.log
	if len(a.entries) == 0 {
		return false
	}
	e := a.entries[0]
	if a.begun == 0 && e.GetType() == raftpb.EntryNormal {
		a.commands, _ = ledger.ReadEntry(e.GetData())
	}
	if len(a.commands) > 0 {
		c := &a.commands[0]
		log.partly = true
		q.changed(now, q.state.Apply(ledger.CaseIDAt(e.GetIndex(), a.begun), c))
		a.commands, a.begun = a.commands[1:], a.begun+1
	}
	if len(a.commands) > 0 {
		return true
	}
	log.apply(e)
	if e.GetType() == raftpb.EntryConfChangeV2 {
		q.reconfigure(e)
	}
	q.replica.since++
	a.entries, a.commands, a.begun = a.entries[1:], nil, 0
	return len(a.entries) > 0
}

// restAt is when a step is due that goes on with what an earlier one has left; zero: none is.
func (q *Quorum) restAt() (at time.Time) {
	if q.replica == nil || q.doomed != "" || q.unsure() {
		return at
	}
	at = q.replica.applying.at
	for _, o := range q.replica.offers {
		if o != nil && !o.restAt.IsZero() && (at.IsZero() || o.restAt.Before(at)) {
			at = o.restAt
		}
	}
	for _, in := range q.replica.reading {
		if in != nil && (at.IsZero() || in.at.Before(at)) {
			at = in.at
		}
	}
	return at
}

// tickRest goes on with what earlier steps have left.
func (q *Quorum) tickRest(now time.Time) {
	if at := q.restAt(); at.IsZero() || now.Before(at) {
		return
	}
	for slot := range uint8(len(q.cfg.Seeds)) {
		if in := q.replica.reading[slot]; in != nil && !now.Before(in.at) {
			q.readOn(now, slot)
		}
		if o := q.replica.offers[slot]; o != nil && !o.restAt.IsZero() && !now.Before(o.restAt) {
			q.tryOffer(now, slot)
		}
	}
	q.work(now)
}
