package sim

import (
	"bytes"
	"fmt"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// Attacks on what is said, and on who says it.

// A flood, and what others say meanwhile.
const (
	// bytes of a rumor: each counts as 33 of the 10,000 that one origin may have told in a second
	floodSize   = 32 << 10
	floodRate   = 1500 // rumors a second: five times that
	floodLasts  = 2 * time.Second
	floodBefore = 2 * time.Second // others talk for as long before it
	floodStep   = 20 * time.Millisecond
	knownWithin = 30 * time.Second // a death, at the latest
)

func layFlood(t *trial) {
	calm, flooded := t.flood(false), t.flood(true)
	t.mean("flood_bytes_s", float64(floodSize*floodRate*t.liars))
	t.mean("flood_told_share", share(float64(flooded.told), float64(flooded.said)))
	t.mean("others_lost_share", share(float64(flooded.lost), float64(flooded.owed)))
	t.most("others_latest_s", flooded.latest.Seconds())
	t.most("others_latest_s_without", calm.latest.Seconds())
	t.most("death_known_s", flooded.known.Seconds())
	t.most("death_known_s_without", calm.known.Seconds())
	t.mean("wrong_suspicions", float64(flooded.suspicions))
	t.mean("others_missed_by_returner_share", share(float64(flooded.missed), float64(flooded.away)))
	t.mean("others_missed_by_returner_share_without", share(float64(calm.missed), float64(calm.away)))
	t.succeeded = flooded.lost > 0 || flooded.missed > 0
	t.claim(flooded.lost == 0, "%d of %d deliveries of what others said never came", flooded.lost, flooded.owed)
	t.claim(flooded.known < knownWithin, "a death was not known to all after %s", knownWithin)
	t.claim(flooded.deaths == 0, "the flood buried a member that is well")
}

// floodResult is what became of others under a flood.
type floodResult struct {
	said, told         int // of the flood: rumors, and those that one drawn node got
	owed, lost         int // deliveries of others' rumors
	latest, known      time.Duration
	suspicions, deaths int
	away, missed       int // others' rumors said while one was away, and those it lacks afterwards
	killed, gone       int
}

// flood lets liars say far more than they may, while others talk, one dies, and
// one is away; or the others alone.
func (t *trial) flood(under bool) (r floodResult) {
	s := t.newSiege(0, nil, &twist{})
	s.run(siegeBegins, siegeStep, nil)
	order := s.random.Perm(s.nodes)
	r.killed, r.gone = s.honestOf(order, 0), s.honestOf(order, 1)
	killed := s.w.machines[r.killed].id
	s.events = func(_ *machine, e *hearsay.Event) {
		switch {
		case buries(e) && e.Subject == killed:
			r.known = s.w.now - siegeBegins - floodBefore
		case e.Kind == hearsay.EventRumor && len(e.Rumor.Data) == floodSize:
			r.told++
		}
	}
	s.run(floodBefore, floodStep, s.talk)
	s.w.Do(Action{Verb: Kill, Who: []int{r.killed + 1}})
	s.w.Do(Action{Verb: Kill, Who: []int{r.gone + 1}})
	first := len(s.w.check.gossip.said)
	s.run(floodLasts, floodStep, func() {
		s.talk()
		if !under {
			return
		}
		for _, liar := range s.liars {
			for range floodRate * int(floodStep) / int(time.Second) {
				s.w.say(&s.w.machines[liar], floodSize)
				r.said++
			}
		}
	})
	s.w.Do(Action{Verb: Restart, Who: []int{r.gone + 1}})
	s.run(knownWithin, siegeStep, nil)
	r.said *= s.honest() - 2
	r.others(s, first)
	s.settleAll()
	r.suspicions, r.deaths = s.suspicions, s.deaths
	t.lawful(s)
	return r
}

// others counts what of others' rumors reached all who were there, from the
// first that was said while one was away.
func (r *floodResult) others(s *siege, first int) {
	g := &s.w.check.gossip
	for i := range g.said {
		one := &g.said[i]
		speaker := int(s.w.check.identities[one.identity].machine)
		if s.lying[speaker] || speaker == r.killed {
			continue
		}
		r.latest = max(r.latest, one.latest)
		for m := range s.w.machines {
			switch heard := s.w.check.views[m].heard.has(i); {
			case m == speaker || s.lying[m] || m == r.killed || s.w.isSeed(&s.w.machines[m]):
			case m == r.gone && i >= first:
				r.away++
				if !heard {
					r.missed++
				}
			case m == r.gone:
			default:
				r.owed++
				if !heard {
					r.lost++
				}
			}
		}
	}
}

// layImpostor lets liars tell rumors in another's name, under the numbers that
// it would give next.
func layImpostor(t *trial) {
	s := t.newSiege(0, nil, &twist{})
	s.run(siegeBegins, siegeStep, nil)
	victim := s.someone()
	origin := hearsay.OriginOf(s.w.machines[victim].id)
	believed, forestalled, conflicts, next := 0, 0, 0, uint64(1)
	s.events = func(_ *machine, e *hearsay.Event) {
		switch {
		case e.Kind == hearsay.EventRumor && bytes.HasPrefix(e.Rumor.Data, []byte("forged")):
			believed++
			if _, taken := s.w.check.gossip.byID[e.Rumor.ID]; taken {
				forestalled++
			}
		case e.Kind == hearsay.EventRumor && e.Rumor.ID.Origin == origin:
			next = max(next, e.Rumor.ID.Counter+1)
		case e.Kind == hearsay.EventRumorConflict:
			conflicts++
		}
	}
	forged := 0
	s.run(siegeLasts, siegeStep, func() {
		if s.w.now%(time.Second/2) != 0 {
			return
		}
		// Between two of the victim's rumors, and in every second second at the
		// very moment at which it speaks, to all but itself: a node that speaks by the
		// clock can be forestalled.
		speaks := s.w.now%time.Second == 0
		if !speaks || s.w.now/time.Second%2 == 0 {
			forged++
			s.impersonate(victim, clock.Dot{Origin: origin, Counter: next})
		}
		if next++; speaks {
			s.w.say(&s.w.machines[victim], 0)
		}
	})
	s.run(siegeLasts, siegeStep, nil)
	others := float64(s.honest())
	t.mean("forged_rumors", float64(forged))
	t.mean("believed_by_share", share(float64(believed), float64(forged)*others))
	t.mean("conflicts_noticed", float64(conflicts))
	_, said := s.trueLost(victim)
	t.mean("victims_rumors", float64(said))
	t.mean("victims_rumors_lost_share", share(float64(forestalled), float64(said)*(others-1)))
	t.succeeded = believed > 0
	t.lawful(s)
}

// impersonate has all liars tell a rumor that they make up to all but its
// origin.
func (s *siege) impersonate(victim int, id clock.Dot) {
	rumor := hearsay.Rumor{ID: id, Data: fmt.Appendf(nil, "forged %d", id.Counter)}
	for _, liar := range s.liars {
		for to := range s.nodes {
			if to != victim && s.present(to) {
				s.inject(liar, s.w.machines[liar].id, s.addr(to), &core.Rumors{Items: []hearsay.Rumor{rumor}})
			}
		}
	}
}

// trueLost counts how often what one said did not come to an honest node.
func (s *siege) trueLost(speaker int) (lost, said int) {
	g := &s.w.check.gossip
	for i := range g.said {
		if int(s.w.check.identities[g.said[i].identity].machine) != speaker {
			continue
		}
		said++
		for m := range s.w.machines {
			if m != speaker && s.present(m) && !s.w.isSeed(&s.w.machines[m]) && !s.w.check.views[m].heard.has(i) {
				lost++
			}
		}
	}
	return lost, said
}

// hushAhead is how many numbers beyond the last the liars say that nobody holds.
const hushAhead = 1 << 16

// layHush lets two neighbors of a node say that nobody holds any more what a
// victim has not said yet.
func layHush(t *trial) {
	deaf := int(t.seed) % t.attack.Nodes
	s := t.newSiege(0, t.neighborsOf(deaf), &twist{})
	s.run(siegeBegins, siegeStep, nil)
	victim := s.someone()
	for victim == deaf {
		victim = s.someone()
	}
	origin := hearsay.OriginOf(s.w.machines[victim].id)
	last := uint64(0)
	s.events = func(_ *machine, e *hearsay.Event) {
		if e.Kind == hearsay.EventRumor && e.Rumor.ID.Origin == origin {
			last = max(last, e.Rumor.ID.Counter)
		}
	}
	s.run(siegeLasts, siegeStep, func() {
		if s.w.now%time.Second == 0 {
			s.w.say(&s.w.machines[victim], 0)
		}
		if s.w.now%time.Second != time.Second/2 {
			return
		}
		missed := []core.SeenRange{{Origin: origin, Range: clock.Range{Low: last + 1, High: last + hushAhead}}}
		for _, liar := range s.liars {
			s.inject(liar, s.w.machines[liar].id, s.addr(deaf), &core.Rumors{Missed: missed})
		}
	})
	s.run(siegeLasts, siegeStep, nil)
	lost, said := s.trueLost(victim)
	deafTo := 0
	g := &s.w.check.gossip
	for i := range g.said {
		if !s.w.check.views[deaf].heard.has(i) {
			deafTo++
		}
	}
	t.mean("said", float64(said))
	t.mean("deaf_to_share", share(float64(deafTo), float64(said)))
	t.mean("lost_share_of_all", share(float64(lost), float64(said*(s.honest()-1))))
	t.succeeded = deafTo > 0
	t.lawful(s)
	t.claim(lost == 0, "%d deliveries never came, %d of them to the node", lost, deafTo)
}

// neighborsOf gives two neighbors of a member in the overlay, as indexes: in a
// calm world of the same members.
func (t *trial) neighborsOf(i int) []int {
	s := t.newSiege(0, []int{}, &twist{})
	s.run(siegeBegins, siegeStep, nil)
	var two []int
	for _, id := range s.w.machines[i].node.Gossip().Links()[:2] {
		two = append(two, int(s.w.check.machineOf(id)))
	}
	return two
}
