package roster_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/roster"
)

// What an accuser makes of its round.

// round is one that the roster under test has opened.
type round struct {
	*bench
	of        *stranger
	number    hearsay.Round
	observers []*stranger // but for the node under test
	strangers []*stranger // members that are no observers
}

// accuse lets the detector have found one unreachable.
func (b *bench) accuse(of *stranger) *round {
	b.Helper()
	b.out.Reset()
	b.Begin()
	b.Unreachable(b.now, of.id())
	return b.roundOf(of, b.out)
}

// roundOf finds the round against one that was opened.
func (b *bench) roundOf(of *stranger, out *core.Effects) *round {
	b.Helper()
	r := &round{bench: b, of: of}
	for _, e := range out.Events {
		if e.Kind == hearsay.EventRoundOpened && e.Subject == of.id() {
			r.number = e.Round
		}
	}
	if r.number == 0 {
		b.Fatal("no round was opened")
	}
	for _, o := range b.others {
		asked := slices.ContainsFunc(out.Now, func(p core.Packet) bool {
			request, ok := p.Body.(*core.WitnessReq)
			return ok && p.Addr == o.addr && request.Round == r.number
		})
		switch {
		case asked:
			r.observers = append(r.observers, o)
		case o != of:
			r.strangers = append(r.strangers, o)
		}
	}
	return r
}

func (r *round) statement(by *stranger, verdict hearsay.Verdict) hearsay.Statement {
	e := &hearsay.Evidence{Subject: r.of.id(), Incarnation: r.of.incarnation, Round: r.number}
	return by.state(e, verdict)
}

// say gives the roster one observer's statement, and tells what it decides.
func (r *round) say(by *stranger, verdict hearsay.Verdict) hearsay.EventKind {
	s := r.statement(by, verdict)
	return r.take(&s)
}

func (r *round) take(s *hearsay.Statement) hearsay.EventKind {
	r.out.Reset()
	r.Begin()
	r.Statement(r.now, s)
	return decision(r.out)
}

func decision(out *core.Effects) hearsay.EventKind {
	for _, e := range out.Events {
		if e.Kind == hearsay.EventCondemned || e.Kind == hearsay.EventCleared {
			return e.Kind
		}
	}
	return 0
}

// Twelve others: nine observers, of which five condemn and five clear.
func TestRoundIsDecidedByMajority(t *testing.T) {
	for verdict, want := range map[hearsay.Verdict]hearsay.EventKind{
		hearsay.VerdictUnreachable: hearsay.EventCondemned,
		hearsay.VerdictReachable:   hearsay.EventCleared,
		hearsay.VerdictAbstains:    0,
	} {
		r := newBench(t, 12).accuse(newStranger(1))
		if n := len(r.observers); n < 8 {
			t.Fatalf("asks %d observers", n)
		}
		for i, o := range r.observers[:8] {
			got := r.say(o, verdict)
			if i < 4 && got != 0 || i == 4 && got != want {
				t.Errorf("%v by %d observers: %v", verdict, i+1, got)
			}
			if got != 0 {
				break
			}
		}
	}
}

func TestRoundCountsWhatObserversSigned(t *testing.T) {
	r := newBench(t, 12).accuse(newStranger(1))
	if len(r.strangers) == 0 {
		t.Fatal("everybody is an observer")
	}
	for range 9 {
		r.say(r.strangers[0], hearsay.VerdictUnreachable)
	}
	r.wantDrop(hearsay.DropStranger, 9)
	for name, spoil := range map[string]func(*hearsay.Statement){
		"forged":                 func(s *hearsay.Statement) { s.Signature[3]++ },
		"of another round":       func(s *hearsay.Statement) { s.Round++ },
		"of another incarnation": func(s *hearsay.Statement) { s.Incarnation++ },
		"about another":          func(s *hearsay.Statement) { s.Subject = r.observers[0].id() },
	} {
		for _, o := range r.observers {
			s := r.statement(o, hearsay.VerdictUnreachable)
			if spoil(&s); r.take(&s) != 0 {
				t.Fatalf("decided by statements that are %s", name)
			}
		}
	}
	for range 9 {
		if r.say(r.observers[0], hearsay.VerdictUnreachable) != 0 {
			t.Fatal("decided by one observer")
		}
	}
}

