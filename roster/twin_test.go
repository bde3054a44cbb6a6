package roster_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/roster"
)

// process runs with the identity of stranger 0, at an address of its own.
type process struct {
	*roster.Roster
	out   *core.Effects
	stats hearsay.Stats
	told  int // that another has its identity
}

func newProcess(addr string, now time.Time) *process {
	p := &process{out: &core.Effects{}}
	self := newStranger(0)
	card := hearsay.Card{Name: self.name, Addr: netip.MustParseAddrPort(addr), Role: hearsay.RolePeer}
	cfg := roster.DefaultConfig()
	p.Roster = roster.New(&cfg, network, card, roster.NewCards(1), self, rand.New(rand.NewPCG(1, 2)), nil, &p.stats, p.out, now)
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
			p.Claims(at, &core.Packet{From: other.id(), Addr: other.addr, Body: &core.News{}, Claims: []hearsay.Claim{c}})
		}
		p.Tick(at)
		for i := range p.out.Events {
			if e := &p.out.Events[i]; e.Kind == hearsay.EventTwin && e.Addr == p.Twin(at) && e.Text != "" {
				p.told++
			}
		}
	}
}

// Of two processes with one identity exactly one stops, whichever hears of the
// other first, however late, and wherever they are: the one that has just started, if
// the other has not.
func TestOneOfTwoTwinsStops(t *testing.T) {
	const either = 0
	for _, test := range []struct {
		name  string
		a, b  string        // b starts later
		later time.Duration // by this
		meet  time.Duration // they hear of each other so long after b's start
		stops byte          // a, b or either
	}{
		{"the later stops", "10.0.0.1:1", "10.0.0.2:1", time.Hour, time.Second, 'b'},
		{"the later stops at a lower address", "10.0.0.2:1", "10.0.0.1:1", time.Hour, time.Second, 'b'},
		{"the later stops at the same address", "10.0.0.1:1", "10.0.0.1:1", time.Hour, time.Second, 'b'},
		{"the later stops, started 22 s later", "10.0.0.1:1", "10.0.0.2:1", 22 * time.Second, time.Second, 'b'},
		{"the later stops, started 22 s later, and is heard of late", "10.0.0.2:1", "10.0.0.1:1", 22 * time.Second, 15 * time.Second, 'b'},
		{"the later stops, started 7 s later at the same address", "10.0.0.1:1", "10.0.0.1:1", 7 * time.Second, time.Second, 'b'},
		{"both are new", "10.0.0.1:1", "10.0.0.2:1", time.Second, time.Second, either},
		{"both are new at the same address", "10.0.0.1:1", "10.0.0.1:1", time.Second, time.Second, either},
		{"both are old", "10.0.0.1:1", "10.0.0.1:2", time.Hour, time.Hour, either},
		{"both are old at the same address", "10.0.0.1:1", "10.0.0.1:1", time.Hour, time.Hour, either},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := start
			a := newProcess(test.a, now)
			now = now.Add(test.later)
			b := newProcess(test.b, now)
			now = now.Add(test.meet)
			rounds := 0
			for ; a.MustStop() == "" && b.MustStop() == ""; rounds++ {
				if rounds > 20 {
					t.Fatal("they go on for ever")
				}
				a.hears(now, b.SelfClaim())
				now = now.Add(time.Second)
				if a.MustStop() == "" { // else b hears nothing new
					b.hears(now, a.SelfClaim())
					now = now.Add(time.Second)
				}
			}
			a.hears(now, b.SelfClaim()) // as it is told for some time yet
			b.hears(now, a.SelfClaim())
			stopped, where := b, test.a
			if a.MustStop() != "" {
				stopped, where = a, test.b
			}
			if (a.MustStop() != "") == (b.MustStop() != "") || test.stops == 'b' && stopped != b ||
				!strings.Contains(stopped.MustStop(), "another process runs with this identity at "+where+":") {
				t.Errorf("a stops: %q; b stops: %q", a.MustStop(), b.MustStop())
			}
			for _, p := range []*process{a, b} { // the one that goes on tells it, too
				other := test.a
				if p == a {
					other = test.b
				}
				if p != stopped && p.told == 0 && test.a == test.b {
					continue // the first words from its own address may be of earlier lives
				}
				if p.told != 1 || p.Twin(now).String() != other {
					t.Errorf("one tells %d times of another, at %v", p.told, p.Twin(now))
				}
			}
			if a, b := a.Twin(now.Add(11*time.Second)), b.Twin(now.Add(11*time.Second)); a.IsValid() || b.IsValid() {
				t.Errorf("11 s later one is told to be at %v and %v", a, b)
			}
			t.Logf("after %d rounds", rounds)
		})
	}
}

