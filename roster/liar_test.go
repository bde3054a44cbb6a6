package roster_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// What one member may send, and what must not come of it.

func deadClaim(of, by *stranger, e *hearsay.Evidence) hearsay.Claim {
	return hearsay.Claim{Subject: of.id(), State: hearsay.StateDead, Incarnation: of.incarnation, By: by.id(), Evidence: e.Hash(network)}
}

func TestTimeoutRuleNeedsAnOldSuspicionHere(t *testing.T) {
	b := newBench(t, 12)
	m, liar := b.others[0], b.others[1]
	short := b.evidence(m, hearsay.RuleTimeout, first(2, hearsay.VerdictUnreachable))
	b.hear(liar, suspect(m, liar))
	b.dead(m, liar, short)
	b.want(m, hearsay.StateSuspect) // no suspicion runs out at once
	b.pass(4 * time.Second)
	b.want(m, hearsay.StateSuspect)
	b.pass(time.Second)
	b.want(m, hearsay.StateDead)
}

func TestTimeoutRuleBuriesNobodyWhoIsNoSuspectHere(t *testing.T) {
	b := newBench(t, 12)
	m, liar := b.others[0], b.others[1]
	short := b.evidence(m, hearsay.RuleTimeout, first(2, hearsay.VerdictUnreachable))
	b.hear(liar, deadClaim(m, liar, short))
	b.pass(2100 * time.Millisecond)
	b.out.Reset()
	b.TakeEvidence(b.now, short)
	b.pass(6 * time.Second)
	b.want(m, hearsay.StateAlive)
}

func TestEvidenceIsOfItsSubject(t *testing.T) {
	b := newBench(t, 12)
	m, other, liar := b.others[0], b.others[1], b.others[2]
	b.hear(liar, suspect(other, liar))
	e := b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.hear(liar, deadClaim(other, liar, e))
	b.out.Reset()
	b.TakeEvidence(b.now, e)
	b.want(m, hearsay.StateAlive) // it was not told first
	b.want(other, hearsay.StateSuspect)
}

func TestUnprovenDeathDelaysNoProvenOne(t *testing.T) {
	b := newBench(t, 12)
	m, liar, honest := b.others[0], b.others[1], b.others[2]
	b.hear(honest, suspect(m, honest))
	genuine := b.evidence(m, hearsay.RuleMajority, first(5, hearsay.VerdictUnreachable))
	made := hearsay.Claim{Subject: m.id(), State: hearsay.StateDead, Incarnation: m.incarnation, By: liar.id(), Evidence: hearsay.Hash{1}}
	b.hear(liar, made)
	b.hear(honest, deadClaim(m, honest, genuine))
	asked := slices.ContainsFunc(b.pass(500*time.Millisecond).Now, func(p core.Packet) bool {
		request, ok := p.Body.(*core.EvidenceReq)
		return ok && request.Hash == genuine.Hash(network) && p.Addr == honest.addr
	})
	if !asked {
		t.Fatal("the evidence was not asked for, because another had claimed the death without")
	}
	b.out.Reset()
	b.TakeEvidence(b.now, genuine)
	b.want(m, hearsay.StateDead)
}

// counting verifies as Ed25519 does, and counts how often.
type counting struct {
	*stranger
	verified int
}

func (c *counting) Verify(key hearsay.PublicKey, message []byte, signature hearsay.Signature) bool {
	c.verified++
	return c.stranger.Verify(key, message, signature)
}

func TestEvidenceIsVerifiedOnce(t *testing.T) {
	signer := &counting{stranger: newStranger(0)}
	b := newBenchOf(t, 12, signer)
	m, liar := b.others[0], b.others[1]
	b.hear(liar, suspect(m, liar))

	few := b.evidence(m, hearsay.RuleMajority, first(4, hearsay.VerdictUnreachable))
	signer.verified = 0
	b.dead(m, liar, few)
	b.pass(10 * time.Second)
	if signer.verified > 4 {
		t.Errorf("%d signatures verified of 4", signer.verified)
	}

	forged := b.evidence(m, hearsay.RuleMajority, first(9, hearsay.VerdictUnreachable))
	for i := range forged.Statements {
		forged.Statements[i].Signature[9]++
	}
	signer.verified = 0
	b.dead(m, liar, forged)
	b.pass(10 * time.Second)
	if signer.verified > 1 {
		t.Errorf("%d signatures verified, though the first was forged", signer.verified)
	}
	b.wantDrop(hearsay.DropBadSignature, 1)
}

