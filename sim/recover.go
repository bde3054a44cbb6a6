package sim

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// This file is what an operator does when a quorum of the seeds is lost for ever, as
// `hearsay seed recover --help` has it:
//
//	the disks of all seeds but one are gone
//	the others    start with empty disks
//	the one left  starts only to begin its ledger anew (Node.Recover), and then as always
//	the peers     start again, a few at a time, with a list of seeds that has the keys of now
//	a peer        that says then that a seed of the list is another than it has met starts once more, and then
//	              with an empty disk
//
// What fails meanwhile is started again, once a second.

const (
	peersATime = 8 // one in so many peers is started with the new list of seeds at each check
	// a seed may refuse for so long where nothing fails (agent: recoverPatience); then the others are emptied
	// again
	anewWithin   = 10 * time.Second
	triesMost    = 3                // and so often
	neverExpires = 1000 * time.Hour // what is lost is lost: a recovery that has begun is not given up
)

// recovery is the last one that an operator has begun.
type recovery struct {
	// of seeds, by number: the one that peers start with from now on. 0: the one without keys
	list     int
	keys     []hearsay.PublicKey // that it has, by slot
	life     int32               // of the seed that is left: in this one its ledger has begun anew. 0: it has not
	calmAt   time.Duration       // since when nothing has failed that could keep it from that
	tries    int                 // times that the others were emptied
	underWay bool
	left     int32 // the seed that is left, by index
}

// recovers goes on with a recovery. It begins once the seed that is to be left has a
// ledger: else the network is not recovered, but founded anew.
func (o *operator) recovers(r *request) (done bool) {
	w := o.world
	m := &w.machines[r.machine]
	switch {
	case !o.recovery.underWay && (m.life == 0 || m.doomed || w.check.identities[m.identity].ruledOnDisk == 0):
		return false
	case !o.recovery.underWay:
		r.until, o.recovery.tries = neverExpires, 0
		o.loseQuorum(m)
		return false
	case o.recovery.left != r.machine:
		return false // one after the other
	case !m.recovers:
		return o.startsListed()
	}
	o.startsSeeds()
	if o.beganAnew(m) {
		o.recovery.list++
		o.recovery.keys = o.recovery.keys[:0]
		for i := w.config.Nodes; i < len(w.machines); i++ {
			o.recovery.keys = append(o.recovery.keys, w.check.identities[w.machines[i].identity].key)
		}
		w.counts.Recoveries++
		m.recovers, w.check.loss.seed = false, -1
		w.end(m, conditionCrashed)
		w.start(m, false)
	}
	w.lastTrouble = w.now
	return false
}

// loseQuorum takes the disks of all seeds but one for ever, and starts them and that one
// for its recovery.
func (o *operator) loseQuorum(left *machine) {
	w := o.world
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.node != nil {
			w.fates.began(m, Kill, w.now)
			w.end(m, conditionCrashed)
		}
	}
	left.recovers = true
	o.recovery.underWay, o.recovery.life, o.recovery.calmAt = true, 0, w.now
	o.recovery.left = left.index
	o.recovery.tries++
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m != left {
			w.start(m, true)
		}
	}
	w.check.quorumLost(left)
	w.start(left, false)
	w.lastTrouble = w.now
}

// startsSeeds starts seeds that have stopped.
func (o *operator) startsSeeds() {
	w := o.world
	for i := w.config.Nodes; i < len(w.machines); i++ {
		if m := &w.machines[i]; m.condition == conditionCrashed {
			w.start(m, false)
		}
	}
}

// beganAnew has the seed that is left begin its ledger anew, and reports whether that is
// done and durable. Where another seed takes part in something already, by a try that was
// killed before its end, all others must start with empty disks again, as the refusal says.
func (o *operator) beganAnew(m *machine) bool {
	w := o.world
	if m.condition != conditionRunning {
		o.recovery.calmAt = w.now
		return false
	}
	if o.recovery.life == m.life {
		return len(m.commits) == 0
	}
	var err error
	w.advance(m, func(now time.Time) (effects *core.Effects) {
		_, effects, err = m.node.Recover(now)
		return effects
	})
	if err == nil && m.condition == conditionRunning {
		o.recovery.life = m.life
		return len(m.commits) == 0
	}
	switch {
	case !w.check.whole || !o.allSeedsRun():
		o.recovery.calmAt = w.now
	case w.now-o.recovery.calmAt < anewWithin:
	case o.recovery.tries < triesMost:
		o.loseQuorum(m)
	default:
		w.check.violate(w.now, m, RuleConverge, "does not begin its ledger anew: %v", err)
		o.recovery.calmAt = w.now
	}
	return false
}

