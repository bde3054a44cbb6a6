package roster_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/quota"
	"hearsay/ring"
	"hearsay/roster"
)

var (
	network = hearsay.NetworkIDOf("test")
	start   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// stranger is somebody with a key who speaks to the roster under test.
type stranger struct {
	*hearsay.Identity
	name        string
	addr        netip.AddrPort
	incarnation hearsay.Incarnation
}

func newStranger(i int) *stranger {
	return &stranger{
		Identity: hearsay.NewIdentity([32]byte{byte(i), byte(i >> 8), 1}), name: fmt.Sprintf("n%d", i),
		addr:        netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946),
		incarnation: hearsay.Incarnation(start.UnixMilli()),
	}
}

func (s *stranger) id() hearsay.NodeID { return s.Public().NodeID() }

// word is its own signed claim.
func (s *stranger) word(state hearsay.State) hearsay.Claim {
	c := hearsay.Claim{State: state, Incarnation: s.incarnation, Card: hearsay.Card{Name: s.name, Addr: s.addr, Role: hearsay.RolePeer}}
	c.Sign(network, s)
	return c
}

func (s *stranger) state(e *hearsay.Evidence, verdict hearsay.Verdict) hearsay.Statement {
	statement := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: verdict, At: 1}
	statement.Sign(hearsay.LedgerID{Network: network}, s)
	return statement
}

// bench is a roster under test with the members it knows.
type bench struct {
	*testing.T
	*roster.Roster
	out    *core.Effects
	stats  hearsay.Stats
	now    time.Time
	others []*stranger
}

func newBench(t *testing.T, others int) *bench { return newBenchOf(t, others, newStranger(0)) }

// newBenchOf is the roster of stranger 0, who signs by another signer and has
// lived before.
func newBenchOf(t *testing.T, others int, signer hearsay.Signer, records ...core.Record) *bench {
	b := &bench{T: t, out: &core.Effects{}, now: start}
	self := newStranger(0)
	card := hearsay.Card{Name: self.name, Addr: self.addr, Role: hearsay.RolePeer}
	cfg := roster.DefaultConfig()
	b.Roster = roster.New(&cfg, network, card, roster.NewCards(1), signer, rand.New(rand.NewPCG(1, 2)), records, &b.stats, b.out, b.now)
	b.TellApart(func(p *core.Packet) quota.Sender {
		if addr, listed := b.Addr(p.From); listed && addr == p.Addr {
			return quota.Sender{Class: quota.Member, Addr: addr}
		}
		return quota.Sender{Addr: p.Addr}
	})
	for i := range others {
		b.others = append(b.others, newStranger(i+1))
		b.hear(b.others[i], b.others[i].word(hearsay.StateAlive))
	}
	return b
}

// hear gives the roster claims from somebody. Their subjects answer at
// once where they say that they are.
func (b *bench) hear(from *stranger, claims ...hearsay.Claim) *core.Effects {
	b.hint(from, claims...)
	b.AnswerHints(b.now)
	return b.out
}

// hint is hear, but nobody answers.
func (b *bench) hint(from *stranger, claims ...hearsay.Claim) *core.Effects {
	b.out.Reset()
	b.Begin()
	p := &core.Packet{From: from.id(), Addr: from.addr, Body: &core.News{}, Claims: claims}
	b.Claims(b.now, p)
	return b.out
}

// pass lets time pass in small steps, and returns all packets and events.
func (b *bench) pass(d time.Duration) *core.Effects {
	all := &core.Effects{}
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(10 * time.Millisecond) {
		b.out.Reset()
		b.Begin()
		b.Tick(b.now)
		all.Now, all.Send, all.Events = append(all.Now, kept(b.out.Now)...), append(all.Send, kept(b.out.Send)...), append(all.Events, b.out.Events...)
	}
	return all
}

// kept copies of packets what is void after the next step.
func kept(packets []core.Packet) []core.Packet {
	packets = slices.Clone(packets)
	for i := range packets {
		p := &packets[i]
		p.Claims = slices.Clone(p.Claims)
		if ping, ok := p.Body.(*core.Ping); ok {
			copied := *ping
			p.Body = &copied
		}
	}
	return packets
}