// In a partition only two observers are on this side: first nobody may decide,
// and when the suspicion has run out they do, unless one reaches the subject.
func TestSuspicionRunsOut(t *testing.T) {
	for name, c := range map[string]struct {
		reachable bool
		confirmed int
		fromMin   time.Duration
		fromMax   time.Duration
	}{
		"alone":          {false, 0, 12 * time.Second, 16 * time.Second},
		"confirmed":      {false, 3, 4 * time.Second, 7 * time.Second},
		"reached by one": {true, 0, 0, 0},
	} {
		b := newBench(t, 12)
		m := b.others[0]
		r := b.accuse(m)
		for _, o := range r.observers[:c.confirmed] {
			b.hear(o, suspect(m, o))
		}
		var took time.Duration
		for began := b.now; took == 0 && b.now.Sub(began) < time.Minute; {
			if r.number != 0 {
				r.say(r.observers[0], hearsay.VerdictUnreachable)
				r.say(r.observers[1], hearsay.VerdictUnreachable)
				if c.reachable {
					r.say(r.observers[2], hearsay.VerdictReachable)
				}
			}
			out := b.pass(100 * time.Millisecond)
			r.number = 0
			for _, e := range out.Events {
				switch e.Kind {
				case hearsay.EventRoundOpened:
					r = b.roundOf(m, out)
				case hearsay.EventCondemned:
					took = b.now.Sub(began)
				}
			}
		}
		if took < c.fromMin || took > c.fromMax {
			t.Errorf("%s: condemned after %v, want %v to %v", name, took, c.fromMin, c.fromMax)
		}
	}
}

func TestRoundsGrowRareWhenNobodyMayDecide(t *testing.T) {
	b := newBench(t, 12)
	b.accuse(b.others[0])
	if n := opened(b.pass(12 * time.Second)); n < 4 || n > 6 {
		t.Errorf("%d rounds in 12 s, want one every two", n)
	}
	b.pass(10 * time.Second)
	if n := opened(b.pass(60 * time.Second)); n < 4 || n > 6 {
		t.Errorf("%d rounds in a minute, long after the suspicion has run out; want one every twelve seconds", n)
	}
}

func opened(out *core.Effects) (n int) {
	for _, e := range out.Events {
		if e.Kind == hearsay.EventRoundOpened {
			n++
		}
	}
	return n
}

func TestSuspicionGrowsNoOlderWhilePaused(t *testing.T) {
	b := newBench(t, 12)
	b.accuse(b.others[0])
	b.now = b.now.Add(time.Hour)
	b.Postpone(b.now, time.Hour)
	if n := opened(b.pass(10 * time.Second)); n < 4 {
		t.Errorf("%d rounds in 10 s: the suspicion ran out in the pause", n)
	}
}

func TestThreeClearedCostTrust(t *testing.T) {
	b := newBench(t, 12)
	for i, m := range []int{0, 0, 1, 2} {
		r := b.accuse(b.others[m])
		for _, o := range r.observers {
			if r.say(o, hearsay.VerdictReachable) == hearsay.EventCleared {
				break
			}
		}
		if got, want := b.TakeWrong(), i == 3; got != want {
			t.Errorf("after %d clearings: %v", i+1, got)
		}
	}
}