func request(of *stranger, round hearsay.Round) *core.WitnessReq {
	return &core.WitnessReq{Subject: of.id(), Incarnation: of.incarnation, Round: round}
}

// ask gives the roster a request, and counts the examinations that follow.
func (b *bench) ask(from *stranger, request *core.WitnessReq) int {
	b.out.Reset()
	b.Begin()
	b.WitnessReq(b.now, &core.Packet{From: from.id(), Addr: from.addr}, request)
	asked := 0
	for _, e := range b.out.Events {
		if e.Kind == hearsay.EventAsked {
			asked++
		}
	}
	return asked
}

func TestOneAskerDoesNotUseUpAnObserver(t *testing.T) {
	b := newBench(t, 5)
	m, honest, liar := b.others[0], b.others[1], b.others[2]
	if b.ask(honest, request(m, 1)) != 1 {
		t.Fatal("the first request is not taken")
	}
	asked := 0
	for round := range hearsay.Round(1000) {
		asked += b.ask(liar, request(m, round+100))
	}
	if asked > 16 {
		t.Errorf("examines %d times at once for one asker", asked)
	}
	b.out.Reset()
	b.Examined(b.now, m.id(), 1, hearsay.VerdictUnreachable)
	if len(b.out.Now) != 1 || b.out.Now[0].Addr != honest.addr {
		t.Error("another asker's requests made it forget this one's")
	}
	b.now = b.now.Add(2 * time.Second)
	if b.ask(liar, request(m, 5000)) != 1 {
		t.Error("an asker is never heard again")
	}
}

func TestOneVerdictARound(t *testing.T) {
	b := newBench(t, 5)
	m, first, second := b.others[0], b.others[1], b.others[2]
	b.ask(first, request(m, 1))
	b.Examined(b.now, m.id(), 1, hearsay.VerdictReachable)
	if b.ask(second, request(m, 1)) != 0 {
		t.Error("examines again for the same round")
	}
	if b.ask(first, request(m, 1)); len(b.out.Now) != 1 {
		t.Error("does not repeat its statement to who asked for it")
	}
}

func TestSaysNothingOfStrangers(t *testing.T) {
	b := newBench(t, 5)
	if b.ask(b.others[0], request(newStranger(99), 1)) != 0 {
		t.Error("examines one it has never heard of")
	}
	b.wantDrop(hearsay.DropStranger, 1)
}

func TestOneVerdictARoundOverLives(t *testing.T) {
	b := newBenchOf(t, 5, newStranger(0), &core.OwnIncarnation{Incarnation: 7})
	if b.ask(b.others[0], request(b.others[1], 1)) != 0 {
		t.Error("examines for a round in which it may have signed before it was started again")
	}
	b.now = b.now.Add(2 * time.Second) // that round is over
	if b.ask(b.others[0], request(b.others[1], 2)) != 1 {
		t.Error("does not examine")
	}
}

func TestNewsHeardVeryOftenIsToldNoMore(t *testing.T) {
	b := newBench(t, 30)
	m := b.others[0]
	word := m.word(hearsay.StateAlive)
	for range 40000 { // more than a 16-bit counter holds
		b.hear(b.others[1], word)
	}
	sent := b.pass(2 * time.Second).Send
	told := 0
	for _, p := range sent {
		for _, c := range p.Claims {
			if c.Subject == m.id() {
				told++
			}
		}
	}
	if again := b.pass(2 * time.Second).Send; len(again) > 0 || told > 3 {
		t.Errorf("told %d times, and %d packets of news later still", told, len(again))
	}
}

