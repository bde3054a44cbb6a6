package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Limits of mongering, per node.
const (
	maxHot     = 8192      // rumors; the oldest of more are cold
	tellAtMost = 128 << 10 // bytes to one member in a cycle
)

// monger is the monger strategy, live. The rule by which a rumor cools is in monger.go. It differs from the cycles of
// the paper, and of the simulation that repeats its tables, because nodes have no common cycle:
//
//   - Each node has cycles of its own, as long as a rumor is hot there. What comes is told with the next of them.
//   - A node that was told something that it had answers with the names of it, an IHave; silence counts as news. An
//     answer that is late counts in a later cycle; one that is lost makes a rumor stay hot longer, never shorter.
//   - A pull compares what was seen, as neighbors do anyway, with a random member, so it gets what is held and not only
//     what is hot.
//   - What is not reached is left to comparing, as in the other strategies.
type monger struct {
	*shared
	hot     []*entry // as they came
	turn    int      // the place of the first to be told, where not all can be
	cycleAt time.Time
	pollAt  time.Time

	callers []hearsay.NodeID // from which rumors were taken since, at most Config.Limit
	since   time.Time        // less than a cycle ago
}

// accepts reports whether rumors are taken from a member in this cycle. To a member that is refused that is no answer,
// and so no useless contact.
func (mo *monger) accepts(now time.Time, id hearsay.NodeID) bool {
	if mo.cfg.Strategy != Monger || mo.cfg.Limit == 0 || id == mo.rumors.exchange.from {
		return true
	}
	if now.Sub(mo.since) >= mo.cfg.Cycle {
		mo.callers, mo.since = mo.callers[:0], now
	}
	if slices.Contains(mo.callers, id) { // a contact may take several packets
		return true
	}
	if len(mo.callers) == mo.cfg.Limit {
		mo.out.stats.Drops[hearsay.DropRate]++
		return false
	}
	mo.callers = append(mo.callers, id)
	return true
}

// kindle makes a rumor hot.
func (mo *monger) kindle(now time.Time, e *entry) {
	if !mo.cfg.Style.Pushes() {
		return
	}
	e.heat.Kindle()
	if len(mo.hot) >= maxHot {
		mo.hot = slices.Delete(mo.hot, 0, 1)
	}
	mo.hot = append(mo.hot, e)
	if mo.cycleAt == never {
		mo.cycleAt = now.Add(mo.between(0, mo.cfg.Cycle))
	}
}

// tick ends a cycle and begins the next.
func (mo *monger) tick(now time.Time) {
	if !now.Before(mo.pollAt) {
		mo.pollAt = now.Add(mo.cfg.Poll)
		if id, ok := mo.directory.Draw(); ok {
			mo.rumors.compare.send(id)
		}
	}
	if now.Before(mo.cycleAt) {
		return
	}
	mo.hot = slices.DeleteFunc(mo.hot, func(e *entry) bool { return !mo.staysHot(e) })
	if len(mo.hot) == 0 {
		mo.hot, mo.turn, mo.cycleAt = nil, 0, never
		return
	}
	mo.cycleAt = now.Add(mo.cfg.Cycle)
	for range mo.cfg.Fanout {
		if id, ok := mo.directory.Draw(); ok {
			mo.tellHot(now, id)
		}
	}
}

// staysHot counts the contacts of the last cycle.
func (mo *monger) staysHot(e *entry) bool {
	for range e.contacts {
		useful := e.useless == 0
		if !useful {
			e.useless--
		}
		mo.cfg.Cooling.After(&e.heat, useful, mo.random)
	}
	e.contacts = 0
	return e.heat.Hot() && !e.evicted
}

// tellHot tells one member all that is hot, or as much as one may be told in a cycle.
func (mo *monger) tellHot(now time.Time, id hearsay.NodeID) {
	l, bytes := mo.rumors.links.of(id), 0
	var told []*entry
	for i := range mo.hot {
		e := mo.hot[(mo.turn+i)%len(mo.hot)]
		if bytes+sizeOf(e) > tellAtMost {
			mo.turn = (mo.turn + i) % len(mo.hot)
			break
		}
		if e.by != id {
			told = append(told, e)
			e.contacts++
			bytes += sizeOf(e)
		}
	}
	mo.sendAll(now, id, told)
	if l != nil {
		for _, e := range told {
			e.known |= l.bit
		}
	}
}

// sendAll sends rumors to one member by datagrams, now.
func (mo *monger) sendAll(now time.Time, id hearsay.NodeID, entries []*entry) {
	out := &mo.out
	addr, living := mo.directory.Addr(id)
	if !living {
		return
	}
	for len(entries) > 0 {
		start, size, n, own := len(out.items), 0, 0, false
		for n < min(len(entries), core.MaxRumors) && (n == 0 || size+sizeOf(entries[n]) <= packetRoom) {
			out.items = append(out.items, entries[n].told(now))
			own = own || entries[n].by == mo.self
			size += sizeOf(entries[n])
			n++
		}
		entries = entries[n:]
		out.stats.RumorPayloads += uint64(n)
		out.send(own, core.Packet{Addr: addr, Body: out.body(out.items[start:len(out.items):len(out.items)], nil)})
	}
}

// tellStale answers what was no news.
func (mo *monger) tellStale(p *core.Packet, ids []clock.Dot) {
	if len(ids) == 0 || !mo.cfg.Cooling.Feedback {
		return
	}
	mo.out.stats.RumorNames += uint64(len(ids))
	mo.out.send(false, p.Reply(&core.IHave{IDs: ids}))
}

// feedback counts contacts that were useless.
func (mo *monger) feedback(m *core.IHave) {
	for _, id := range m.IDs {
		if e := mo.rumors.store.byID[id]; e != nil && e.heat.Hot() {
			e.useless++
		}
	}
}
