package rumor

import (
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/internal/when"
)

// Limits of comparing, per node.
const (
	fullAt     = 8                      // as a part of what may be held, new since last compared
	idleRounds = 4                      // of all neighbors without anything new: then comparisons take twice as long
	idleMost   = 6                      // times that they do
	hurryEvery = 100 * time.Millisecond // between comparisons when others are likely to lack something
	// after something new came every ping carries the hash: of a thousand nodes, none is then missed by all (e^-15 each)
	pingsFor  = 15 * time.Second
	pingsEach = 8 // and else one of so many
)

// compare is when this node compares what it has seen with a neighbor, a hash first. With exchange and gone it is the
// net below the strategies: each of the two gives what the other lacks (core.Heard).
//
//   - A hash of it rides on pings for a while after something new came, and now and then always. A node that is pinged
//     by one that has seen other things compares with its neighbors, and tells the pinger. So as long as all have the
//     same nothing is sent for it.
//   - A pair of neighbors that knows itself equal does not compare again until one of them sees something. Equal hashes
//     are answered by a Rumors that is empty, or the asker would not know; but not while there is always something new,
//     and what one knows is soon void.
//   - What came just now is on its way to others, too. It is not given, and comparing waits until nothing new comes, or
//     has waited long.
//   - Two may stay unequal: one has seen rumors of an origin that the other does not know, or has forgotten; or is the
//     only one to have seen what no node holds any more. They compare ever more rarely.
type compare struct {
	*shared
	at      time.Time // never if all neighbors agree, or there are none
	last    time.Time // when it last compared
	news    time.Time // when something new last came
	turn    int       // the place of the neighbor to be asked next
	hurried int       // neighbors to be asked quickly
	idle    int       // comparisons since something new came
	pings   uint8     // since one carried the hash
	toldAt  time.Time // when a pinger was last told that it has not the same
	fresh   int       // rumors that came since it last compared
	bytes   int       // and their payload
}

// comparison is what is known of a neighbor's seen.
type comparison struct {
	agreed   uint64 // its hash was this when last compared, and so was ours
	compared bool   // agreed says something
	asked    uint64 // the hash sent to it
	asking   bool   // and not answered
}

// changed tells that a rumor came.
func (c *compare) changed(now time.Time, e *entry) {
	c.news, c.idle = now, 0
	c.fresh++
	c.bytes += len(e.Data)
	if c.isFull() {
		c.at = when.Earlier(c.at, now)
	}
}

// isFull reports whether so much came that comparing later might find what was missed no longer held.
func (c *compare) isFull() bool {
	return c.fresh > c.cfg.KeepCount/fullAt || c.bytes > c.cfg.KeepBytes/fullAt
}

// isQuiet reports whether nothing new has come for a while.
func (c *compare) isQuiet(now time.Time) bool { return !now.Before(c.news.Add(c.cfg.CompareQuiet)) }

// PingHash is the hash for the ping that goes out now; zero: none. Where pings are rare each has one.
func (c *compare) PingHash(now time.Time, rare bool) uint64 {
	if c.pings++; !rare && c.pings < pingsEach && now.Sub(c.news) > pingsFor {
		return 0
	}
	c.pings = 0
	return c.rumors.seen.Hash()
}

// Pinged compares the hash in a ping with this node's. If they differ where nothing is on its way, one of the two lacks
// something.
func (c *compare) Pinged(now time.Time, p *core.Packet, hash uint64) {
	if hash == 0 || hash == c.rumors.seen.Hash() || !c.directory.Known(p.From) {
		return
	}
	quiet := c.isQuiet(now)
	if !quiet && now.Before(c.last.Add(c.cfg.CompareBusy)) {
		return
	}
	if c.idle == 0 || c.at == never {
		c.soon(now, hurryEvery)
	}
	if wait := c.cfg.CompareEvery << min(c.idle/idleRounds, idleMost); quiet && now.Sub(c.toldAt) >= wait {
		c.toldAt = now
		c.send(p.From)
	}
}

// soon compares within a time.
func (c *compare) soon(now time.Time, within time.Duration) {
	c.at = when.Earlier(c.at, now.Add(c.between(0, within)))
}

// hurry tells that what came, others are likely to lack, too.
func (c *compare) hurry(now time.Time) {
	c.idle, c.hurried = 0, len(c.rumors.links.list)
	c.at = when.Earlier(c.at, now.Add(hurryEvery))
}

// meet compares soon, for a new neighbor.
func (c *compare) meet(now time.Time) {
	c.hurried++
	c.idle = 0
	c.soon(now, hurryEvery)
}

// tick sends the hash to the next neighbor that is not known to agree.
func (c *compare) tick(now time.Time) {
	if now.Before(c.at) {
		return
	}
	quiet, latest := c.news.Add(c.cfg.CompareQuiet), c.last.Add(c.cfg.CompareBusy)
	if at := when.Earlier(quiet, latest); c.hurried == 0 && !c.isFull() && now.Before(at) {
		c.at = at.Add(c.between(0, c.cfg.CompareEvery)) // or both ends of a link would ask at the same time
		return
	}
	if until := c.rumors.exchange.until; now.Before(until) {
		c.at = until // first what was asked for
		return
	}
	hash, links := c.rumors.seen.Hash(), c.rumors.links.list
	c.at = never
	for range links {
		l := links[c.turn%len(links)]
		c.turn = (c.turn + 1) % len(links)
		if l.compared && l.agreed == hash {
			continue
		}
		c.last, c.fresh, c.bytes, c.rumors.exchange.gained = now, 0, 0, false
		l.asked, l.asking = hash, true
		c.send(l.id)
		c.hurried = max(0, c.hurried-1)
		c.at = now.Add(c.cfg.CompareEvery << min(c.idle/(idleRounds*len(links)), idleMost))
		if c.idle++; c.hurried > 0 {
			c.at = now.Add(hurryEvery)
		}
		return
	}
	c.hurried, c.fresh, c.bytes = 0, 0, 0
}

// send sends a member the hash.
func (c *compare) send(id hearsay.NodeID) {
	c.tell(id, &core.Heard{Hash: c.rumors.seen.Hash()}, &c.out.stats.RumorCompares)
}

// Heard compares another's hash with this node's.
func (c *compare) Heard(now time.Time, p *core.Packet, m *core.Heard) {
	if c.stranger(p) {
		return
	}
	if m.Hash != c.rumors.seen.Hash() {
		c.rumors.exchange.ask(now, p, true)
	} else if l := c.rumors.links.of(p.From); l != nil {
		if l.agree(m.Hash); c.isQuiet(now) {
			c.out.send(false, p.Reply(c.out.body(nil, nil)))
		}
	}
}

func (l *link) agree(hash uint64) {
	l.agreed, l.compared, l.asking, l.lost = hash, true, false, lost{}
}