func TestRosterCountsByStreamOnly(t *testing.T) {
	b := newBench(t, 0)
	contact := netip.MustParseAddrPort("10.8.8.8:1")
	b.Contact(b.now, []netip.AddrPort{contact})
	b.pass(20 * time.Millisecond)
	if b.Expects(&core.Packet{Addr: contact}) {
		t.Error("takes a roster by datagram, whose source anybody can forge")
	}
	if !b.Expects(&core.Packet{Addr: contact, Stream: true}) {
		t.Error("does not take the roster it asked for")
	}
}

func TestFirstOfANetworkTriesItsDead(t *testing.T) {
	b := newBench(t, 12)
	newcomer := newStranger(50)
	b.hear(newcomer, newcomer.word(hearsay.StateAlive))
	b.Join(b.now, &core.Packet{From: newcomer.id(), Addr: newcomer.addr, Stream: true})
	m := b.others[0]
	b.hear(b.others[1], suspect(m, b.others[1]))
	b.others = append(b.others, newcomer)
	b.dead(m, b.others[1], b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable)))
	tried := 0
	for _, p := range b.pass(10 * time.Second).Now {
		if ping, ok := p.Body.(*core.Ping); ok && ping.Target == m.id() {
			tried++
		}
	}
	if tried < 4 {
		t.Errorf("tried the dead %d times in 10 s", tried)
	}
}

// apply keeps the contacts that a roster wants persisted.
func apply(disk map[netip.AddrPort]*core.Contact, records []core.Record) {
	for _, record := range records {
		if contact, ok := record.(*core.Contact); ok {
			if disk[contact.Addr] = contact; contact.Dropped {
				delete(disk, contact.Addr)
			}
		}
	}
}

func TestContactsOnDiskAreBoundedOverLives(t *testing.T) {
	disk := map[netip.AddrPort]*core.Contact{}
	for life := range 4 {
		var records []core.Record
		for _, contact := range disk {
			records = append(records, contact)
		}
		b := newBenchOf(t, 0, newStranger(0), records...)
		apply(disk, b.out.Persist)
		for i := range 300 { // others in each life, at other addresses
			o := newStranger(1 + life*300 + i)
			b.hear(o, o.word(hearsay.StateAlive))
			apply(disk, b.out.Persist)
		}
	}
	if len(disk) > 2*256 {
		t.Errorf("%d contacts on disk after four lives", len(disk))
	}
}

func TestSuccessorAtAnAddressStaysAContact(t *testing.T) {
	disk := map[netip.AddrPort]*core.Contact{}
	b := newBenchOf(t, 0, newStranger(0))
	old, next := newStranger(1), newStranger(2)
	next.addr = old.addr
	for _, word := range []hearsay.Claim{old.word(hearsay.StateAlive), next.word(hearsay.StateAlive), old.word(hearsay.StateLeft)} {
		b.hear(next, word)
		apply(disk, b.out.Persist)
	}
	b.now = b.now.Add(25 * time.Hour)
	b.out.Reset()
	b.Tick(b.now)
	apply(disk, b.out.Persist)
	if contact := disk[next.addr]; contact == nil || contact.ID != next.id() {
		t.Errorf("the contact of the living is %+v after its predecessor was forgotten", contact)
	}
}

func TestRefutesTheHighestClaim(t *testing.T) {
	b := newBench(t, 2)
	self := newStranger(0)
	self.incarnation = b.Self().Incarnation
	b.hear(b.others[0], suspect(self, b.others[1])) // the next must wait
	self.incarnation = hearsay.Incarnation(start.Add(time.Hour).UnixMilli())
	earlier := self.word(hearsay.StateAlive) // of a life that it has forgotten
	b.hear(b.others[0], earlier)
	self.incarnation = b.Self().Incarnation
	b.hear(b.others[0], suspect(self, b.others[1]))
	b.pass(time.Second)
	if got := b.Self().Incarnation; got <= earlier.Incarnation {
		t.Errorf("incarnation %d, not over %d", got, earlier.Incarnation)
	}
}

func TestLeavingRefutesNoMore(t *testing.T) {
	b := newBench(t, 2)
	self := newStranger(0)
	for range 2 { // the second must wait
		self.incarnation = b.Self().Incarnation
		b.hear(b.others[0], suspect(self, b.others[1]))
	}
	b.Leave(b.now)
	b.pass(time.Second)
	if n := b.stats.Refutations; n != 1 || b.Self().Incarnation != self.incarnation {
		t.Errorf("refuted %d times, and left at incarnation %d instead of %d", n, b.Self().Incarnation, self.incarnation)
	}
}

