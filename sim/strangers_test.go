package sim

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quorum"
)

// crowdOfMutes are strangers with an address each. They ask to be in, answer pings, and do nothing else: they probe
// nobody, and answer no accuser.
type crowdOfMutes struct {
	*puppets
	asks int // they ask in each step: these, one after the other
	next int
}

// takes answers pings that name the stranger of a machine. Its own node hears nothing.
func (c *crowdOfMutes) takes(_ *World, m *machine, p *core.Packet) bool {
	one := &c.all[int(m.index)-c.nodes]
	if ping, is := p.Body.(*core.Ping); is && ping.Names(one.id) {
		c.injectPacket(int(m.index), &core.Packet{From: one.id, Addr: p.Addr, Stream: p.Stream, Body: &core.Ack{Seq: ping.Seq}})
	}
	return false
}

// press has some of the strangers that are not in ask a seed.
func (c *crowdOfMutes) press() {
	stays := make(map[hearsay.NodeID]bool)
	for _, stay := range c.w.machines[c.w.config.Nodes].node.Seeded().Stays(nil) {
		stays[stay.ID] = true
	}
	for asked, looked := 0, 0; asked < c.asks && looked < len(c.all); looked++ {
		i := c.next % len(c.all)
		c.next++
		one := &c.all[i]
		if stays[one.id] {
			continue
		}
		asked++
		one.claim.Incarnation = hearsay.Incarnation(c.time().UnixMilli())
		one.claim.Sign(c.w.id, one.signer)
		to := c.addr(c.w.config.Nodes + c.random.IntN(c.w.config.Seeds))
		c.injectPacket(c.nodes+i, &core.Packet{From: one.id, Addr: to, Stream: true, Body: &core.Register{}, Claims: []hearsay.Claim{one.claim}})
	}
}

// removal is how long it takes until a member that is killed is out, of a quorum of seeds and of all honest peers,
// among so many strangers that are in, while others press.
func removal(t *testing.T, seed uint64, honest, strangers, pressing int) time.Duration {
	tr := &trial{attack: &Attack{Nodes: honest, Seeds: 3, weaken: func(c *Config) {
		c.Quorum.Limits.MembersOfSource, c.Quorum.Limits.SourceAdmissions = 4096, 4096
	}}, kind: &AttackKind{}, seed: seed}
	all := strangers + pressing
	c := &crowdOfMutes{puppets: &puppets{}}
	hosts := make([]int, all)
	for i := range hosts {
		hosts[i] = honest + i
	}
	c.siege = tr.newSiege(all, hosts, &twist{takes: c.takes, steps: func(_ *World, _ *machine, e *core.Effects) { *e = core.Effects{} }})
	for i := range hosts {
		c.at = honest + i
		c.all = append(c.all, c.invent(i))
	}
	c.run(siegeBegins, siegeStep, nil)
	var who []int
	for _, i := range hosts {
		who = append(who, i+1)
	}
	c.w.Do(Action{Verb: Start, Who: who})
	first := c.w.machines[c.w.config.Nodes].node
	c.asks = 10
	for began := c.w.now; len(first.Seeded().Stays(nil)) < honest+strangers; {
		c.run(siegeStep, siegeStep, c.press)
		if c.w.now-began > 5*time.Minute {
			t.Fatalf("%d are in after five minutes", len(first.Seeded().Stays(nil)))
		}
	}
	if pressing == 0 {
		c.run(time.Minute, siegeStep, nil) // they are no newcomers any more
	}
	before := c.w.now
	victim := &c.w.machines[1]
	id := victim.id
	c.w.Do(Action{Verb: Kill, Who: []int{2}})
	out := func() bool {
		if c.w.core.seedsWithout(id) < hearsay.QuorumOf(3) {
			return false
		}
		for i := range honest {
			if m := &c.w.machines[i]; m != victim && c.w.core.holdsStay(m, id) {
				return false
			}
		}
		return true
	}
	c.asks = 100
	for !out() {
		var turn func()
		if pressing > 0 {
			turn = c.press
		}
		if c.run(siegeStep, siegeStep, turn); c.w.now-before > 2*time.Minute {
			t.Fatalf("seed %d: not out after two minutes", seed)
		}
	}
	t.Logf("seed %d, %d strangers and %d that press: %v", seed, strangers, pressing, c.w.now-before)
	return c.w.now - before
}

// Members that answer pings, and do nothing else, make a removal slower by what seeds take to look for themselves where
// observers say nothing, which is the short trial, and by no more: while as many press for admission, and when they
// have been in for long.
func TestStrangersDoNotSlowARemoval(t *testing.T) {
	slowest := func(strangers, pressing int) (longest time.Duration) {
		for seed := range uint64(large(1, 2)) {
			longest = max(longest, removal(t, seed+1, 8, strangers, pressing))
		}
		return longest
	}
	quiet, more := slowest(0, 0), quorum.DefaultConfig().ShortTrial+siegeStep // as each is measured in such steps
	for _, crowd := range []struct{ in, press int }{{large(100, 300), 0}, {large(100, 300), large(100, 300)}} {
		if took := slowest(crowd.in, crowd.press); took > quiet+more {
			t.Errorf("with %d strangers, and %d that press, a member that is killed is out after up to %v, and without any after %v: want at most %v more", crowd.in, crowd.press, took, quiet, more)
		}
	}
}
