package sim

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Poison of the store.
const (
	poisonStep  = 100 * time.Millisecond
	poisonAhead = 1 << 16 // numbers that are not written yet, and are said to be gone
	poisonMany  = 64      // writers that are made up in one message
)

// layPoison lets members say of others' numbers that are not written yet that they are gone, in the place of what they
// write, and in exchanges; say sums that never match; and make up writers without end.
func layPoison(t *trial) {
	s := t.newSiege(0, nil, &twist{})
	s.run(siegeBegins, siegeStep, nil)
	order := s.random.Perm(s.nodes)
	newcomer := s.honestOf(order, 0) // which has not written before
	writer := 0
	writes := func(of int) {
		s.w.Do(Action{Verb: Put, Who: []int{of + 1}, Keys: []string{keyNamed(len(s.w.check.written.values))}})
	}
	talk := func() {
		for range s.nodes {
			if writer = (writer + 1) % s.nodes; !s.lying[writer] && writer != newcomer {
				writes(writer)
				return
			}
		}
	}
	s.run(siegeLasts, siegeStep, talk) // all others have
	before, turn := s.traffic(), 0
	s.run(siegeLasts, poisonStep, func() {
		if s.w.now%time.Second == 0 {
			talk()
		}
		for _, liar := range s.liars {
			turn++
			s.poison(liar, order[turn%len(order)], turn)
		}
	})
	under := (s.traffic() - before) / float64(s.nodes) / siegeLasts.Seconds()
	refused := s.w.counts.PutsRefused
	writes(newcomer)
	s.run(siegeTruce, siegeStep, nil)
	written, lost, writers := 0, 0, 0
	var drops [hearsay.NumDrops]uint64
	for i := range s.nodes {
		if !s.present(i) {
			continue
		}
		for reason, n := range s.w.machines[i].node.Stats().Drops {
			drops[reason] += n
		}
		writers = max(writers, len(s.w.machines[i].node.Gossip().Replica().Seen().Origins()))
		held := s.w.check.written.numbers(allOf(&s.w.machines[i]))
		for n := range s.w.check.written.values {
			if s.w.check.written.values[n].refused {
				continue
			}
			if written++; !slices.Contains(held, n) {
				lost++
			}
		}
	}
	t.mean("values_held", float64(written-lost))
	t.mean("values_lost_share", share(float64(lost), float64(written)))
	t.mean("newcomers_refused_share", float64(s.w.counts.PutsRefused-refused))
	t.most("writers_known", float64(writers))
	t.mean("dropped_table_full", float64(drops[hearsay.DropTableFull]))
	t.mean("dropped_malformed", float64(drops[hearsay.DropMalformed]))
	t.mean("dropped_rate", float64(drops[hearsay.DropRate]))
	t.mean("bytes_per_node_s", under)
	t.mean("liars_bytes_s", float64(s.injected)/siegeLasts.Seconds())
	t.succeeded = lost > 0 || s.w.counts.PutsRefused > refused
	t.claim(lost*100 <= written, "%d of %d values that others wrote are not held", lost, written)
	t.claim(writers <= s.w.config.Store.Origins, "%d writers are known, and %d may be", writers, s.w.config.Store.Origins)
	t.lawful(s)
}

// poison sends one lie about the store.
func (s *siege) poison(liar, to, turn int) {
	victim := &s.w.machines[s.random.IntN(s.nodes)]
	holds := s.w.machines[liar].node.Gossip().Replica()
	origin := s.w.check.written.stocks[victim.index].origin
	seen := holds.Seen().Of(origin)
	if len(seen) == 0 || !s.present(to) {
		return
	}
	last := seen[len(seen)-1].High
	ahead := clock.Range{Low: last + 1, High: last + poisonAhead}
	p := core.Packet{From: s.w.machines[liar].id, Addr: s.addr(to), Stream: true}
	switch turn % 5 {
	case 0:
		update := &core.Update{}
		for n := range uint64(8) {
			update.Gone = append(update.Gone, clock.Dot{Origin: origin, Counter: last + 1 + n})
		}
		p.Body = update
	case 1:
		p.Body = &core.Sync{Live: []core.LiveRange{{SeenRange: core.SeenRange{Origin: origin, Range: ahead}}}}
	case 2:
		sync := holds.Ask()
		for i := range sync.Clock {
			sync.Clock[i].Sum.Low++
		}
		p.Body = sync
	case 3:
		sync := &core.Sync{}
		for n := last; n > 1 && len(sync.Sums) < core.MaxSums; n-- {
			sync.Sums = append(sync.Sums, core.SumRange{SeenRange: core.SeenRange{Origin: origin, Range: clock.Range{Low: n, High: n}}, Sum: n})
		}
		slices.Reverse(sync.Sums)
		p.Body = sync
	default:
		sync := &core.Sync{}
		for n := range poisonMany {
			made := clock.Origin{byte(turn >> 8), byte(turn), byte(n)}
			sync.Live = append(sync.Live, core.LiveRange{SeenRange: core.SeenRange{Origin: made, Range: clock.Range{Low: 1, High: 1}}})
		}
		p.Body = sync
	}
	s.injectPacket(liar, &p)
}

func tellPoison(r *AttackReport) string {
	text := "{values_lost_share %} of what others wrote meanwhile is not held; a node knows {writers_known} writers at most, and sends {bytes_per_node_s} bytes a second, as the liars send {liars_bytes_s}"
	if r.Succeeded > 0 {
		text += "; with so many made up, {newcomers_refused_share %} of those that had not written before may not write"
	}
	return r.fill(text)
}
