package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// gone takes the word of others that what they have seen they no longer hold. A liar could so take rumors away before
// they are said. So two neighbors must say it, or the origin itself, or the only neighbor there is. A node that
// believes it asks for it no more, but takes it all the same when it comes.
type gone struct{ *shared }

// lost is what a neighbor has seen and does not hold, as it said since it was last known to have seen the same.
type lost struct {
	missed clock.Context
	told   int // ranges in missed, at most
}

// told takes another's word that ranges can not be got from it any more.
func (g *gone) told(now time.Time, p *core.Packet, l *link, told []core.SeenRange) {
	if !core.RangesAscend(told) {
		g.out.stats.Drops[hearsay.DropMalformed]++
		return
	}
	missed := false
	byOrigin(told, func(id clock.Origin, gone []clock.Range) {
		if !g.directory.Known(hearsay.NodeID(id)) {
			g.out.stats.Drops[hearsay.DropStranger] += uint64(len(gone))
			return
		}
		highest, n := g.rumors.intake.farthest(id), len(gone)
		for ; n > 0 && gone[n-1].Low > highest; n-- {
			g.out.stats.Drops[hearsay.DropFarFuture]++
		}
		// A range that goes on beyond is taken as far as that: the next answer goes on from there. Else nothing of an origin
		// was ever heard again that had said so much meanwhile.
		if gone = gone[:n]; n > 0 && gone[n-1].High > highest {
			gone = append(slices.Clone(gone[:n-1]), clock.Range{Low: gone[n-1].Low, High: highest})
		}
		missed = g.believe(p, l, id, gone) || missed
	})
	if missed { // and now others can have its word
		g.rumors.compare.idle = 0
		g.rumors.compare.soon(now, g.cfg.CompareEvery)
	}
}

// believe lets go of what of one origin somebody else has missed, too. It reports whether there was such.
func (g *gone) believe(p *core.Packet, l *link, id clock.Origin, gone []clock.Range) (any bool) {
	seen, links := &g.rumors.seen, g.rumors.links.list
	if p.From == hearsay.NodeID(id) && g.comesFrom(p) || len(links) == 1 && l != nil {
		return seen.letGo(id, gone)
	}
	if l == nil {
		return false
	}
	for _, other := range links {
		if other != l {
			any = seen.letGo(id, clock.Common(gone, other.missed.Of(id))) || any
		}
	}
	if l.told >= core.MaxSeenRanges { // it has been compared with what the others say: what is next has room again
		l.lost = lost{}
	}
	gone = gone[:min(len(gone), max(0, core.MaxSeenRanges-l.told))]
	l.told += len(gone)
	l.missed.AddRanges(id, gone)
	return any
}

// comesFrom reports whether a packet comes from where its sender is listed, which anybody else has to forge, too.
func (g *gone) comesFrom(p *core.Packet) bool {
	addr, listed := g.directory.Addr(p.From)
	return listed && (addr == p.Addr || p.Stream && addr.Addr() == p.Addr.Addr())
}
