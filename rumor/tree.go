package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// Limits of the tree, per node.
const (
	namesMost  = 48               // in one packet: the full ones fit a datagram
	namesLinks = 2                // told at a time while nothing gets lost
	offerLate  = time.Second      // that a name and the question for it take on their ways, at most. A guess
	troubleFor = 10 * time.Second // after a payload got lost, every name goes over every link
)

// tree is what goes over the tree and beside it, after Plumtree (Leitão 2007): payloads over eager links, and names
// over lazy ones. Which links are eager is decided by places, and wanted asks for what does not come.
type tree struct {
	*shared
	gathered   []*entry  // to be named over lazy links
	repaired   []*entry  // to be named over all links, when the step ends
	announceAt time.Time // never if there are none
	turn       int       // the place of the link to be told next
	trouble    time.Time // until then it is thought that payloads get lost
}

// push passes on what is news: "eager push" and "lazy push" (section 3.4). What this node had to ask for, those above
// it in the tree have, and those below it lack: so it is named over all links, at once, for them to ask at once, and
// spreads to all that lack it by the shortest ways.
func (t *tree) push(now time.Time, e *entry) {
	if e.asked != 0 {
		t.repaired = append(t.repaired, e)
		return
	}
	lazy := false
	for _, l := range t.rumors.links.list {
		if l.eager {
			t.rumors.links.enqueue(l, e)
		}
		lazy = lazy || !l.eager
	}
	if !lazy {
		return
	}
	t.gathered = append(t.gathered, e)
	if t.announceAt == never {
		t.announceAt = now.Add(t.between(t.cfg.AnnounceAfter, 2*t.cfg.AnnounceAfter))
	}
}

// IHave takes names of rumors. In the monger strategy they answer those that were no news.
func (t *tree) IHave(now time.Time, p *core.Packet, message *core.IHave) {
	r := t.rumors
	if t.stranger(p) {
		return
	}
	if t.cfg.Strategy == Monger {
		r.monger.feedback(message)
		return
	}
	l := r.links.of(p.From)
	if l == nil {
		t.out.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	if t.cfg.Strategy == Flood {
		return // the payload comes, too, or comparing finds what lacks
	}
	if message.Late {
		t.lose(now)
	} else if l.eager && l.heard != 0 && l.sayAt == never && !l.isOutside() {
		r.places.owe(now, l) // names go over lazy links: the other end has misheard
	}
	for i, id := range message.IDs {
		hops := uint8(maxHops)
		if i < len(message.Hops) {
			hops = message.Hops[i]
		}
		if e := r.store.byID[id]; e != nil {
			e.known |= l.bit
			e.named = true
		} else if !r.seen.came(id) {
			r.wanted.named(now, id, l, hops, message.Late)
		}
	}
	r.wanted.askOverdue(now)
	r.links.flush(now)
}

// lose tells that a payload got lost.
func (t *tree) lose(now time.Time) { t.trouble = now.Add(troubleFor) }

// tick names what is to be named.
func (t *tree) tick(now time.Time) {
	if !now.Before(t.announceAt) {
		t.announce(now)
	}
}

// nameRepaired names over all links what this node had to ask for.
func (t *tree) nameRepaired(now time.Time) {
	if len(t.repaired) == 0 {
		return
	}
	for _, l := range t.rumors.links.list {
		t.name(now, l, t.repaired, late)
	}
	clear(t.repaired)
	t.repaired = t.repaired[:0]
}

// offerLasts is how long a neighbor has to ask for what was named to it: until it has asked all others that named it,
// and for as long as packets may be late.
func (t *tree) offerLasts() time.Duration {
	return 2*t.cfg.GraftAfter + (maxNamers+1)*t.cfg.GraftAgain + offerLate
}

// Graft gives what a neighbor asks for, of what was named to it lately, and each once: anybody may ask in its name, and
// a few bytes ask for much.
func (t *tree) Graft(now time.Time, p *core.Packet, m *core.Graft) {
	l := t.rumors.links.of(p.From)
	if l == nil {
		t.out.stats.Drops[hearsay.DropUnexpected]++
		return
	}
	t.lose(now)
	for _, id := range m.IDs {
		e := t.rumors.store.byID[id]
		if e == nil || e.age(now) >= t.cfg.KeepFor {
			continue
		}
		if e.offered&l.bit == 0 || now.Sub(e.offeredAt) > t.offerLasts() {
			t.out.stats.Drops[hearsay.DropUnexpected]++
			continue
		}
		e.offered &^= l.bit
		e.known &^= l.bit // it was sent and lost
		t.rumors.links.enqueue(l, e)
	}
	t.rumors.links.flush(now)
}

// announce names what came since the last time: over every lazy link if payloads get lost, else over one, or two if
// there is more than one rumor to name, and nothing that another has named to this node.
func (t *tree) announce(now time.Time) {
	links := t.rumors.links.list
	why, most := beside, min(len(t.gathered), namesLinks)
	if now.Before(t.trouble) {
		why, most = always, len(links)
	}
	// as runs they are short
	slices.SortStableFunc(t.gathered, func(a, b *entry) int { return a.ID.Origin.Compare(b.ID.Origin) })
	turn := t.turn
	for i := range links {
		l := links[(turn+i)%len(links)]
		if most > 0 && !l.eager && t.name(now, l, t.gathered, why) {
			most--
			t.turn = (turn + i + 1) % len(links)
		}
	}
	clear(t.gathered)
	if t.gathered = t.gathered[:0]; cap(t.gathered) > keptItems {
		t.gathered = nil
	}
	t.announceAt = never
}

// naming is why rumors are named.
type naming uint8

const (
	beside naming = iota // the tree, to one that may have lost a payload; not what others have named to this node
	always               // the same, where payloads get lost
	late                 // this node had to ask
)

// name names to one neighbor those of entries that it is not known to have, and reports whether there was any.
func (t *tree) name(now time.Time, l *link, entries []*entry, why naming) bool {
	addr, living := t.directory.Addr(l.id)
	if !living {
		return false
	}
	start, own := len(t.out.dots), false
	var hops []uint8
	for _, e := range entries {
		if e.known&l.bit == 0 && !e.evicted && (why != beside || !e.named) {
			t.out.dots = append(t.out.dots, e.ID)
			hops = append(hops, e.Hops)
			if why != late && e.isRepair(t.cfg.GraftAfter) {
				hops[len(hops)-1] = maxHops // this is no way of the tree
			}
			own = own || e.by == t.self
			e.offered |= l.bit
			e.offeredAt = now
		}
	}
	ids := t.out.dots[start:len(t.out.dots):len(t.out.dots)]
	t.out.stats.RumorNames += uint64(len(ids))
	for from := 0; from < len(ids); from += namesMost {
		to := min(from+namesMost, len(ids))
		t.out.send(own, core.Packet{Addr: addr, Body: &core.IHave{IDs: ids[from:to], Hops: hops[from:to], Late: why == late}})
	}
	return len(ids) > 0
}