func (b *bench) want(of *stranger, state hearsay.State) {
	b.Helper()
	m, known := b.Member(of.id())
	if !known || m.State != state {
		b.Errorf("%s is %v (known: %v), want %v", of.name, m.State, known, state)
	}
}

func (b *bench) wantDrop(reason hearsay.Drop, n uint64) {
	b.Helper()
	if b.stats.Drops[reason] != n {
		b.Errorf("%d dropped as %v, want %d", b.stats.Drops[reason], reason, n)
	}
}

func suspect(of, by *stranger) hearsay.Claim {
	return hearsay.Claim{Subject: of.id(), State: hearsay.StateSuspect, Incarnation: of.incarnation, By: by.id()}
}

// evidence is against of, by those of its observers that say so.
func (b *bench) evidence(of *stranger, rule hearsay.Rule, verdict func(i int) hearsay.Verdict) *hearsay.Evidence {
	ids := []hearsay.NodeID{newStranger(0).id()}
	byID := map[hearsay.NodeID]*stranger{ids[0]: newStranger(0)}
	for _, o := range b.others {
		ids, byID[o.id()] = append(ids, o.id()), o
	}
	observers := ring.Observers(nil, of.id(), ring.Of(ids), min(9, len(ids)-1))
	e := &hearsay.Evidence{
		Subject: of.id(), Incarnation: of.incarnation, Round: 77, Rule: rule, Accuser: b.others[0].id(),
		Observers: uint8(len(observers)), Needed: uint8(len(observers)/2 + 1),
	}
	for i, id := range observers {
		if v := verdict(i); v != 0 {
			e.Statements = append(e.Statements, byID[id].state(e, v))
		}
	}
	return e
}

// dead claims a death, and hands its evidence over when asked.
func (b *bench) dead(of, from *stranger, e *hearsay.Evidence) {
	b.hear(from, hearsay.Claim{Subject: of.id(), State: hearsay.StateDead, Incarnation: of.incarnation, By: from.id(), Evidence: e.Hash(network)})
	asked := slices.ContainsFunc(b.out.Now, func(p core.Packet) bool {
		m, ok := p.Body.(*core.EvidenceReq)
		return ok && m.Hash == e.Hash(network)
	})
	if !asked {
		b.Fatal("the evidence was not asked for")
	}
	b.out.Reset()
	b.TakeEvidence(b.now, e)
}

func all(v hearsay.Verdict) func(int) hearsay.Verdict {
	return func(int) hearsay.Verdict { return v }
}

func first(n int, v hearsay.Verdict) func(int) hearsay.Verdict {
	return func(i int) hearsay.Verdict {
		if i < n {
			return v
		}
		return 0
	}
}

func TestOwnWordIsVerified(t *testing.T) {
	b := newBench(t, 2)
	mallory, victim := newStranger(9), b.others[1]

	forged := victim.word(hearsay.StateAlive)
	forged.Incarnation++
	b.hear(mallory, forged)
	left := victim.word(hearsay.StateAlive)
	left.State = hearsay.StateLeft
	b.hear(mallory, left)
	b.wantDrop(hearsay.DropBadSignature, 2)
	b.want(victim, hearsay.StateAlive)

	mallory.incarnation = hearsay.MaxIncarnation + 1
	b.hear(mallory, mallory.word(hearsay.StateAlive))
	b.wantDrop(hearsay.DropFarFuture, 1)

	b.hear(mallory, hearsay.Claim{Subject: mallory.id(), State: hearsay.StateSuspect, By: victim.id()})
	b.wantDrop(hearsay.DropStranger, 1)
	if b.Living() != 3 {
		t.Errorf("%d living, want 3", b.Living())
	}
}

// A word of this node's own key with the highest incarnation is not refuted: nothing that others believe is beyond it.
func TestHighestOwnWordIsNotRefuted(t *testing.T) {
	b := newBench(t, 2)
	own, was := newStranger(0), b.SelfClaim().Incarnation
	own.incarnation = hearsay.MaxIncarnation
	b.hear(b.others[0], own.word(hearsay.StateAlive))
	b.wantDrop(hearsay.DropFarFuture, 1)
	b.pass(time.Minute)
	if is := b.SelfClaim().Incarnation; is != was {
		t.Errorf("its incarnation is %d, was %d", is, was)
	}
}