func TestEvidenceIsKeptInOrderOverLives(t *testing.T) {
	m := newStranger(1)
	var records []core.Record
	for _, condemned := range []int64{3000, 1000, 2000} {
		e := &hearsay.Evidence{Subject: m.id(), Condemned: condemned}
		records = append(records, &core.KeptEvidence{Hash: e.Hash(network), Evidence: e})
	}
	b := newBenchOf(t, 0, newStranger(0), records...)
	if e := b.EvidenceOf(m.id()); e.Condemned != 3000 {
		t.Errorf("the newest evidence is of %d", e.Condemned)
	}
}

func TestExchangesAlsoWhenTheRosterIsNeverStill(t *testing.T) {
	b := newBench(t, 5)
	restless := b.others[0]
	from := &core.Packet{From: b.others[1].id(), Addr: b.others[1].addr}
	for range 300 { // half a minute
		restless.incarnation++
		b.hear(restless, restless.word(hearsay.StateAlive))
		b.Compare(b.now, from, b.Hash()+1)
		b.now = b.now.Add(100 * time.Millisecond)
	}
	if n := b.stats.Exchanges; n < 2 || n > 4 {
		t.Errorf("%d exchanges in half a minute, want about three", n)
	}
}

// refusing finds every signature forged, and counts them.
type refusing struct {
	*stranger
	verified int
}

func (r *refusing) Verify(hearsay.PublicKey, []byte, hearsay.Signature) bool {
	r.verified++
	return false
}

func TestForgedClaimsTakeLittleTime(t *testing.T) {
	signer := &refusing{stranger: newStranger(0)}
	b := newBenchOf(t, 0, signer)
	made := newStranger(1)
	forged := made.word(hearsay.StateAlive)
	b.now = b.now.Add(time.Hour)
	flood := func() (verified int) {
		before := signer.verified
		for range 20000 {
			b.hear(made, forged)
		}
		return signer.verified - before
	}
	if n := flood(); n < 1024 || n > 2200 {
		t.Errorf("verified %d signatures at once, want half of what all strangers may have", n)
	}
	b.now = b.now.Add(time.Second)
	if n := flood(); n < 200 || n > 440 {
		t.Errorf("verified %d signatures a second later", n)
	}
	if b.stats.Drops[hearsay.DropRate] == 0 {
		t.Error("nothing was counted as dropped")
	}
}

// An old address says nothing of a later life.
func TestObserverBehindTestifiesNothing(t *testing.T) {
	b := newBench(t, 5)
	m := b.others[0]
	ahead := request(m, 1)
	ahead.Incarnation++
	if b.ask(b.others[1], ahead) != 0 {
		t.Error("examines one at the address of an earlier incarnation")
	}
	b.wantDrop(hearsay.DropStranger, 1)
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	if b.ask(b.others[1], ahead) != 1 {
		t.Error("does not examine when it has heard of that incarnation")
	}
}

// An informer who keeps silent does not keep the evidence from this node.
func TestEvidenceIsAskedOfOthersToo(t *testing.T) {
	b := newBench(t, 12)
	m, silent := b.others[0], b.others[1]
	b.hear(silent, suspect(m, silent))
	genuine := b.evidence(m, hearsay.RuleMajority, first(5, hearsay.VerdictUnreachable))
	b.hear(silent, deadClaim(m, silent, genuine))
	informer, others := len(b.out.Now), map[netip.AddrPort]bool{}
	for _, p := range b.pass(5 * time.Second).Now {
		if _, ok := p.Body.(*core.EvidenceReq); !ok {
			continue
		}
		if others[p.Addr] = true; p.Addr == silent.addr {
			informer++
		}
	}
	if informer < 2 || len(others) < 4 || others[m.addr] {
		t.Errorf("asked the informer %d times, and %d in all; its subject: %v", informer, len(others), others[m.addr])
	}
}

