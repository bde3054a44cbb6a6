package roster_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/roster"
)

// process runs with the identity of stranger 0, at an address of its own.
type process struct {
	*roster.Roster
	out   *hearsay.Effects
	drops hearsay.Drops
}

func newProcess(addr string, now time.Time) *process {
	p := &process{out: &hearsay.Effects{}}
	self := newStranger(0)
	card := hearsay.Card{Name: self.name, Addr: netip.MustParseAddrPort(addr), Role: hearsay.RolePeer}
	p.Roster = roster.New(roster.DefaultConfig(), network, card, roster.NewCards(1), self, rand.New(rand.NewPCG(1, 2)), nil, &p.drops, p.out, now)
	return p
}

// hears has a third node tell the process a claim about itself, and gives it time
// to refute that.
func (p *process) hears(now time.Time, c hearsay.Claim) {
	other := newStranger(9)
	for _, at := range []time.Time{now, now.Add(250 * time.Millisecond)} {
		p.out.Reset()
		p.Begin()
		if at == now {
			p.Claims(at, &hearsay.Packet{From: other.id(), Addr: other.addr, Body: &hearsay.News{}, Claims: []hearsay.Claim{c}})
		}
		p.Tick(at)
	}
}

// Of two processes with one identity exactly one stops, whichever hears of the
// other first, and however late: the one that came later or, if both did at about
// the same time, the one with the greater address.
func TestOneOfTwoTwinsStops(t *testing.T) {
	for _, test := range []struct {
		name   string
		a, b   string        // b starts later
		later  time.Duration // by this
		meet   time.Duration // they hear of each other so long after b's start
		bStops bool
	}{
		{"the later stops", "10.0.0.1:1", "10.0.0.2:1", time.Hour, time.Second, true},
		{"the later stops at a lower address", "10.0.0.2:1", "10.0.0.1:1", time.Hour, time.Second, true},
		{"both are new", "10.0.0.1:1", "10.0.0.2:1", time.Second, time.Second, true},
		{"both are new, the later is lower", "10.0.0.2:1", "10.0.0.1:1", time.Second, time.Second, false},
		{"both are old", "10.0.0.1:1", "10.0.0.1:2", time.Hour, time.Hour, true},
		{"both are old, the later is lower", "10.0.0.1:2", "10.0.0.1:1", time.Hour, time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := start
			a := newProcess(test.a, now)
			now = now.Add(test.later)
			b := newProcess(test.b, now)
			now = now.Add(test.meet)
			rounds := 0
			for ; a.Doomed() == "" && b.Doomed() == ""; rounds++ {
				if rounds > 20 {
					t.Fatal("they go on for ever")
				}
				a.hears(now, b.SelfClaim())
				now = now.Add(time.Second)
				if a.Doomed() == "" { // else b hears nothing new
					b.hears(now, a.SelfClaim())
					now = now.Add(time.Second)
				}
			}
			a.hears(now, b.SelfClaim()) // as it is told for some time yet
			b.hears(now, a.SelfClaim())
			stopped, stays, where := b, a, test.a
			if !test.bStops {
				stopped, stays, where = a, b, test.b
			}
			if !strings.Contains(stopped.Doomed(), "another process runs with this identity at "+where+":") || stays.Doomed() != "" {
				t.Errorf("a stops: %q; b stops: %q", a.Doomed(), b.Doomed())
			}
			t.Logf("after %d rounds", rounds)
		})
	}
}

// Nothing stops a process but another that answers its refutations.
func TestNoClaimAloneStops(t *testing.T) {
	p := newProcess("10.0.0.2:1", start)
	now, past := start.Add(time.Second), p.SelfClaim()
	word := func(signer hearsay.Signer, addr string, incarnation hearsay.Incarnation) hearsay.Claim {
		c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: incarnation, Card: past.Card}
		c.Card.Addr = netip.MustParseAddrPort(addr)
		c.Sign(network, signer)
		c.Subject = past.Subject
		return c
	}
	self := newStranger(0)
	for i := range 40 {
		own := p.Self().Incarnation
		p.hears(now, word(newStranger(5), "10.0.0.1:1", own+5)) // forged
		p.hears(now, word(self, "10.0.0.2:1", own+5))           // by an earlier life, whose disk was put back
		p.hears(now, word(self, "10.0.0.1:1", past.Incarnation+hearsay.Incarnation(i)))
		now = now.Add(time.Second)
		if p.Doomed() != "" {
			t.Fatalf("it stops: %s", p.Doomed())
		}
	}
	own := p.Self().Incarnation + 1000
	for i := range 40 { // of before the directory was moved; all of them come before this node can answer
		p.Begin()
		c := word(self, "10.0.0.1:1", own+hearsay.Incarnation(i))
		p.Claims(now, &hearsay.Packet{From: self.id(), Addr: c.Card.Addr, Body: &hearsay.News{}, Claims: []hearsay.Claim{c}})
	}
	if p.Doomed() != "" {
		t.Errorf("an earlier life's claims stop it: %s", p.Doomed())
	}
	for range 2 { // now and then a process is started on a copy by mistake, and stopped at once
		p.hears(now, word(self, "10.0.0.1:1", p.Self().Incarnation+1))
		now = now.Add(5 * time.Minute)
	}
	if p.Doomed() != "" {
		t.Errorf("it stops: %s", p.Doomed())
	}
}