// The clock of one of two nodes is wrong, and neither can tell which. So a word counts whatever time its
// incarnation is.
func TestIncarnationIsNoTime(t *testing.T) {
	b := newBench(t, 1)
	m, early := b.others[0], newStranger(9)
	m.incarnation = hearsay.Incarnation(start.Add(30 * 24 * time.Hour).UnixMilli())
	early.incarnation = 1
	for range 2 {
		m.incarnation++
		b.hear(m, m.word(hearsay.StateAlive))
		b.hear(early, early.word(hearsay.StateAlive))
	}
	for _, one := range []*stranger{m, early} {
		if got, _ := b.Member(one.id()); got.Incarnation != one.incarnation {
			t.Errorf("%s is listed with incarnation %d, want %d", one.name, got.Incarnation, one.incarnation)
		}
	}
}

// A node hears a word of its own key that is days ahead of its clock: its disk was put back, and its clock right. It
// goes beyond that, else all others would follow the other word for ever.
func TestRefutesOwnWordFromDaysAhead(t *testing.T) {
	b := newBench(t, 1)
	own := newStranger(0)
	own.incarnation = hearsay.Incarnation(start.Add(72 * time.Hour).UnixMilli())
	b.hear(b.others[0], own.word(hearsay.StateAlive))
	if self, _ := b.Member(own.id()); self.Incarnation <= own.incarnation {
		t.Errorf("its incarnation is %d, and others hold %d", self.Incarnation, own.incarnation)
	}
}

// Nor does it stop as one of two, if somebody has kept many such words and sends them one after the other.
func TestKeptWordsFromDaysAheadStopNobody(t *testing.T) {
	for ahead, stops := range map[time.Duration]bool{72 * time.Hour: false, time.Minute: true} {
		b := newBench(t, 1)
		own := newStranger(0)
		for range 20 {
			own.incarnation = hearsay.Incarnation(b.now.Add(ahead).UnixMilli())
			b.hear(b.others[0], own.word(hearsay.StateAlive))
			b.pass(700 * time.Millisecond)
		}
		if doomed := b.MustStop(); (doomed != "") != stops {
			t.Errorf("after words from %v ahead it stops: %q", ahead, doomed)
		}
		if self, _ := b.Member(own.id()); !stops && self.Incarnation <= own.incarnation {
			t.Errorf("its incarnation is %d, and others hold %d", self.Incarnation, own.incarnation)
		}
	}
}

func TestMovedLeftAndReturned(t *testing.T) {
	b := newBench(t, 2)
	m := b.others[0]
	old := m.word(hearsay.StateAlive)
	m.incarnation++
	m.addr = netip.MustParseAddrPort("10.9.9.9:1")
	b.hear(m, m.word(hearsay.StateAlive))
	if addr, _ := b.Addr(m.id()); addr != m.addr {
		t.Errorf("reached at %v, want %v", addr, m.addr)
	}
	hash := b.Hash()
	b.hear(b.others[1], old)
	if b.Hash() != hash {
		t.Error("an old word changed the roster")
	}
	b.hear(b.others[1], m.word(hearsay.StateLeft))
	b.want(m, hearsay.StateLeft)
	b.hear(b.others[1], m.word(hearsay.StateAlive))
	b.want(m, hearsay.StateLeft) // this incarnation is over
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	b.want(m, hearsay.StateAlive)
}

func TestSuspicionIsReversible(t *testing.T) {
	b := newBench(t, 3)
	m, by := b.others[0], b.others[1]
	b.hear(by, suspect(m, by))
	b.want(m, hearsay.StateSuspect)
	b.Answered(b.now, m.id())
	b.want(m, hearsay.StateAlive)
	b.hear(by, suspect(m, by))
	b.want(m, hearsay.StateAlive) // the same accuser, the same incarnation: known to be wrong here
	b.hear(b.others[2], suspect(m, b.others[2]))
	b.want(m, hearsay.StateSuspect)
	m.incarnation++
	b.hear(by, m.word(hearsay.StateAlive))
	b.want(m, hearsay.StateAlive)
	b.hear(by, suspect(newStranger(1), by)) // of the incarnation before
	b.want(m, hearsay.StateAlive)
}

