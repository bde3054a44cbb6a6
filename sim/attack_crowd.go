package sim

import (
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/node"
	"hearsay/wire"
)

// The course of a crowd: identities of one address ask to be in, as fast as they
// can, and then leave and ask again.
const (
	crowdSize   = 400
	crowdJoins  = 30 * time.Second // they only ask to be in
	crowdWait   = 11 * time.Minute // they leave whenever they are in, until what was saved up is used up
	crowdCycles = 5 * time.Minute  // and go on so
	crowdOpen   = 10 * time.Second // or only so long, if the door is open
	crowdStep   = 100 * time.Millisecond
	// rulings of that: a stay that began before, as what is measured begins anywhere in a cycle
	crowdEdge  = 2
	crowdGuest = 5 * time.Second // a newcomer from elsewhere must be in within it
)

// crowdAttack is an outsider with one address and any number of identities.
type crowdAttack struct {
	*puppets
	host    int // its machine
	written int // bytes of a seed's records
}

func layCrowd(t *trial) {
	c := &crowdAttack{puppets: &puppets{}, host: t.attack.Nodes}
	c.at = c.host
	c.puppets.siege = t.newSiege(2, []int{c.host}, &twist{takes: c.puppets.takes})
	for i := range c.w.machines {
		if c.w.isSeed(&c.w.machines[i]) {
			c.w.bend(i+1, &twist{steps: c.writes, configures: t.openDoor})
		}
	}
	c.run(siegeBegins, siegeStep, nil)
	c.w.Do(Action{Verb: Start, Who: []int{c.host + 1}})
	for number := range crowdSize {
		c.all = append(c.all, c.invent(number))
	}
	c.begun = true
	before, began := c.epoch(), c.written
	c.run(crowdJoins, crowdStep, func() { c.ask(false) })
	t.most("identities", crowdSize)
	t.most("in_from_one_address", float64(c.share()))
	t.most("rulings_while_joining", float64(c.epoch()-before))
	t.most("seed_bytes_while_joining", float64(c.written-began))

	guest := c.newcomer()
	t.most("newcomer_in_s", guest.Seconds())
	lasts, limits := crowdCycles, hearsay.DefaultLimits()
	if c.share() > int(limits.MembersOfSource) {
		lasts = crowdOpen // nothing holds it back, so it need not wait
	} else {
		c.run(crowdWait, crowdStep, func() { c.ask(true) })
	}
	before, began = c.epoch(), c.written
	c.run(lasts, crowdStep, func() { c.ask(true) })
	minutes := lasts.Minutes()
	rulings := float64(c.epoch() - before)
	aMinute := rulings / minutes
	t.mean("rulings_a_minute_by_cycles", aMinute)
	t.mean("seed_bytes_a_minute_by_cycles", float64(c.written-began)/minutes)

	t.lawful(c.siege)
	t.succeeded = t.figures.Get("in_from_one_address") > float64(limits.MembersOfSource) || rulings > float64(limits.SourceAdmissions)*minutes+crowdEdge
	t.claim(!t.succeeded, "one address had %v members, or caused %s rulings a minute", t.figures.Get("in_from_one_address"), figure(aMinute))
	t.claim(guest <= crowdGuest, "a newcomer from elsewhere was not in within %s", crowdGuest)
}

// openDoor is what tests do to seeds, to see that the limits are checked.
func (t *trial) openDoor(_ *World, _ *machine, c *node.Config) {
	if t.attack.unlimited {
		c.Quorum.Limits = hearsay.Limits{Members: hearsay.MaxLimit, MembersOfSource: hearsay.MaxLimit, Admissions: hearsay.MaxLimit, SourceAdmissions: hearsay.MaxLimit}
	}
}

// writes is the twist of seeds: it adds up what the first of them writes.
func (c *crowdAttack) writes(w *World, m *machine, e *core.Effects) {
	if c.look(w, m, e); int(m.index) == w.config.Nodes {
		for _, r := range e.Persist {
			_, key, value, _ := wire.AppendRecord(nil, nil, r)
			c.written += len(key) + len(value)
		}
	}
}

func (c *crowdAttack) seed() *node.Node { return c.w.machines[c.w.config.Nodes].node }

func (c *crowdAttack) epoch() hearsay.Epoch { return c.seed().Seeded().Epoch() }

// ask has all of the crowd that are not in ask a seed, and, if it cycles, those that
// are in leave.
func (c *crowdAttack) ask(cycles bool) {
	stays, every := c.stays(), 8 // 500 a second
	if cycles {
		every = 80
	}
	for i := range c.all {
		one := &c.all[i]
		to := c.addr(c.w.config.Nodes + c.random.IntN(c.w.config.Seeds))
		p := core.Packet{From: one.id, Addr: to, Stream: true}
		switch epoch, in := stays[one.id]; {
		case in && cycles:
			leave := core.Leave{Stay: hearsay.Stay{ID: one.id, Epoch: epoch}}
			leave.Sign(c.w.check.ledger.id(), one.signer)
			p.Body = &core.Depart{Leave: leave}
		case in:
			continue
		default:
			if c.random.IntN(every) > 0 {
				continue
			}
			one.claim.Incarnation = hearsay.Incarnation(c.time().UnixMilli())
			one.claim.Sign(c.w.id, one.signer)
			p.Body, p.Claims = &core.Register{}, []hearsay.Claim{one.claim}
		}
		c.injectPacket(c.host, &p)
	}
}

// stays are those of all members.
func (c *crowdAttack) stays() map[hearsay.NodeID]hearsay.Epoch {
	stays := make(map[hearsay.NodeID]hearsay.Epoch)
	for _, stay := range c.seed().Seeded().Stays(nil) {
		stays[stay.ID] = stay.Epoch
	}
	return stays
}

// share is how many members are at the crowd's address: its machine's own node, too.
func (c *crowdAttack) share() (n int) {
	stays := c.stays()
	for i := range c.all {
		if _, in := stays[c.all[i].id]; in {
			n++
		}
	}
	if _, in := stays[c.w.machines[c.host].id]; in {
		n++
	}
	return n
}

// newcomer starts a node elsewhere, and gives how long it takes until it is in.
func (c *crowdAttack) newcomer() time.Duration {
	began, at := c.w.now, c.host+1
	c.w.Do(Action{Verb: Start, Who: []int{at + 1}})
	for c.w.now-began < siegeTruce {
		c.run(siegeStep, siegeStep, func() { c.ask(false) })
		if slices.ContainsFunc(c.seed().Seeded().Stays(nil), func(s hearsay.Stay) bool { return s.ID == c.w.machines[at].id }) {
			break
		}
	}
	return c.w.now - began
}