func TestForgottenLeaveIsNotTakenBack(t *testing.T) {
	b := newBenchOf(t, 0, newStranger(0))
	m := newStranger(1)
	old := m.word(hearsay.StateAlive)
	b.hear(m, old)
	left := m.word(hearsay.StateLeft)
	b.hear(m, left)
	b.now = b.now.Add(25 * time.Hour)
	b.pass(time.Second)
	if _, known := b.Member(m.id()); known {
		t.Fatal("still listed after 25 hours")
	}
	for _, replayed := range []hearsay.Claim{old, left} {
		b.hear(m, replayed) // the one that replays it says that it is from there
		if _, known := b.Member(m.id()); known {
			t.Errorf("listed again by its old word of %v", replayed.State)
		}
	}
	if out := b.pass(10 * time.Second); len(out.Now)+len(out.Send) != 0 || !b.Joined() {
		t.Error("one who has left is tried as a contact")
	}
	m.incarnation++
	b.hear(m, m.word(hearsay.StateAlive))
	b.want(m, hearsay.StateAlive)
}

func TestFullTableTakesTheLivingInTheRoomOfTheGone(t *testing.T) {
	b := newBenchOf(t, 0, newStranger(0))
	b.Crowd(1<<16-4, hearsay.StateAlive)
	long, lately := newStranger(1), newStranger(2)
	for _, m := range []*stranger{lately, long} { // not in the order of leaving
		b.hear(m, m.word(hearsay.StateAlive))
	}
	b.hear(long, long.word(hearsay.StateLeft))
	b.now = b.now.Add(time.Hour)
	b.hear(lately, lately.word(hearsay.StateLeft))
	for i, want := range []struct{ listed, long, lately bool }{{true, true, true}, {true, false, true}, {true, false, false}, {false, false, false}} {
		newcomer := newStranger(10 + i)
		b.hear(newcomer, newcomer.word(hearsay.StateAlive))
		_, listed := b.Member(newcomer.id())
		_, hasLong := b.Member(long.id())
		_, hasLately := b.Member(lately.id())
		if listed != want.listed || hasLong != want.long || hasLately != want.lately {
			t.Errorf("newcomer %d: listed %v, gone long ago %v, lately %v; want %v", i, listed, hasLong, hasLately, want)
		}
	}
	b.wantDrop(hearsay.DropTableFull, 1)
}

// Looking for the longest gone takes a while where there are many.
func TestRoomIsMadeForSeveralAtOnce(t *testing.T) {
	b := newBenchOf(t, 0, newStranger(0))
	b.Crowd(1<<16-1, hearsay.StateLeft)
	looked := 0
	for i := range 600 {
		newcomer := newStranger(10 + i)
		for _, e := range b.hear(newcomer, newcomer.word(hearsay.StateAlive)).Events {
			if e.Kind == hearsay.EventMemberForgotten {
				looked++
				break
			}
		}
	}
	if looked == 0 || looked > 3 {
		t.Errorf("looked for room %d times in 600 joins", looked)
	}
}

// renewed counts the words of a member that the roster takes as news.
func (b *bench) renewed(m *stranger, claims ...hearsay.Claim) int {
	before := b.stats.ClaimsNew
	for _, c := range claims {
		b.hear(m, c)
	}
	return int(b.stats.ClaimsNew - before)
}

func TestOneMemberIsNoEndlessNews(t *testing.T) {
	b := newBench(t, 5)
	m, taken := b.others[0], 0
	for range 1000 {
		m.incarnation++
		taken += b.renewed(m, m.word(hearsay.StateAlive))
		b.now = b.now.Add(time.Millisecond)
	}
	if taken < 10 || taken > 20 {
		t.Errorf("took %d newer words in a second, want about ten and a few at once", taken)
	}
	if b.stats.Drops[hearsay.DropRate] != uint64(1000-taken) {
		t.Errorf("%d dropped of %d refused", b.stats.Drops[hearsay.DropRate], 1000-taken)
	}
	b.now = b.now.Add(time.Second)
	if b.renewed(m, m.word(hearsay.StateAlive)) != 1 {
		t.Error("the newest is not taken when it comes again")
	}
	if b.renewed(m, m.word(hearsay.StateLeft)) != 1 {
		t.Error("its leave is not taken")
	}
}