// allSeedsRun reports whether all do.
func (o *operator) allSeedsRun() bool {
	for i := o.world.config.Nodes; i < len(o.world.machines); i++ {
		if o.world.machines[i].condition != conditionRunning {
			return false
		}
	}
	return true
}

// startsListed starts some of the peers that run with an older list of seeds, with the
// newest, and reports whether there were none.
func (o *operator) startsListed() (done bool) {
	w := o.world
	most := max(1, w.config.Nodes/peersATime)
	for i := range w.machines[:w.config.Nodes] {
		if m := &w.machines[i]; m.node != nil && m.list < o.recovery.list {
			if most--; most < 0 {
				return false
			}
			o.startsAgain(m, false)
		}
	}
	o.recovery.underWay = false
	return true
}

// startsAgain is an operator who stops a process, and starts it.
func (o *operator) startsAgain(m *machine, fresh bool) {
	w := o.world
	w.fates.began(m, Kill, w.now)
	w.end(m, conditionCrashed)
	w.start(m, fresh)
	w.lastTrouble = w.now
}

// differs notes that a peer says of a seed that it is another than it knows, though it
// is the one of the newest list: the peer's disk knows better.
func (o *operator) differs(m *machine, e *hearsay.Event) {
	if o.world.isSeed(m) || o.recovery.list == 0 || m.list < o.recovery.list {
		return
	}
	slot, found := o.world.network.machineAt(e.Addr)
	if slot -= int32(o.world.config.Nodes); found && slot >= 0 && e.By == o.recovery.keys[slot].NodeID() {
		m.refuses = true
	}
}

// heedsPeers starts again the peers that have said so, and with empty disks those that say it
// a second time, as they advise.
func (o *operator) heedsPeers() {
	w := o.world
	for i := range w.machines[:w.config.Nodes] {
		m := &w.machines[i]
		if !m.refuses || m.node == nil {
			continue
		}
		again := m.heeded == o.recovery.list
		if m.heeded = o.recovery.list; again {
			w.counts.Emptied++
		}
		o.startsAgain(m, again)
	}
}

// mustDecide reports whether the seeds of a recovered network must decide, as all run. If one has lost its
// disk since, it may have been one of two that had a vote.
func (o *operator) mustDecide() bool {
	return (o.recovery.underWay || o.recovery.list > 0 && o.keysRemain()) && o.allSeedsRun()
}

// keysRemain reports whether each seed has the key that it had when the ledger was begun anew.
func (o *operator) keysRemain() bool {
	for slot, key := range o.recovery.keys {
		if o.world.check.identities[o.world.machines[o.world.config.Nodes+slot].identity].key != key {
			return false
		}
	}
	return true
}

// keyOf is the key that the newest list of seeds has for a slot; zero: none.
func (r *recovery) keyOf(slot int) (key hearsay.PublicKey) {
	if r.list > 0 {
		key = r.keys[slot]
	}
	return key
}

// untold gives the rulings that a seed starts with and the checker does not know, or
// knows others of their epochs: what was decided last may have been told to nobody.
func (o *operator) untold(m *machine) (rulings []*hearsay.Ruling) {
	l := &o.world.check.ledger
	epoch := m.node.Seeded().Epoch()
	after := min(epoch, l.epoch())
	for ; m.recovers && after > 0; after-- {
		if r := rulingOf(m, after); r == nil || r.Hash(o.world.id) == l.rulings[after-1].hash {
			break
		}
	}
	for ; after < epoch; after++ {
		if r := rulingOf(m, after+1); r != nil {
			rulings = append(rulings, r)
		}
	}
	return rulings
}

// rulingOf is the one of an epoch that a seed has in memory or, as it may keep few there, on its disk. Nil: in neither.
func rulingOf(m *machine, epoch hearsay.Epoch) *hearsay.Ruling {
	rulings := m.node.Seeded().Ledger(epoch-1, 1)
	if len(rulings) == 0 {
		rulings, _ = m.disk.Before(epoch+1, 1, core.MaxOlderBytes) // one that fails has none to tell
	}
	if len(rulings) == 1 && rulings[0].Epoch == epoch {
		return rulings[0]
	}
	return nil
}