func TestOneLieBuriesNobody(t *testing.T) {
	b := newBench(t, 12)
	m, liar := b.others[0], b.others[1]
	b.hear(liar, suspect(m, liar))
	genuine := b.evidence(m, hearsay.RuleMajority, first(5, hearsay.VerdictUnreachable))
	for name, spoil := range map[string]func(e *hearsay.Evidence){
		"too few":            func(e *hearsay.Evidence) { e.Statements = e.Statements[:4] },
		"none":               func(e *hearsay.Evidence) { e.Statements, e.Needed = nil, 0 },
		"one repeated":       func(e *hearsay.Evidence) { e.Statements[1] = e.Statements[0] },
		"forged verdicts":    func(e *hearsay.Evidence) { e.Statements[0].Signature[5]++ },
		"another round":      func(e *hearsay.Evidence) { e.Round++ },
		"short, one against": func(e *hearsay.Evidence) { e.Rule, e.Statements = hearsay.RuleTimeout, e.Statements[:1] },
		"abstaining":         func(e *hearsay.Evidence) { *e = *b.evidence(m, e.Rule, all(hearsay.VerdictAbstains)) },
		"by no observers": func(e *hearsay.Evidence) {
			for i := range e.Statements {
				e.Statements[i] = newStranger(100+i).state(e, hearsay.VerdictUnreachable)
			}
		},
		"short, reached": func(e *hearsay.Evidence) {
			*e = *b.evidence(m, hearsay.RuleTimeout, func(i int) hearsay.Verdict { return hearsay.VerdictUnreachable - hearsay.Verdict(i&1) })
		},
	} {
		e := *genuine
		e.Statements = slices.Clone(genuine.Statements)
		spoil(&e)
		b.dead(m, liar, &e)
		if s, _ := b.Member(m.id()); s.State != hearsay.StateSuspect {
			t.Fatalf("%s: %v", name, s.State)
		}
		b.pass(6 * time.Second) // the claim is let go
	}
	b.wantDrop(hearsay.DropUnproven, 9)
	b.dead(m, liar, genuine)
	b.want(m, hearsay.StateDead)
}

func TestTimeoutRuleNeedsTwo(t *testing.T) {
	b := newBench(t, 12)
	m := b.others[0]
	b.hear(b.others[1], suspect(m, b.others[1]))
	b.dead(m, b.others[1], b.evidence(m, hearsay.RuleTimeout, first(2, hearsay.VerdictUnreachable)))
	b.pass(5 * time.Second)
	b.want(m, hearsay.StateDead)
}

// Whatever is gone here, and is dead at a newer incarnation for another, stays gone: nobody says that it lives.
func TestNewerDeathOfTheDeadRevivesNobody(t *testing.T) {
	b := newBench(t, 12)
	m, left, from := b.others[0], b.others[1], b.others[2]
	b.hear(from, suspect(m, from))
	b.dead(m, from, b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable)))
	b.hear(left, left.word(hearsay.StateLeft))
	for _, gone := range []*stranger{m, left} {
		gone.incarnation++
		claim := gone.word(hearsay.StateDead)
		claim.By, claim.Evidence = from.id(), hearsay.Hash{1}
		for _, e := range b.hear(from, claim).Events {
			t.Errorf("it tells %v", e)
		}
		b.want(gone, hearsay.StateDead)
		if one, _ := b.Member(gone.id()); one.Incarnation != gone.incarnation {
			t.Errorf("held at incarnation %d, want %d", one.Incarnation, gone.incarnation)
		}
		gone.incarnation++
		b.hear(gone, gone.word(hearsay.StateAlive))
		b.want(gone, hearsay.StateAlive)
	}
}

func TestSurprisingDeathIsToldToItsSubjectFirst(t *testing.T) {
	b := newBench(t, 12)
	m, from := b.others[0], b.others[1]
	e := b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	claim := hearsay.Claim{Subject: m.id(), State: hearsay.StateDead, Incarnation: m.incarnation, By: from.id(), Evidence: e.Hash(network)}
	told := slices.ContainsFunc(b.hear(from, claim).Send, func(p core.Packet) bool {
		return p.Addr == m.addr && len(p.Claims) == 1 && p.Claims[0].State == hearsay.StateDead
	})
	if !told {
		t.Fatal("its subject was not told")
	}
	b.pass(1900 * time.Millisecond)
	b.want(m, hearsay.StateAlive)
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	b.pass(5 * time.Second)
	b.want(m, hearsay.StateAlive)
}

