package node

import (
	"cmp"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/kv"
)

// Put writes keys of the store, all or none: see kv.Replica.Put. What it wants done must be durable before the caller
// hears of it. It is hearsay.ErrSeedStore at a seed, and hearsay.ErrDiskBehind while the disk is too slow:
// see DiskWaits.
func (n *Node) Put(now time.Time, writes ...kv.Write) (*core.Effects, error) {
	n.begin(now)
	switch {
	case n.gossip.store == nil:
		return n.settle(now), hearsay.ErrSeedStore
	case n.backlog.behind(now) || n.lost.is():
		return n.settle(now), hearsay.ErrDiskBehind
	}
	err := n.gossip.store.Put(now, writes...)
	return n.settle(now), err
}

// Replica gives what this node holds of the store, to be read until the next call; nil at a seed.
func (g *Gossip) Replica() *kv.Replica {
	if g.store == nil {
		return nil
	}
	return g.store.Replica()
}

// WatchKeys has each change of a key be an event from now on (hearsay.EventKeyChanged).
func (g *Gossip) WatchKeys() {
	if g.store != nil {
		g.store.Watch()
	}
}

// pinged compares the store with that of a pinger.
func (g *Gossip) pinged(now time.Time, from hearsay.NodeID, hash uint64) {
	if g.store != nil {
		g.store.Pinged(now, from, hash)
		if hash != 0 && hash == g.store.Replica().Hash().Low {
			g.caughtUp(now, from)
		}
	}
}

// storeHash is what a ping tells of the store.
func (g *Gossip) storeHash(now time.Time, rare bool) uint64 {
	if g.store == nil {
		return 0
	}
	return g.store.PingHash(now, rare)
}

func (g *Gossip) tickStore(now time.Time) {
	if g.store != nil {
		g.store.Tick(now)
		if !g.endedUpto.IsZero() {
			g.endedUpto = g.store.Ended(g.endedUpto, now)
		} else {
			g.endedUpto = now
		}
		g.lookCaughtUp(now)
	}
}

// measureStore gives the figures of what is held.
func (g *Gossip) measureStore(stats *hearsay.Stats) {
	if r := g.Replica(); r != nil {
		stats.StoreValues, stats.StoreBytes = r.Len()
		stats.StoreWriters = len(r.Seen().Origins())
		if since := g.store.RefusesWriters(); !since.IsZero() {
			stats.StoreRefuses, stats.StoreLives = max(stats.At.Sub(since), 1).Seconds(), g.manyLives(r)
		}
		if c := &g.catchUp; !c.began.IsZero() {
			stats.StoreCatchUp, stats.StoreLacks = max(stats.At.Sub(c.began), 1).Seconds(), c.lacks
		}
	}
}

// livesMany is how many lives in the store a node has at least to be named where new writers are refused. A data
// directory begins another life when it was set back, and that is seldom. A guess.
const livesMany = 16

// manyLives gives the nodes with the most lives in the store, the most first; those of no member count as one node.
func (g *Gossip) manyLives(r *kv.Replica) (many []hearsay.Lives) {
	strangers := hearsay.Lives{}
	lives := r.Lives()
	for _, m := range g.roster.All(nil) {
		id := kv.WriterOf(m.ID)
		if n := lives[id]; n >= livesMany {
			many = append(many, hearsay.Lives{ID: m.ID, Name: m.Name, Count: n})
		}
		delete(lives, id)
	}
	for _, n := range lives { // order does not matter: it is a sum
		strangers.Count += n
	}
	if strangers.Count >= livesMany {
		many = append(many, strangers)
	}
	slices.SortFunc(many, func(a, b hearsay.Lives) int { return cmp.Or(b.Count-a.Count, a.ID.Compare(b.ID)) })
	return many
}

// writers are the nodes that may write by the ledger at an epoch.
type writers struct {
	epoch hearsay.Epoch
	in    map[kv.Writer]bool
}

// writes reports whether a node may write: it is in, or nobody decides on that, or no ledger has come here yet.
func (g *Gossip) writes(id kv.Writer) bool {
	a := g.seeded.authority
	if a == nil || a.Epoch() == 0 {
		return true
	}
	if g.writers.in == nil || g.writers.epoch != a.Epoch() {
		g.writers = writers{epoch: a.Epoch(), in: make(map[kv.Writer]bool)}
		for _, m := range a.Roster(nil) {
			g.writers.in[kv.WriterOf(m.Stay.ID)] = true
		}
	}
	return g.writers.in[id]
}
