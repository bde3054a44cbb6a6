package sim

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/testkit"
)

// liesEvery is how often a liar of these tests sends all that it can think of.
const liesEvery = 250 * time.Millisecond

// liar is a machine of which not a word is true.
type liar struct {
	number  int
	victims []int // members that it would have out
	heard   []core.Packet
	nextAt  time.Duration
	sent    int
}

// heardMost is how much a liar keeps to say again.
const heardMost = 64

// bends makes the machine lie from a time on. It hears what anybody sends.
func (l *liar) bends(w *World, from time.Duration) {
	l.nextAt = from
	w.watch = func(_ *machine, p *core.Packet) {
		again := core.Packet{From: p.From, Stream: true, Body: p.Body}
		switch body := p.Body.(type) {
		case *core.Report, *core.Depart, *core.Raft, *core.Rulings, *core.Outcome:
		case *core.Statement:
			again.Body = new(*body)
		default:
			return
		}
		if len(l.heard) < heardMost {
			l.heard = append(l.heard, again)
		} else {
			l.heard[l.sent%heardMost] = again
		}
	}
	w.bend(l.number, &twist{unjudged: true, steps: func(w *World, m *machine, e *core.Effects) {
		if w.now < l.nextAt {
			return
		}
		l.nextAt = w.now + liesEvery
		for _, p := range l.lies(w) {
			p.Stream = true
			e.Send = append(e.Send, p)
			l.sent++
		}
	}})
}

// lies are forgeries to everybody, and what was said before.
func (l *liar) lies(w *World) (lies []core.Packet) {
	own := testkit.NewSigner(w.config.Seed, l.number, 1)
	for _, victim := range l.victims {
		one := &w.machines[victim-1]
		last := w.check.ledger.last(one.id)
		if last == nil {
			continue
		}
		stay := hearsay.Stay{ID: one.id, Epoch: last.began}
		leave := core.Leave{Stay: stay}
		leave.Sign(w.check.ledger.id(), own)
		for i := range w.machines {
			to := w.machines[i].addr
			if int(w.machines[i].index) == l.number-1 {
				continue
			}
			signed := &core.Report{Stay: stay} // in its own name: that much is true
			signed.Sign(w.check.ledger.id(), testkit.NewSigner(w.config.Seed, l.number, 1))
			lies = append(lies,
				core.Packet{Addr: to, Body: signed},
				core.Packet{Addr: to, Body: &core.Report{Stay: stay, Evidence: l.evidence(w, one)}},
				core.Packet{Addr: to, Body: &core.Depart{Leave: leave}},
				core.Packet{Addr: to, From: one.id, Body: &core.Depart{Leave: leave}},
				core.Packet{Addr: to, Body: &core.Outcome{Outcome: hearsay.Outcome{Kind: hearsay.RulingRemove, Stay: stay, Code: hearsay.OutcomeDone}}},
				core.Packet{Addr: to, Body: l.ruling(w, stay)},
			)
		}
	}
	for i := range l.heard {
		again := l.heard[i]
		again.Addr = w.machines[(l.sent+i)%len(w.machines)].addr
		lies = append(lies, again)
	}
	return lies
}

// evidence is statements of all others against one, which the liar has signed.
func (l *liar) evidence(w *World, one *machine) *hearsay.Evidence {
	e := &hearsay.Evidence{
		Subject: one.id, Incarnation: w.check.identities[one.identity].claimed, Round: hearsay.Round(l.sent + 1), Rule: hearsay.RuleMajority, Accuser: w.machines[l.number-1].id,
	}
	own := testkit.NewSigner(w.config.Seed, l.number, 1)
	for i := range w.config.Nodes {
		s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable}
		s.Sign(w.check.ledger.id(), own)
		if s.Observer = w.machines[i].id; s.Observer != e.Subject {
			e.Statements = append(e.Statements, s)
		}
	}
	e.Observers, e.Needed = uint8(len(e.Statements)), uint8(len(e.Statements)/2+1)
	return e
}