func TestRefutesAtABoundedRate(t *testing.T) {
	b := newBench(t, 2)
	self := newStranger(0)
	for range 100 { // one second of forged suspicions of every incarnation
		self.incarnation = b.Self().Incarnation
		b.hear(b.others[0], suspect(self, b.others[1]))
		b.pass(10 * time.Millisecond)
	}
	if refuted := int(b.stats.Refutations); refuted < 4 || refuted > 6 {
		t.Errorf("refuted %d times in a second, want about 5", refuted)
	}
	b.want(self, hearsay.StateAlive)
}

func TestRefutationIsDurableBeforeItIsTold(t *testing.T) {
	b := newBench(t, 2)
	self := newStranger(0)
	self.incarnation = b.Self().Incarnation
	out := b.hear(b.others[0], suspect(self, b.others[1]))
	if len(out.Persist) != 1 || out.Persist[0].(*core.OwnIncarnation).Incarnation != b.Self().Incarnation {
		t.Fatalf("persists %v", out.Persist)
	}
	for _, p := range out.Now {
		for _, c := range p.Claims {
			if c.Subject == self.id() {
				t.Error("tells its new incarnation without waiting for the disk")
			}
		}
	}
	if len(out.Send) != 1 || out.Send[0].Addr != b.others[0].addr || out.Send[0].Claims[0].Incarnation != b.Self().Incarnation {
		t.Errorf("the accuser is not told: %+v", out.Send)
	}
}

func TestForgetsTheDeadAndBelievesOnlyThemselves(t *testing.T) {
	b := newBench(t, 12)
	m, from := b.others[0], b.others[1]
	b.hear(from, suspect(m, from))
	b.dead(m, from, b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable)))
	if b.Remembered() == 0 {
		t.Error("nothing is remembered of the dead: the check below proves nothing")
	}
	b.now = b.now.Add(25 * time.Hour)
	b.pass(time.Second)
	if _, known := b.Member(m.id()); known {
		t.Fatal("still listed after 25 hours")
	}
	if n := b.Remembered(); n > 0 {
		t.Errorf("%d things are remembered of it, for the one that gets its number", n)
	}
	b.hear(from, m.word(hearsay.StateAlive))
	if _, known := b.Member(m.id()); known {
		t.Error("back by another's old word")
	}
	b.hear(m, m.word(hearsay.StateAlive))
	b.want(m, hearsay.StateAlive)
}

func TestTwoOfOneName(t *testing.T) {
	b := newBench(t, 2)
	double := newStranger(50)
	double.name = b.others[0].name
	out := b.hear(double, double.word(hearsay.StateAlive))
	if !slices.ContainsFunc(out.Events, func(e hearsay.Event) bool { return e.Kind == hearsay.EventNameConflict }) {
		t.Error("the conflict is not reported")
	}
	one, other := b.others[0], double
	if double.id().Compare(one.id()) < 0 {
		one, other = double, one
	}
	want := fmt.Sprintf("2 living members are called %s: %s at %v, %s at %v;", double.name, one.id().Short(), one.addr, other.id().Short(), other.addr)
	for _, e := range out.Events {
		if e.Kind == hearsay.EventNameConflict && !strings.Contains(e.Text, want) {
			t.Errorf("says %q, want %q", e.Text, want)
		}
	}
	if text := b.Namesakes(); !strings.Contains(text, want) {
		t.Errorf("both are listed, and it says %q", text)
	}
	if b.Living() != 4 {
		t.Errorf("%d living: they are not told apart", b.Living())
	}
	b.hear(double, double.word(hearsay.StateLeft))
	if text := b.Namesakes(); text != "" {
		t.Errorf("one has left, and it says %q", text)
	}
}

