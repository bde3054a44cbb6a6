package sim

import (
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// This file is about networks of which little is left: a quorum of seeds and some
// peers. They must go on.

// mostDie is a network of so many peers of which only n1 to n5 are left at 30 s.
// 15 s later n10 comes back with an empty disk.
func mostDie(nodes int) string {
	return fmt.Sprintf("at 30s kill n6..n%d\nat 45s restart n10 fresh", nodes)
}

// When most peers have died at once, a quorum of seeds still admits a newcomer at
// once, and has all the dead out within a minute: relays that are dead cost a seed
// nothing, and what others do not answer does not keep it from casting ballots.
func TestMostPeersDie(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		nodes  int
		seeds  int
		config func(*Config)
	}{
		{"a hundred", 100, 3, nil},
		{"a hundred, five seeds", 100, 5, nil},
		{"four hundred", 400, 3, nil},
		{"a hundred, slow and with loss", 100, 3, func(c *Config) { c.Delay, c.Loss = 80*time.Millisecond, 0.1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.nodes > large(100, 400) {
				t.Skipf("takes ten seconds; set %s", largeVariable)
			}
			w := newScenario(t, c.nodes, mostDie(c.nodes), func(config *Config) {
				config.Seeds = c.seeds
				if c.config != nil {
					c.config(config)
				}
			})
			w.RunUntil(45 * time.Second)
			in := w.runsUntil(t, 5*time.Second, "the newcomer is in", func() bool { return w.hasStay(10) })
			w.runsUntil(t, 45*time.Second, "all the dead are out", func() bool { return w.ruled(hearsay.RulingRemove) == c.nodes-5 })
			t.Logf("in after %v; all out %v after they died", in, w.now-30*time.Second)
			w.convergesWithin(t, 10*time.Second)
		})
	}
}

// coversUp has a machine say that it reaches one that is dead, whenever it is asked.
func coversUp(number, dead int, from time.Duration) *twist {
	return &twist{unjudged: true, takes: func(w *World, m *machine, p *core.Packet) bool {
		victim := w.machines[dead-1].id
		answer := core.Packet{Addr: p.Addr}
		switch body := p.Body.(type) {
		case *core.WitnessReq:
			if body.Subject != victim || w.now < from {
				return true
			}
			s := hearsay.Statement{Subject: victim, Incarnation: body.Incarnation, Round: body.Round, Verdict: hearsay.VerdictReachable, At: m.clock.at.Milliseconds()}
			s.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, number, m.disks))
			answer.Body = &core.Statement{Statement: s}
		case *core.RelayReq:
			if body.Target != victim || w.now < from {
				return true
			}
			answer.Body = &core.Ack{Seq: body.Seq}
		default:
			return true
		}
		w.network.send(m, &answer)
		return false
	}}
}

// All observers of a member say that they reach it, and it is dead: the seeds see
// for themselves that it is silent, and rule so.
func TestCoverWithSeeds(t *testing.T) {
	t.Parallel()
	const killed = 20 * time.Second
	for seed := uint64(1); seed < 7; seed++ {
		w := newScenario(t, 9, "at 20s kill n1", func(c *Config) { c.Seeds, c.Seed = 3, seed })
		for number := 2; number <= 9; number++ {
			w.bend(number, coversUp(number, 1, killed))
		}
		w.RunUntil(killed + 15*time.Second)
		if !w.hasStay(1) {
			t.Fatalf("seed %d: n1 is out at once: the liars do nothing", seed)
		}
		w.runsUntil(t, 35*time.Second, "n1 is out", func() bool { return !w.hasStay(1) })
		t.Logf("seed %d: out %v after its death", seed, w.now-killed)
		if r := w.check.ledger.rulings[len(w.check.ledger.rulings)-1]; r.kind != hearsay.RulingRemove {
			t.Errorf("seed %d: the last ruling is %v", seed, r.kind)
		}
		w.convergesWithin(t, 10*time.Second)
	}
}

// A member that two of three seeds do not reach stays in, as the third does; and
// the cases about it become rare.
func TestSilentToSomeSeeds(t *testing.T) {
	t.Parallel()
	script := "at 20s cut n1 -> s1\nat 20s cut s1 -> n1\nat 20s cut n1 -> s2\nat 20s cut s2 -> n1"
	w := newScenario(t, 6, script, withSeeds(3))
	w.RunUntil(20 * time.Second)
	before := w.counts.Cases
	w.RunUntil(10 * time.Minute)
	const most = 5 * 2 * 3 // of each of two seeds, as three count them
	if cases := w.counts.Cases - before; !w.hasStay(1) || cases == 0 || cases > most {
		t.Errorf("n1 is in: %v, after %d cases as seeds count them", w.hasStay(1), cases)
	}
}