// A member that is accused all the time refutes five times a second, and some of its
// words take longer than others.
func TestHonestRefutationsAreAllTaken(t *testing.T) {
	b := newBench(t, 5)
	m := b.others[0]
	for second := range 20 {
		var words []hearsay.Claim
		for range 5 {
			m.incarnation++
			words = append(words, m.word(hearsay.StateAlive))
		}
		forged := m.word(hearsay.StateAlive)
		for range 100 { // others' words in its name cost it nothing
			forged.Incarnation++
			b.hear(b.others[1], forged)
		}
		if taken := b.renewed(m, words...); taken != 5 { // all of a second at once
			t.Fatalf("second %d: took %d of 5 refutations", second, taken)
		}
		b.now = b.now.Add(time.Second)
	}
}

// answers counts the claims and packets that one question costs.
func (b *bench) answers(do func()) (packets, claims int) {
	b.out.Reset()
	b.Begin()
	do()
	for _, p := range b.out.Send {
		claims += len(p.Claims)
	}
	return len(b.out.Send), claims
}

func (b *bench) from(m *stranger, stream bool) *core.Packet {
	return &core.Packet{From: m.id(), Addr: m.addr, Stream: stream}
}

func TestEachIsGivenOnceHoweverOftenWanted(t *testing.T) {
	b := newBench(t, 5)
	m, gone := b.others[1], b.others[2]
	b.hear(gone, gone.word(hearsay.StateLeft))
	p := b.from(b.others[0], true)
	p.Claims = []hearsay.Claim{gone.word(hearsay.StateAlive), gone.word(hearsay.StateAlive)}
	want := &core.Want{}
	for range 8192 {
		want.IDs = append(want.IDs, m.id(), gone.id())
	}
	if _, claims := b.answers(func() { b.Want(b.now, p, want) }); claims != 2 {
		t.Errorf("gives %d claims about two members", claims)
	}
}