func TestExchangeBringsOnlyWhatDiffers(t *testing.T) {
	a, b := newBench(t, 40), newBench(t, 40)
	extra := newStranger(200)
	a.hear(a.others[0], extra.word(hearsay.StateAlive))
	a.pass(2 * time.Second)
	b.now = a.now
	sent := map[string]int{}
	from := newStranger(1) // both take the other for this member
	carry := func(p core.Packet) core.Packet {
		p.From, p.Addr = from.id(), from.addr
		p.Claims = slices.DeleteFunc(slices.Clone(p.Claims), func(c hearsay.Claim) bool { return c.Subject == newStranger(0).id() })
		sent[fmt.Sprintf("%T", p.Body)] += len(p.Claims)
		return p
	}
	step := func(r *bench, do func()) core.Packet {
		r.out.Reset()
		r.Begin()
		do()
		if len(r.out.Send) != 1 {
			t.Fatalf("sends %d packets", len(r.out.Send))
		}
		return carry(r.out.Send[0])
	}
	ping := core.Packet{From: from.id(), Addr: from.addr}
	p := step(b, func() { b.Compare(b.now, &ping, a.Hash()) })
	p = step(a, func() { a.Digest(a.now, &p, p.Body.(*core.Digest)) })
	if n := len(p.Body.(*core.Entries).Items); n > 20 {
		t.Errorf("opens %d entries of 42 for one difference", n)
	}
	p = step(b, func() { b.Entries(b.now, &p, p.Body.(*core.Entries)) })
	p = step(a, func() { a.Want(a.now, &p, p.Body.(*core.Want)) })
	if len(p.Claims) != 1 {
		t.Errorf("gives %d claims for one difference", len(p.Claims))
	}
	b.hear(from, p.Claims...)
	if a.Hash() != b.Hash() {
		t.Error("the rosters differ still")
	}
}

func TestNewsCools(t *testing.T) {
	b := newBench(t, 31)
	first := b.pass(2 * time.Second)
	if len(first.Send) == 0 {
		t.Fatal("nothing told")
	}
	if again := b.pass(2 * time.Second); len(again.Send) != 0 {
		t.Errorf("%d packets of news when all is told", len(again.Send))
	}
	for _, p := range first.Send {
		size := 0
		for i := range p.Claims {
			size += p.Claims[i].WireSizeMax()
		}
		if size > core.MTU {
			t.Errorf("a packet of news of %d bytes", size)
		}
	}
}

func TestSuspicionIsOfThisIncarnationByTheLiving(t *testing.T) {
	b := newBench(t, 3)
	m, by := b.others[0], b.others[1]
	ahead := suspect(m, by)
	ahead.Incarnation += 5
	b.hear(by, ahead)
	b.want(m, hearsay.StateAlive) // nobody has heard m say so
	b.hear(by, by.word(hearsay.StateLeft))
	b.hear(b.others[2], suspect(m, by))
	b.want(m, hearsay.StateAlive)
	b.wantDrop(hearsay.DropStranger, 1)
}

func TestEvidenceIsOfOneIncarnation(t *testing.T) {
	b := newBench(t, 12)
	m := b.others[0]
	e := b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	b.MarkDead(b.now, e) // condemned while its refutation was on its way
	b.want(m, hearsay.StateAlive)
}

func TestForgedOwnWordIsNotRefuted(t *testing.T) {
	b := newBench(t, 2)
	self, before := newStranger(0), b.Self().Incarnation
	self.incarnation = before + 1000
	forged := self.word(hearsay.StateAlive)
	forged.Card.Signature[0]++
	b.hear(b.others[0], forged)
	b.hear(b.others[0], suspect(self, b.others[1]))
	b.wantDrop(hearsay.DropBadSignature, 2)
	if b.Self().Incarnation != before {
		t.Error("raised its incarnation")
	}
}

func TestWhoHasLeftRefutesNothing(t *testing.T) {
	b := newBench(t, 2)
	self := newStranger(0)
	self.incarnation = b.Self().Incarnation
	b.Leave(b.now)
	b.hear(b.others[0], suspect(self, b.others[1]))
	b.pass(time.Second)
	if b.stats.Refutations != 0 {
		t.Error("refuted")
	}
}

// A half that has forgotten the other half meets it again: who is forgotten
// hears at which incarnation, and rises above it.
func TestForgottenIsConfronted(t *testing.T) {
	b := newBench(t, 12)
	m, from := b.others[0], b.others[1]
	b.hear(from, suspect(m, from))
	b.dead(m, from, b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable)))
	b.now = b.now.Add(25 * time.Hour)
	b.pass(time.Second)
	ping := &core.Packet{Body: &core.Ping{}}
	b.Confront(ping, m.id())
	if len(ping.Claims) != 1 || ping.Claims[0].State != hearsay.StateDead || ping.Claims[0].Incarnation != m.incarnation {
		t.Errorf("says %+v", ping.Claims)
	}
}