// ruling is one that nobody has ruled, with ballots and heads in the names of
// all seeds.
func (l *liar) ruling(w *World, stay hearsay.Stay) *core.Rulings {
	ruled := &w.check.ledger
	own := testkit.NewSigner(w.config.Seed, l.number, 1)
	r := &hearsay.Ruling{Epoch: ruled.epoch() + 1, Kind: hearsay.RulingRemove, Stay: stay, Case: 1 << 40, Rule: hearsay.RuleTrial}
	r.Previous = ruled.rulings[len(ruled.rulings)-1].hash
	news := &core.Rulings{}
	for slot := range w.config.Seeds {
		b := hearsay.Ballot{Case: r.Case, About: r.About(w.id), Stay: stay, Slot: uint8(slot), Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		b.Sign(w.check.ledger.id(), own)
		r.Ballots = append(r.Ballots, b)
	}
	for slot := range w.config.Seeds {
		h := hearsay.Head{Founding: ruled.began, Epoch: r.Epoch, Hash: r.Hash(w.id), Slot: uint8(slot)}
		h.Sign(w.id, own)
		news.Heads = append(news.Heads, h)
	}
	news.Items = append(news.Items, r)
	return news
}

// Whatever one member forges, and sends again of what others have sent: nobody
// is out of it, nobody is in, and those who really go and come do.
func TestForgeriesMoveNobody(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 7, `
at 10s leave n5
at 14s restart n5
at 20s kill n6`, func(c *Config) { c.Seeds, c.NoFalseDeath = 3, true })
	l := &liar{number: 7, victims: []int{1, 2, 5}}
	l.bends(w, 9*time.Second)
	w.RunUntil(45 * time.Second)
	leaves, removals := w.ruled(hearsay.RulingLeave), w.ruled(hearsay.RulingRemove)
	if leaves != 1 || removals != 1 || w.counts.Aborts == 0 || l.sent < 1000 {
		t.Errorf("%d leaves, %d removals, %d cases in vain, %d lies", leaves, removals, w.counts.Aborts, l.sent)
	}
	w.convergesWithin(t, 10*time.Second)
}

// A seed that always votes yes: it hears no answer of anybody.
func TestSeedThatAlwaysVotesYes(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 6, "", func(c *Config) { c.Seeds, c.NoFalseDeath = 3, true })
	w.bend(7, &twist{unjudged: true, takes: func(w *World, _ *machine, p *core.Packet) bool {
		_, answer := p.Body.(*core.Ack)
		return !answer || w.now < 9*time.Second
	}})
	(&liar{number: 6, victims: []int{1, 2}}).bends(w, 9*time.Second)
	w.RunUntil(60 * time.Second)
	if n := w.ruled(hearsay.RulingRemove); n > 0 || w.counts.Aborts == 0 {
		t.Errorf("%d are out, %d cases in vain", n, w.counts.Aborts)
	}
}

// asksNobody has a machine ask no relay, and say that it reaches nobody.
func asksNobody(w *World, m *machine, e *core.Effects) {
	e.Now = slices.DeleteFunc(e.Now, func(p core.Packet) bool { _, is := p.Body.(*core.RelayReq); return is })
	signUnreachable(w, m, e)
}

// As many observers as do not decide lie about one that lives.
func TestLyingObserversWithSeeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		w := newScenario(t, 10, "", func(c *Config) { c.Seeds, c.Seed, c.NoFalseDeath = 3, seed+1, true })
		victim := w.machines[0].addr
		for number := 7; number <= 10; number++ { // of nine observers
			w.bend(number, &twist{unjudged: true, steps: asksNobody, takes: func(w *World, _ *machine, p *core.Packet) bool {
				return w.now < 10*time.Second || p.Addr != victim
			}})
		}
		w.RunUntil(60 * time.Second)
		if n := w.ruled(hearsay.RulingRemove); n > 0 || w.counts.Suspicions == 0 {
			t.Errorf("seed %d: %d are out, after %d suspicions", seed+1, n, w.counts.Suspicions)
		}
		if state := w.stateAt(2, 1); state != hearsay.StateAlive && state != hearsay.StateSuspect {
			t.Errorf("seed %d: n1 is %s", seed+1, state)
		}
	}
}