// A newcomer asks once, perhaps again soon, and then compares; no member
// makes this node answer all the time.
func TestOneAskerIsAnsweredNowAndThen(t *testing.T) {
	b := newBench(t, 40)
	b.pass(5 * time.Second)
	newcomer := b.from(b.others[0], true)
	join := func() { b.Join(b.now, newcomer) }
	exchange := func() {
		b.Digest(b.now, newcomer, &core.Digest{Bits: 0, Hashes: []uint64{1}})
		b.Want(b.now, newcomer, &core.Want{IDs: []hearsay.NodeID{b.others[1].id()}})
	}
	for _, wait := range []time.Duration{0, 500 * time.Millisecond} {
		b.now = b.now.Add(wait)
		if packets, claims := b.answers(join); packets != 1 || claims != 41 {
			t.Errorf("after %v: a roster of %d claims", wait, claims)
		}
	}
	if packets, _ := b.answers(exchange); packets != 2 {
		t.Errorf("%d answers to an exchange after that", packets)
	}
	e := b.evidence(b.others[39], hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.MarkDead(b.now, e)
	asks := b.from(b.others[0], true)
	for name, ask := range map[string]func(){
		"evidence":  func() { b.EvidenceReq(b.now, asks, &core.EvidenceReq{Hash: e.Hash(network)}) },
		"rosters":   join,
		"exchanges": exchange,
		"entries":   func() { b.Entries(b.now, newcomer, &core.Entries{Buckets: []uint8{0}}) },
	} {
		b.now = b.now.Add(time.Minute)
		answered := 0
		for range 1000 { // ten seconds
			if packets, _ := b.answers(ask); packets > 0 {
				answered++
			}
			b.now = b.now.Add(10 * time.Millisecond)
		}
		if limit := map[string]int{"evidence": 601, "rosters": 13, "exchanges": 49, "entries": 49}[name]; answered < 10 || answered > limit {
			t.Errorf("%s: answered %d times in ten seconds, want at most %d", name, answered, limit)
		}
	}
	other := b.from(b.others[3], true)
	if packets, _ := b.answers(func() { b.Join(b.now, other) }); packets != 1 {
		t.Error("another member is not answered")
	}
}

func TestJoinIsByStream(t *testing.T) {
	b := newBench(t, 5)
	if packets, _ := b.answers(func() { b.Join(b.now, b.from(b.others[0], false)) }); packets != 0 {
		t.Error("sends a roster to where a datagram says that it comes from")
	}
	b.wantDrop(hearsay.DropUnexpected, 1)
}

func TestEvidenceIsForMembers(t *testing.T) {
	b := newBench(t, 12)
	m, from := b.others[0], b.others[1]
	e := b.evidence(m, hearsay.RuleMajority, all(hearsay.VerdictUnreachable))
	b.MarkDead(b.now, e)
	request := &core.EvidenceReq{Hash: e.Hash(network)}
	for name, c := range map[string]struct {
		from *core.Packet
		want int
	}{"member": {b.from(from, true), 1}, "stranger": {b.from(newStranger(99), true), 0}, "by datagram": {b.from(from, false), 0}} {
		if packets, _ := b.answers(func() { b.EvidenceReq(b.now, c.from, request) }); packets != c.want {
			t.Errorf("%s: %d answers", name, packets)
		}
	}
}

// doubting finds every signature of one key forged.
type doubting struct {
	*stranger
	of hearsay.PublicKey
}

func (d *doubting) Verify(key hearsay.PublicKey, _ []byte, _ hearsay.Signature) bool {
	return key != d.of
}

// A node that a ruling admits is listed, whatever is forged meanwhile: else the
// roster were another than the ledger's.
func TestAdmittedAreListedWhateverIsForged(t *testing.T) {
	victim := newStranger(1)
	b := newBenchOf(t, 0, &doubting{newStranger(0), victim.Public()})
	b.Follow(func(hearsay.NodeID) hearsay.Role { return hearsay.RolePeer }, func() hearsay.LedgerID { return hearsay.LedgerID{Network: network} }, nil)
	guest := victim.word(hearsay.StateAlive)
	guest.Card.Key = hearsay.PublicKey{}
	b.Admit(b.now, &guest)
	forged := victim.word(hearsay.StateAlive)
	forged.Incarnation++
	for b.stats.Drops[hearsay.DropRate] == 0 {
		b.hear(newStranger(2), forged)
	}
	admitted := newStranger(3)
	word := admitted.word(hearsay.StateAlive)
	b.Admit(b.now, &word)
	b.want(admitted, hearsay.StateAlive)
}

// A member that is suspect itself makes nobody else suspect, and once it has refuted it does.
func TestSuspectAccusesInVain(t *testing.T) {
	b := newBench(t, 12)
	m, cutOff, honest := b.others[0], b.others[1], b.others[2]
	b.hear(honest, suspect(cutOff, honest))
	b.hear(cutOff, suspect(m, cutOff))
	b.hear(honest, suspect(m, cutOff)) // passed on
	b.want(m, hearsay.StateAlive)
	b.wantDrop(hearsay.DropDoubtful, 2)
	b.hear(honest, suspect(m, honest))
	b.want(m, hearsay.StateSuspect)
}

// What a peer of another protocol is told of an address: a member that only others suspect has not failed this node's
// own probe.
func TestStateAt(t *testing.T) {
	b := newBench(t, 5)
	m, honest := b.others[0], b.others[1]
	want := func(state hearsay.State, own bool) {
		t.Helper()
		if got, gotOwn := b.StateAt(m.addr); got != state || gotOwn != own {
			t.Errorf("it is %v, own %t, want %v, %t", got, gotOwn, state, own)
		}
	}
	if state, _ := b.StateAt(newStranger(99).addr); state != 0 {
		t.Errorf("a stranger is %v", state)
	}
	if state, _ := b.StateAt(b.Self().Addr); state != hearsay.StateAlive {
		t.Errorf("this node is %v", state)
	}
	want(hearsay.StateAlive, false)
	b.hear(honest, suspect(m, honest))
	want(hearsay.StateSuspect, false)
	b.Unreachable(b.now, m.id())
	want(hearsay.StateSuspect, true)
	b.Answered(b.now, m.id())
	want(hearsay.StateAlive, false)
	b.Unreachable(b.now, m.id())
	b.die(m)
	want(hearsay.StateDead, false)
}