// One that had left, and is back in another part of the network, is a stranger's contact: what that says to it counts,
// as it names what it holds of it.
func TestLeftThatIsBackTakesWhatItIsSaid(t *testing.T) {
	b := newBench(t, 3)
	m := b.others[0]
	b.hear(m, m.word(hearsay.StateLeft))
	digest := &core.Packet{From: b.Self().ID, Addr: newStranger(0).addr, Stream: true, Body: &core.Digest{}}
	b.Confront(digest, m.id())
	if claims, body := newBenchOf(t, 0, m).Meant(digest); !claims || !body {
		t.Errorf("what it is said does not count, with the claims %+v", digest.Claims)
	}
}

func TestExchangesAreRare(t *testing.T) {
	b := newBench(t, 5)
	from := &core.Packet{From: b.others[1].id(), Addr: b.others[1].addr}
	for range 1000 { // ten seconds of pings by who has another roster
		b.Compare(b.now, from, b.Hash()+1)
		b.now = b.now.Add(10 * time.Millisecond)
	}
	if n := b.stats.Exchanges; n < 9 || n > 11 {
		t.Errorf("%d exchanges in ten seconds, want about ten", n)
	}
}

func TestTablesAreBounded(t *testing.T) {
	b := newBench(t, 1100)
	const liars = 5 // one alone has less room
	for i, m := range b.others[liars:] {
		liar := b.others[i%liars]
		b.hear(liar, hearsay.Claim{Subject: m.id(), State: hearsay.StateDead, Incarnation: m.incarnation, By: liar.id(), Evidence: hearsay.Hash{byte(i), byte(i >> 8)}})
	}
	b.wantDrop(hearsay.DropTableFull, 1100-liars-1024)
	kept := map[hearsay.Hash]bool{}
	for _, m := range b.others[:300] {
		b.out.Reset()
		b.MarkDead(b.now, &hearsay.Evidence{Subject: m.id(), Incarnation: m.incarnation, Rule: hearsay.RuleMajority})
		for _, record := range b.out.Persist {
			if e, ok := record.(*core.KeptEvidence); ok {
				if kept[e.Hash] = true; e.Evidence == nil {
					delete(kept, e.Hash)
				}
			}
		}
	}
	if len(kept) != 256 {
		t.Errorf("keeps the evidence of %d deaths", len(kept))
	}
}

func TestWitnessesForTheLivingAboutOthers(t *testing.T) {
	b := newBench(t, 5)
	m, gone := b.others[0], b.others[1]
	b.hear(gone, gone.word(hearsay.StateLeft))
	if b.ask(gone, request(m, 1)) != 0 {
		t.Error("examines for one who has left")
	}
	self := newStranger(0)
	self.incarnation = b.Self().Incarnation
	if b.ask(m, request(self, 2)) != 0 {
		t.Error("examines itself")
	}
	behind := request(m, 3)
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	if b.ask(b.others[2], behind) != 0 || len(b.out.Send) != 1 || b.out.Send[0].Claims[0].Incarnation != m.incarnation {
		t.Error("does not tell who asks about an incarnation that is over")
	}
}

func TestForgottenIsNoNews(t *testing.T) {
	b := newBench(t, 12)
	b.pass(5 * time.Second)
	m := b.others[0]
	b.MarkDead(b.now, &hearsay.Evidence{Subject: m.id(), Incarnation: m.incarnation, Rule: hearsay.RuleMajority})
	b.now = b.now.Add(25 * time.Hour)
	b.out.Reset()
	b.Tick(b.now) // tells it once, and forgets it
	for _, p := range b.pass(time.Second).Send {
		for _, c := range p.Claims {
			if c.Subject == m.id() {
				t.Fatal("tells of one it has forgotten")
			}
		}
	}
}

