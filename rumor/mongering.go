package rumor

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
)

// This file is the monger strategy, live. The rule by which a rumor cools is
// in monger.go. It differs from the cycles of the paper, and of the simulation
// that repeats its tables, because nodes have no common cycle:
//
//   - Each node has cycles of its own, as long as a rumor is hot there. What
//     comes is told with the next of them.
//   - Who was told something that it had answers with the names of it, an IHave;
//     silence counts as news. An answer that is late counts in a later cycle; one
//     that is lost makes a rumor stay hot longer, never shorter.
//   - A pull compares what was seen, as neighbors do anyway, with a random member,
//     so it gets what is held and not only what is hot.
//   - What is not reached is left to comparing, as in the other strategies.

// Limits of mongering, per node.
const (
	maxHot     = 8192      // rumors; the oldest of more are cold
	tellAtMost = 128 << 10 // bytes to one member in a cycle
)

// monger is the state of the strategy.
type monger struct {
	hot     []*entry // as they came
	turn    int      // the place of the first to be told, where not all can be
	cycleAt time.Time
	pollAt  time.Time

	callers []hearsay.NodeID // from which rumors were taken since, at most Config.Limit
	since   time.Time        // less than a cycle ago
}

// accepts reports whether rumors are taken from a member in this cycle. To who is
// refused that is no answer, and so no useless contact.
func (r *Rumors) accepts(now time.Time, id hearsay.NodeID) bool {
	m := &r.monger
	if r.cfg.Strategy != Monger || r.cfg.Limit == 0 || id == r.compare.from {
		return true
	}
	if now.Sub(m.since) >= r.cfg.Cycle {
		m.callers, m.since = m.callers[:0], now
	}
	if slices.Contains(m.callers, id) { // a contact may take several packets
		return true
	}
	if len(m.callers) == r.cfg.Limit {
		r.drops[hearsay.DropRate]++
		return false
	}
	m.callers = append(m.callers, id)
	return true
}

// kindle makes a rumor hot.
func (r *Rumors) kindle(now time.Time, e *entry) {
	m := &r.monger
	if !r.cfg.Style.Pushes() {
		return
	}
	e.heat.Kindle()
	if len(m.hot) >= maxHot {
		m.hot = slices.Delete(m.hot, 0, 1)
	}
	m.hot = append(m.hot, e)
	if m.cycleAt == never {
		m.cycleAt = now.Add(r.between(0, r.cfg.Cycle))
	}
}

// tickMonger ends a cycle and begins the next.
func (r *Rumors) tickMonger(now time.Time) {
	m := &r.monger
	if !now.Before(m.pollAt) {
		m.pollAt = now.Add(r.cfg.Poll)
		if id, ok := r.directory.Draw(); ok {
			r.sendHeard(id)
		}
	}
	if now.Before(m.cycleAt) {
		return
	}
	m.hot = slices.DeleteFunc(m.hot, func(e *entry) bool { return !r.staysHot(e) })
	if len(m.hot) == 0 {
		m.hot, m.turn, m.cycleAt = nil, 0, never
		return
	}
	m.cycleAt = now.Add(r.cfg.Cycle)
	for range r.cfg.Fanout {
		if id, ok := r.directory.Draw(); ok {
			r.tellHot(now, id)
		}
	}
}

// staysHot counts the contacts of the last cycle.
func (r *Rumors) staysHot(e *entry) bool {
	for range e.contacts {
		useful := e.useless == 0
		if !useful {
			e.useless--
		}
		r.cfg.Cooling.After(&e.heat, useful, r.random)
	}
	e.contacts = 0
	return e.heat.Hot() && !e.evicted
}

// tellHot tells one member all that is hot, or as much as one may be told in a
// cycle.
func (r *Rumors) tellHot(now time.Time, id hearsay.NodeID) {
	m := &r.monger
	l, bytes := r.link(id), 0
	var told []*entry
	for i := range m.hot {
		e := m.hot[(m.turn+i)%len(m.hot)]
		if bytes+sizeOf(e) > tellAtMost {
			m.turn = (m.turn + i) % len(m.hot)
			break
		}
		if e.by != id {
			told = append(told, e)
			e.contacts++
			bytes += sizeOf(e)
		}
	}
	r.sendAll(now, id, told)
	if l != nil {
		for _, e := range told {
			e.known |= l.bit
		}
	}
}

// sendAll sends rumors to one member by datagrams, now.
func (r *Rumors) sendAll(now time.Time, id hearsay.NodeID, entries []*entry) {
	addr, living := r.directory.Addr(id)
	if !living {
		return
	}
	for len(entries) > 0 {
		start, size, n, own := len(r.items), 0, 0, false
		for n < min(len(entries), hearsay.MaxRumors) && (n == 0 || size+sizeOf(entries[n]) <= packetRoom) {
			r.items = append(r.items, entries[n].told(now))
			own = own || entries[n].by == r.self
			size += sizeOf(entries[n])
			n++
		}
		entries = entries[n:]
		r.stats.Payloads += uint64(n)
		r.send(own, hearsay.Packet{Addr: addr, Body: r.rumors(r.items[start:len(r.items):len(r.items)], nil)})
	}
}

// tellStale answers what was no news.
func (r *Rumors) tellStale(p *hearsay.Packet, ids []clock.Dot) {
	if len(ids) == 0 || !r.cfg.Cooling.Feedback {
		return
	}
	r.stats.Names += uint64(len(ids))
	r.send(false, p.Reply(&hearsay.IHave{IDs: ids}))
}

// feedback counts contacts that were useless.
func (r *Rumors) feedback(m *hearsay.IHave) {
	for _, id := range m.IDs {
		if e := r.store.byID[id]; e != nil && e.heat.Hot() {
			e.useless++
		}
	}
}
