package quorum

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay/ledger"
)

// This file applies what the log has committed. An entry may hold hundreds of ballots, each
// with a signature to check, and so long the node would not answer a ping. So one
// step does a part of it, and the steps after it the rest, as on a peer (follower/rest.go). Between
// them the state is as of some command of an entry. The entry is applied when all of it is:
// before that no snapshot is taken, and a question whether the ledger is fresh waits.

// commandsAStep is how many commands of entries are carried out in one step, besides the
// bound of VerifiesAStep on signatures: some 40 µs each. Guess.
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
func (d *driver) committed(now time.Time, e *raftpb.Entry) {
	if e.GetIndex() <= d.seed.replica.log.applied {
		return
	}
	d.seed.replica.applying.entries = append(d.seed.replica.applying.entries, e)
	if e.GetType() == raftpb.EntryConfChangeV2 || d.seed.quiet {
		for d.applyNext(now) {
		}
	}
}

// apply carries out as much of what is committed as a step may.
func (d *driver) apply(now time.Time) {
	a := &d.seed.replica.applying
	if now.Before(a.at) {
		return
	}
	a.at = time.Time{}
	verified := d.seed.signer.verified
	for n := 0; d.applyNext(now); n++ {
		if n+1 >= commandsAStep || d.seed.signer.verified-verified >= ledger.VerifiesAStep {
			a.at = now.Add(ledger.RestEach)
			return
		}
	}
}

// applyNext carries out the next command, or an entry that has none. It reports whether
// there may be more.
func (d *driver) applyNext(now time.Time) (more bool) {
	a, log := &d.seed.replica.applying, d.seed.replica.log
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
		d.seed.ballots.changed(now, d.seed.state.Apply(ledger.CaseIDAt(e.GetIndex(), a.begun), c))
		a.commands, a.begun = a.commands[1:], a.begun+1
	}
	if len(a.commands) > 0 {
		return true
	}
	log.apply(e)
	if e.GetType() == raftpb.EntryConfChangeV2 {
		d.reconfigure(e)
	}
	d.seed.replica.since++
	a.entries, a.commands, a.begun = a.entries[1:], nil, 0
	return len(a.entries) > 0
}

// restAt is when a step is due that goes on with what an earlier one has left; zero: none is.
func (d *driver) restAt() (at time.Time) {
	if d.seed.replica == nil || d.seed.mustStop != "" || d.seed.diskCheck.unsure() {
		return at
	}
	at = d.seed.replica.applying.at
	for _, o := range d.seed.replica.offers {
		if o != nil && !o.restAt.IsZero() && (at.IsZero() || o.restAt.Before(at)) {
			at = o.restAt
		}
	}
	for _, in := range d.seed.replica.reading {
		if in != nil && (at.IsZero() || in.at.Before(at)) {
			at = in.at
		}
	}
	return at
}

// tickRest goes on with what earlier steps have left.
func (d *driver) tickRest(now time.Time) {
	if at := d.restAt(); at.IsZero() || now.Before(at) {
		return
	}
	for slot := range uint8(len(d.seed.cfg.Seeds)) {
		if in := d.seed.replica.reading[slot]; in != nil && !now.Before(in.at) {
			d.seed.offers.readOn(now, slot)
		}
		if o := d.seed.replica.offers[slot]; o != nil && !o.restAt.IsZero() && !now.Before(o.restAt) {
			d.seed.offers.tryOffer(now, slot)
		}
	}
	d.work(now)
}