// When a suspicion runs out with fewer statements than an open network needs, the
// seeds are told all the same, as they look for themselves; but not if an observer
// reaches the subject. An open network waits.
func TestTimeoutWithFewStatements(t *testing.T) {
	for name, c := range map[string]struct {
		seeded    bool
		verdict   hearsay.Verdict // of this node, the only observer that answers; zero: it does not either
		condemned bool
	}{
		"seeded, nobody answers": {true, 0, true},
		"seeded, one against":    {true, hearsay.VerdictUnreachable, true},
		"seeded, one abstains":   {true, hearsay.VerdictAbstains, true},
		"seeded, one reaches it": {true, hearsay.VerdictReachable, false},
		"open, nobody answers":   {false, 0, false},
		"open, one against":      {false, hearsay.VerdictUnreachable, false},
		"open, one reaches it":   {false, hearsay.VerdictReachable, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 4)
			if c.seeded {
				b.Follow(func(hearsay.NodeID) hearsay.Role { return hearsay.RolePeer }, func() hearsay.LedgerID { return hearsay.LedgerID{Network: network} }, nil)
			}
			dead := b.others[0]
			b.Begin()
			b.Unreachable(b.now, dead.id())
			var condemned *hearsay.Event
			for end := b.now.Add(time.Minute); b.now.Before(end) && condemned == nil; {
				for _, e := range append(slices.Clone(b.out.Events), b.pass(100*time.Millisecond).Events...) {
					if e.Kind == hearsay.EventAsked && c.verdict != 0 {
						b.Examined(b.now, dead.id(), e.Round, c.verdict)
					}
					if e.Kind == hearsay.EventCondemned {
						condemned = &e
					}
				}
			}
			if (condemned != nil) != c.condemned {
				t.Fatalf("condemned: %+v", condemned)
			}
			if condemned == nil {
				return
			}
			e, took := condemned.Evidence, b.now.Sub(start)
			want := 0
			if c.verdict == hearsay.VerdictUnreachable {
				want = 1
			}
			if e.Rule != hearsay.RuleTimeout || e.Against() != want || e.Observers != 4 || e.Needed != 3 || took < 4*time.Second || took > 6*time.Second {
				t.Errorf("after %v: %+v", took, e)
			}
		})
	}
}

// Who holds a suspicion by the word of others tells its subject, once it has
// lasted for as long as any does: an accuser that is unwell may have freed it for
// itself alone.
func TestLingeringSuspicionIsToldToItsSubject(t *testing.T) {
	b := newBench(t, 12)
	suspect, accuser := b.others[0], b.others[1]
	claim := suspect.word(hearsay.StateSuspect)
	claim.By, claim.Card = accuser.id(), hearsay.Card{}
	b.hear(accuser, claim)
	b.want(suspect, hearsay.StateSuspect)

	cfg := roster.DefaultConfig()
	longest := time.Duration(float64(cfg.SuspicionMin)*math.Log10(13)) * time.Duration(cfg.SuspicionMax)
	told := func(during time.Duration) (n int) {
		for _, p := range b.pass(during).Send {
			for _, c := range p.Claims {
				if p.Addr == suspect.addr && c.Subject == suspect.id() && c.State == hearsay.StateSuspect {
					n++
				}
			}
		}
		return n
	}
	told(2 * time.Second) // as news, by chance
	if n := told(longest - 3*time.Second); n != 0 {
		t.Errorf("told %d times before the suspicion has run out, want 0", n)
	}
	if n := told(2 * time.Second); n != 1 {
		t.Errorf("told %d times when the suspicion has run out, want 1", n)
	}
	if n := told(longest); n != 1 {
		t.Errorf("told %d times after as long again, want 1", n)
	}
	suspect.incarnation++
	b.hear(suspect, suspect.word(hearsay.StateAlive))
	b.want(suspect, hearsay.StateAlive)
	if n := told(2 * longest); n != 0 {
		t.Errorf("told %d times after it has refuted, want 0", n)
	}
}

// The suspect is probed out of turn besides, when the suspicion has lasted for as
// long as any does, and again after as long: if all others have buried it, nothing that
// they send may end the suspicion here.
func TestLingeringSuspectIsOverdue(t *testing.T) {
	b := newBench(t, 12)
	accuser := b.others[0]
	for i := range 2 {
		claim := b.others[1+i].word(hearsay.StateSuspect)
		claim.By, claim.Card = accuser.id(), hearsay.Card{}
		b.hear(accuser, claim)
		b.pass(time.Second)
	}
	overdue := func(want ...hearsay.NodeID) {
		t.Helper()
		for _, id := range append(want, hearsay.NodeID{}) {
			if got, ok := b.Overdue(b.now); got != id || ok == id.IsZero() {
				t.Fatalf("after %v %v is overdue (%v), want %v", b.now.Sub(start), got.Short(), ok, id.Short())
			}
		}
	}
	cfg := roster.DefaultConfig()
	longest := time.Duration(float64(cfg.SuspicionMin)*math.Log10(13)) * time.Duration(cfg.SuspicionMax)
	overdue()
	b.pass(longest - 2*time.Second)
	overdue(b.others[1].id())
	b.pass(time.Second)
	overdue(b.others[2].id())
	b.pass(longest)
	overdue(b.others[1].id(), b.others[2].id())
	b.Answered(b.now, b.others[1].id())
	b.pass(longest)
	overdue(b.others[2].id())
}