func TestUnknownContactIsAskedForItsRoster(t *testing.T) {
	b := newBench(t, 2)
	contact := newStranger(70)
	b.Contact(b.now, []netip.AddrPort{contact.addr})
	b.pass(20 * time.Millisecond)
	b.out.Reset()
	b.TakeRoster(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true}, &core.Roster{})
	var ping core.Packet
	for _, p := range b.pass(5 * time.Second).Now {
		if _, ok := p.Body.(*core.Ping); ok && p.Addr == contact.addr {
			ping = p
		}
	}
	if ping.Body == nil {
		t.Fatal("the contact is not tried, though nobody living is there")
	}
	b.out.Reset()
	b.Begin()
	if !b.ContactAck(b.now, &core.Packet{From: contact.id(), Addr: contact.addr}, ping.Body.(*core.Ping).Seq) {
		t.Fatal("its answer was not awaited")
	}
	if len(b.out.Send) != 1 || b.out.Send[0].Addr != contact.addr {
		t.Fatalf("sends %+v", b.out.Send)
	}
	if _, ok := b.out.Send[0].Body.(*core.Join); !ok {
		t.Errorf("sends %T", b.out.Send[0].Body)
	}
}

func TestLeaveBeforeTheRosterCameIsTold(t *testing.T) {
	b := newBench(t, 0)
	contact := newStranger(7)
	b.Contact(b.now, []netip.AddrPort{contact.addr})
	b.pass(20 * time.Millisecond) // it has asked to join
	b.out.Reset()
	b.Leave(b.now)
	told := slices.ContainsFunc(b.out.Send, func(p core.Packet) bool {
		return p.Addr == contact.addr && len(p.Claims) == 1 && p.Claims[0].State == hearsay.StateLeft
	})
	if !told {
		t.Error("who was asked for a roster, and may have this node in its own, is not told")
	}
}

// toldOf counts how often the roster tells of a member.
func (b *bench) toldOf(m *stranger, d time.Duration) (n int) {
	for _, p := range b.pass(d).Send {
		for _, c := range p.Claims {
			if c.Subject == m.id() {
				n++
			}
		}
	}
	return n
}

// With 32 living a claim is told twice their 6 bits: 12 times, to three at a
// time.
func TestNewsIsToldInFull(t *testing.T) {
	b := newBench(t, 30)
	b.pass(5 * time.Second)
	newcomer := newStranger(60)
	b.hear(newcomer, newcomer.word(hearsay.StateAlive))
	if n := b.toldOf(newcomer, 2*time.Second); n != 12 {
		t.Errorf("told %d times, want 12", n)
	}
	newcomer.incarnation++
	b.hear(newcomer, newcomer.word(hearsay.StateAlive))
	for range 8 { // and each telling by another saves one
		b.hear(b.others[0], newcomer.word(hearsay.StateAlive))
	}
	if n := b.toldOf(newcomer, 2*time.Second); n != 6 {
		t.Errorf("told %d times, want 6", n)
	}
}

func TestJoinFailTellsWhoWasTried(t *testing.T) {
	b := newBench(t, 0)
	var contacts []netip.AddrPort
	for i := range 6 {
		contacts = append(contacts, newStranger(i+1).addr)
	}
	b.Contact(b.now, contacts)
	var last netip.AddrPort
	failed := 0
	for range 10000 {
		out := b.pass(10 * time.Millisecond)
		for _, e := range out.Events {
			if failed++; e.Addr != last {
				t.Errorf("says that %v did not answer, and tried %v", e.Addr, last)
			}
		}
		for _, p := range out.Send {
			last = p.Addr
		}
	}
	if failed < 5 {
		t.Errorf("%d failures told", failed)
	}
}

// A busy contact must not be asked for a second roster while the first is on
// its way, and one that is not up yet must be found soon when it is.
func TestJoinIsTriedAgainNeitherSoonNorLate(t *testing.T) {
	contact := newStranger(100)
	for others := range 10 { // each with other random numbers
		b := newBench(t, others)
		b.pass(time.Second)
		b.Contact(b.now, []netip.AddrPort{contact.addr})
		asked := func(d time.Duration) (n int) {
			for _, p := range b.pass(d).Send {
				if _, ok := p.Body.(*core.Join); ok {
					n++
				}
			}
			return n
		}
		if n := asked(490 * time.Millisecond); n != 1 {
			t.Errorf("asks %d times in half a second", n)
		}
		if n := asked(1020 * time.Millisecond); n < 1 {
			t.Error("does not ask again within one and a half")
		}
		if n := asked(60 * time.Second); n < 4 {
			t.Errorf("asks %d times in a minute", n)
		}
	}
}