// Two that have waited for others for long, as for an admission, are new among them: one stops as soon
// as if both had just started. One that was among others before stays.
func TestTwinsThatWaited(t *testing.T) {
	for _, before := range []time.Duration{0, time.Hour} {
		now := start
		a, b := newProcess("10.0.0.1:1", now), newProcess("10.0.0.2:1", now)
		meet := func(p *process) {
			other := newStranger(9)
			p.Begin()
			p.Claims(now, &core.Packet{From: other.id(), Addr: other.addr, Body: &core.News{}, Claims: []hearsay.Claim{other.word(hearsay.StateAlive)}})
			p.AnswerHints(now)
			if p.Count(hearsay.StateAlive) != 2 {
				t.Fatalf("it lists %d", p.Count(hearsay.StateAlive))
			}
		}
		now = now.Add(time.Hour)
		meet(a)
		now = now.Add(before)
		meet(b)
		rounds := 0
		for ; a.MustStop() == "" && b.MustStop() == "" && rounds < 20; rounds++ {
			now = now.Add(time.Second)
			a.hears(now, b.SelfClaim())
			now = now.Add(time.Second)
			b.hears(now, a.SelfClaim())
		}
		if rounds > 4 || before > 0 && b.MustStop() == "" {
			t.Errorf("the first came %v before the second: after %d rounds the first stops: %q; the second: %q", before, rounds, a.MustStop(), b.MustStop())
		}
	}
}

// Whenever the two hear of each other, in whatever order, and whatever else has
// them sign anew, they never both stop.
func TestTwinsNeverBothStop(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		now := start
		both := [2]*process{newProcess("10.0.0.1:1", now), newProcess("10.0.0.1:1", now)}
		now = now.Add(time.Duration(random.IntN(3)) * time.Minute)
		said := [2][]hearsay.Claim{}
		for range 200 {
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			who := random.IntN(2)
			if both[who].MustStop() != "" {
				continue // it has stopped, and what it has said is still told
			}
			said[who] = append(said[who], both[who].SelfClaim())
			switch other := said[1-who]; {
			case random.IntN(8) == 0: // it is suspected
				c := hearsay.Claim{Subject: both[who].SelfClaim().Subject, State: hearsay.StateSuspect, Incarnation: both[who].Self().Incarnation, By: newStranger(9).id()}
				both[who].hears(now, c)
			case len(other) > 0:
				both[who].hears(now, other[len(other)-1-random.IntN(min(3, len(other)))])
			}
			said[who] = append(said[who], both[who].SelfClaim()) // what it says in the step in which it stops, too
		}
		if both[0].MustStop() != "" && both[1].MustStop() != "" {
			t.Fatalf("seed %d: both stop", seed)
		}
		if both[0].MustStop() == "" && both[1].MustStop() == "" {
			t.Fatalf("seed %d: both go on", seed)
		}
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
	for i := range 3 { // by earlier lives, if the disk was put back, and the clock set back
		p.hears(now, word(self, "10.0.0.2:1", past.Incarnation+100_000*hearsay.Incarnation(i+1)))
		now = now.Add(time.Second)
	}
	if p.MustStop() != "" {
		t.Fatalf("what earlier lives have said stops it: %s", p.MustStop())
	}
	if p.told != 0 {
		t.Errorf("what earlier lives have said is told as another process, %d times", p.told)
	}
	now = now.Add(5 * time.Minute)
	for i := range 40 {
		own := p.Self().Incarnation
		p.hears(now, word(newStranger(5), "10.0.0.1:1", own+5)) // forged
		p.hears(now, word(self, "10.0.0.1:1", past.Incarnation+hearsay.Incarnation(i)))
		now = now.Add(time.Second)
		if p.MustStop() != "" {
			t.Fatalf("it stops: %s", p.MustStop())
		}
	}
	own := p.Self().Incarnation + 1000
	for i := range 40 { // of before the directory was moved; all of them come before this node can answer
		p.Begin()
		c := word(self, "10.0.0.1:1", own+hearsay.Incarnation(i))
		p.Claims(now, &core.Packet{From: self.id(), Addr: c.Card.Addr, Body: &core.News{}, Claims: []hearsay.Claim{c}})
	}
	if p.MustStop() != "" {
		t.Errorf("an earlier life's claims stop it: %s", p.MustStop())
	}
	for range 2 { // now and then a process is started on a copy by mistake, and stopped at once
		p.hears(now, word(self, "10.0.0.1:1", p.Self().Incarnation+1))
		now = now.Add(5 * time.Minute)
	}
	if p.MustStop() != "" || p.Twin(now).IsValid() {
		t.Errorf("it stops: %s; another is at %v", p.MustStop(), p.Twin(now))
	}
}

// Two that have raised the same incarnation hear of each other all the same: others keep the word that they heard
// first, so the other process raises its own when it hears that word, by a claim or by the ruling that has let it in.
// That is no round: both might count it.
func TestTwinsOfOneIncarnation(t *testing.T) {
	for name, hear := range map[string]func(p *process, now time.Time, c hearsay.Claim){
		"by a claim": (*process).hears,
		"by a ruling": func(p *process, now time.Time, c hearsay.Claim) {
			p.Begin()
			p.Admit(now, &c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newProcess("10.0.0.1:1", start), newProcess("10.0.0.2:1", start)
			for later := time.Duration(0); b.SelfClaim().Incarnation != a.SelfClaim().Incarnation; later += time.Millisecond {
				if later > time.Second {
					t.Fatal("they never raise the same incarnation")
				}
				a, b = newProcess("10.0.0.1:1", start.Add(later)), newProcess("10.0.0.2:1", start.Add(100*time.Millisecond))
			}
			was, now := a.SelfClaim(), start.Add(time.Minute)
			if hear(a, now, was); a.SelfClaim().Incarnation != was.Incarnation {
				t.Fatalf("it raises its incarnation to %d as it hears its own word", a.SelfClaim().Incarnation)
			}
			forged := b.SelfClaim()
			forged.Card.Addr = netip.MustParseAddrPort("10.0.0.3:1")
			if a.hears(now, forged); a.SelfClaim().Incarnation != was.Incarnation {
				t.Fatal("it raises its incarnation as it hears a word that nobody signed")
			}
			if hear(a, now, b.SelfClaim()); a.SelfClaim().Incarnation <= was.Incarnation || a.MustStop() != "" || a.Twin(now).IsValid() {
				t.Fatalf("of incarnation %d it hears of another of incarnation %d, and stops: %q, tells of %v", a.SelfClaim().Incarnation, was.Incarnation, a.MustStop(), a.Twin(now))
			}
			raised := a.SelfClaim().Incarnation
			if hear(a, now.Add(time.Minute), b.SelfClaim()); a.SelfClaim().Incarnation != raised {
				t.Fatal("it raises its incarnation again for a word that is old by now")
			}
		})
	}
}
