package roster_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// pinged counts the pings to an address, and gives the number of the last.
func pinged(fx *core.Effects, addr netip.AddrPort) (count int, seq uint64) {
	for _, p := range fx.Now {
		if ping, ok := p.Body.(*core.Ping); ok && p.Addr == addr {
			count, seq = count+1, ping.Seq
		}
	}
	return count, seq
}

// A node that is said to be where nobody answers is listed by nobody, told to
// nobody, and pinged a few times.
func TestAddressesAreHints(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	made := newStranger(50)
	b.hint(b.others[0], made.word(hearsay.StateAlive))
	fx := b.pass(30 * time.Second)
	if _, listed := b.Member(made.id()); listed {
		t.Error("it is listed, though nobody has answered for it")
	}
	if n, _ := pinged(fx, made.addr); n != 3 {
		t.Errorf("it was pinged %d times, want 3", n)
	}
	for _, p := range append(fx.Now, fx.Send...) {
		for i := range p.Claims {
			if p.Claims[i].Subject == made.id() {
				t.Fatalf("it is told with %T", p.Body)
			}
		}
	}
	b.pass(time.Minute)
	if b.Hints() != 0 {
		t.Errorf("%d are remembered", b.Hints())
	}
}

// An address has answered when it gives back the number that it was sent, in
// the name of who is said to be there.
func TestAnAnswerListsAMember(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	m, other := newStranger(50), newStranger(51)
	b.hint(b.others[0], m.word(hearsay.StateAlive))
	_, seq := pinged(b.pass(10*time.Millisecond), m.addr)
	ack := func(from *stranger, seq uint64) bool {
		return b.ContactAck(b.now, &core.Packet{From: from.id(), Addr: from.addr, Body: &core.Ack{Seq: seq}}, seq)
	}
	if ack(m, seq+1) || ack(other, seq) || ack(b.others[1], seq) {
		t.Error("another's answer counts, or another number")
	}
	if _, listed := b.Member(m.id()); listed {
		t.Fatal("it is listed already")
	}
	if !ack(m, seq) {
		t.Fatal("its answer does not count")
	}
	b.want(m, hearsay.StateAlive)
	if b.toldOf(m, time.Second) == 0 {
		t.Error("nobody is told of it")
	}
}

// Who has moved is where it was until the new address has answered.
func TestAMoveIsProven(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	m := b.others[2]
	was := m.addr
	m.addr = netip.MustParseAddrPort("10.99.0.1:7946")
	m.incarnation++
	b.hint(m, m.word(hearsay.StateAlive))
	_, seq := pinged(b.pass(10*time.Millisecond), m.addr)
	if addr, _ := b.Addr(m.id()); addr != was {
		t.Fatalf("it is at %s, where nobody has answered", addr)
	}
	b.ContactAck(b.now, &core.Packet{From: m.id(), Addr: m.addr}, seq)
	if addr, _ := b.Addr(m.id()); addr != m.addr {
		t.Errorf("it is at %s, and has answered at %s", addr, m.addr)
	}
	m.incarnation++
	b.hint(m, m.word(hearsay.StateAlive))
	if got, _ := b.Member(m.id()); got.Incarnation != m.incarnation {
		t.Error("a newer word from where it is waits for an answer, too")
	}
}

// A member that gets no datagrams has moved once it says so by a stream from that IP address, from any port of
// it, if it listens at the port at which it has answered; and where others tell of it, it is pinged there by
// stream at once.
func TestAMoveByStreamIsProven(t *testing.T) {
	for _, test := range []struct {
		from, to string
		proven   bool
	}{
		{"10.99.0.1:50000", "10.99.0.1:7946", true},
		{"10.98.0.1:7946", "10.99.0.1:7946", false},
		{"10.99.0.1:50000", "10.99.0.1:53", false},
	} {
		from, proven := test.from, test.proven
		b := newBench(t, 4)
		b.pass(5 * time.Second)
		m, was := b.others[2], b.others[2].addr
		b.TellStreamed(func(addr netip.AddrPort) bool { return addr == was }, nil)
		m.addr = netip.MustParseAddrPort(test.to)
		m.incarnation++
		b.out.Reset()
		b.Begin()
		b.Claims(b.now, &core.Packet{From: m.id(), Addr: netip.MustParseAddrPort(from), Stream: true, Body: &core.News{}, Claims: []hearsay.Claim{m.word(hearsay.StateAlive)}})
		if addr, _ := b.Addr(m.id()); (addr == m.addr) != proven || !proven && addr != was {
			t.Errorf("%+v: it is at %s", test, addr)
		}
		streams := 0
		for _, p := range b.pass(10 * time.Millisecond).Now {
			if _, ping := p.Body.(*core.Ping); ping && p.Addr == m.addr && p.Stream {
				streams++
			}
		}
		if (streams > 0) == proven || b.Tries(m.addr) == proven {
			t.Errorf("%+v: pinged by stream %d times", test, streams)
		}
	}
}

// A node to which no datagrams get pings by stream where others are by their own word: a batch at once, and
// then some each second, whatever node names the addresses. Another node does so once a second.
func TestHintsByStreamAreFew(t *testing.T) {
	for noDatagrams, most := range map[bool]int{false: 3, true: 32 + 3*16} {
		b := newBench(t, 4)
		b.pass(5 * time.Second)
		b.TellStreamed(func(netip.AddrPort) bool { return false }, func() bool { return noDatagrams })
		for i := range 200 {
			b.hint(newStranger(100+i), newStranger(100+i).word(hearsay.StateAlive))
		}
		tried := func(sent []core.Packet) (streams int) {
			for _, p := range sent {
				if p.Stream {
					if streams++; !b.Tries(p.Addr) { // a seed connects nowhere else
						t.Fatalf("noDatagrams: %t: %v is pinged by stream, and not said to be", noDatagrams, p.Addr)
					}
				}
			}
			return streams
		}
		b.out.Reset()
		b.Begin()
		b.Tick(b.now)
		streams := tried(b.out.Now) // of one step, which are sent after it
		for _, p := range b.pass(3 * time.Second).Now {
			if p.Stream {
				streams++
			}
		}
		if streams > most || streams < most/3 {
			t.Errorf("noDatagrams: %t: %d pings by stream in three seconds, want at most %d", noDatagrams, streams, most)
		}
	}
}

// An accuser may be the only one who has met somebody. An observer examines
// it once for each time that it was told of it.
func TestHintsAreExaminedOnce(t *testing.T) {
	b := newBench(t, 4)
	b.pass(time.Minute)
	m := newStranger(50)
	b.hint(b.others[0], m.word(hearsay.StateAlive))
	ask := func(round hearsay.Round) int {
		return b.ask(b.others[0], &core.WitnessReq{Subject: m.id(), Incarnation: m.incarnation, Round: round})
	}
	if n := ask(1); n != 1 {
		t.Errorf("%d examinations, want 1", n)
	}
	if n := ask(2); n != 0 {
		t.Errorf("%d more without another word, want none", n)
	}
	b.pass(10 * time.Second)
	b.hint(b.others[1], m.word(hearsay.StateAlive))
	if n := ask(3); n != 1 {
		t.Errorf("%d examinations after it was told again, want 1", n)
	}
}

// An accuser gets a statement, too, on one whose address has answered in another's name: its disk was replaced.
func TestHintsThatAreAnotherAreExamined(t *testing.T) {
	b := newBench(t, 4)
	b.pass(time.Minute)
	m := newStranger(50)
	fx := b.hint(b.others[0], m.word(hearsay.StateAlive))
	fx.Now = append(fx.Now, b.pass(100*time.Millisecond).Now...)
	_, seq := pinged(fx, m.addr)
	if !b.ContactNotMe(b.now, &core.Packet{From: b.others[1].id(), Addr: m.addr}, seq) {
		t.Fatal("the answer counts for nothing")
	}
	if n, _ := pinged(b.pass(4*time.Second), m.addr); n != 0 {
		t.Errorf("it is pinged %d times more", n)
	}
	request := &core.WitnessReq{Subject: m.id(), Incarnation: m.incarnation, Round: 1}
	if n := b.ask(b.others[0], request); n != 1 {
		t.Errorf("%d examinations, want 1", n)
	}
	b.pass(time.Minute)
	if n := b.Hints(); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

// However many are made up, each is pinged three times, in batches.
func TestHintsAreBounded(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	bystander := netip.MustParseAddrPort("10.99.0.1:7946")
	for n := range 300 {
		made := newStranger(1000 + n)
		made.addr = bystander
		b.hint(made, made.word(hearsay.StateAlive))
	}
	b.out.Reset()
	b.Begin()
	b.Tick(b.now)
	if n, _ := pinged(b.out, bystander); n == 0 || n > 64 {
		t.Errorf("%d pings in one step", n)
	}
	count, _ := pinged(b.out, bystander)
	for _, p := range append(b.pass(time.Minute).Now, b.pass(time.Minute).Now...) {
		if p.Addr == bystander {
			count++
		}
	}
	if count != 3*300 {
		t.Errorf("%d pings to the address of %d members", count, 300)
	}
	if b.Hints() != 0 {
		t.Errorf("%d are remembered", b.Hints())
	}
}

// Who joins gets its roster before its address has answered, and no more of them
// than a member.
func TestAHintIsAnsweredNowAndThen(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	joiner := newStranger(50)
	b.hint(joiner, joiner.word(hearsay.StateAlive))
	rosters := 0
	for range 100 {
		packets, _ := b.answers(func() { b.Join(b.now, b.from(joiner, true)) })
		rosters += packets
	}
	if rosters < 1 || rosters > 3 {
		t.Errorf("%d rosters at once, want 1 to 3", rosters)
	}
}

// A table that is full of hints of silent addresses has room for a newcomer, and
// for a member that has moved, whatever the sources are from which it was filled.
func TestFullHintsYield(t *testing.T) {
	for name, flooder := range map[string]*stranger{"one source": newStranger(900), "many sources": nil} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 4)
			b.pass(5 * time.Second)
			for n := range 9000 {
				made := newStranger(1000 + n)
				from := made
				if flooder != nil {
					from = flooder
				}
				b.hint(from, made.word(hearsay.StateAlive))
				if n%2 == 1 {
					b.pass(10 * time.Millisecond)
				}
			}
			if b.Hints() < 8000 {
				t.Fatalf("%d hints: the test shows nothing", b.Hints())
			}
			joiner, m := newStranger(50), b.others[2]
			b.hint(joiner, joiner.word(hearsay.StateAlive))
			m.addr = netip.MustParseAddrPort("10.99.0.1:7946")
			m.incarnation++
			b.hint(m, m.word(hearsay.StateAlive))
			fx := b.pass(time.Second)
			if n, _ := pinged(fx, joiner.addr); n == 0 {
				t.Error("a newcomer is not pinged")
			}
			if n, _ := pinged(fx, m.addr); n == 0 {
				t.Error("a member that has moved is not pinged")
			}
			if b.Hints() > 8192+1 {
				t.Errorf("%d hints", b.Hints())
			}
		})
	}
}

// Hints that are over do not pile up behind others that are pinged no more.
func TestHintsThatAreOverGo(t *testing.T) {
	b := newBench(t, 4)
	b.pass(5 * time.Second)
	made := make([]*stranger, 300)
	for n := range made {
		made[n] = newStranger(1000 + n)
	}
	first := newStranger(50)
	b.hint(first, first.word(hearsay.StateAlive))
	b.pass(4 * time.Second) // it was pinged in vain, and is kept for a minute
	for range 12 {
		for _, m := range made {
			m.incarnation++
			b.hint(m, m.word(hearsay.StateAlive))
		}
		if queued := b.HintsQueued(); queued > 3*len(made) {
			t.Fatalf("%d are kept for %d hints", queued, b.Hints())
		}
		b.pass(4 * time.Second)
	}
	if b.Hints() < len(made) {
		t.Errorf("%d hints: the test shows nothing", b.Hints())
	}
}

// A node that no member pings is listed by none, whatever was lost when it came: it asks two of them to list
// it, every ten seconds, by what counts though it is a stranger there. One that is pinged asks nobody.
func TestUnpingedAsksToBeListed(t *testing.T) {
	for _, pinged := range []bool{false, true} {
		b := newBench(t, 6)
		// so it is in
		b.Join(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true, Body: &core.Join{}})
		var asks []core.Packet
		for range 60 {
			for _, p := range b.pass(time.Second).Send {
				if _, is := p.Body.(*core.Ping); is {
					asks = append(asks, p)
				}
			}
			if pinged {
				b.Begin()
				b.Compare(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Body: &core.Ping{}}, b.Hash())
			}
		}
		if pinged != (len(asks) == 0) || !pinged && len(asks) != 10 && len(asks) != 12 {
			t.Errorf("pinged: %t: it asked %d times in a minute", pinged, len(asks))
		}
		for _, p := range asks {
			at := slices.IndexFunc(b.others, func(s *stranger) bool { return s.addr == p.Addr })
			if at < 0 || !p.Stream || len(p.Claims) != 1 || p.Claims[0].Subject != b.Self().ID || !p.Body.(*core.Ping).Names(b.others[at].id()) {
				t.Fatalf("it asks by %+v", p)
			}
			asked, self := newBenchOf(t, 0, b.others[at]), newStranger(0)
			p.From, p.Addr = self.id(), self.addr
			if claims, body := asked.Meant(&p); !claims || !body {
				t.Fatal("what it asks does not count")
			}
		}
	}
}

// For how long nobody has reached it does not begin anew when it asks.
func TestUnreachedWhileItAsks(t *testing.T) {
	b := newBench(t, 6)
	b.Join(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true, Body: &core.Join{}})
	b.pass(time.Minute)
	if unreached := b.Unreached(b.now); unreached != time.Minute {
		t.Errorf("unreached for %v, want a minute", unreached)
	}
}

// One that stood still was pinged by nobody, and asks nobody for that.
func TestPausedDoesNotAskToBeListed(t *testing.T) {
	b := newBench(t, 6)
	b.Join(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true, Body: &core.Join{}})
	b.pass(2 * time.Second)
	b.now = b.now.Add(time.Minute)
	b.Begin()
	b.Postpone(b.now, time.Minute)
	for _, p := range b.pass(7 * time.Second).Send {
		if _, is := p.Body.(*core.Ping); is {
			t.Fatalf("it asks by %+v", p)
		}
	}
}

// Where probes are less frequent a node waits longer for one before it asks to be listed, and where a ruling
// lists it, it asks nobody.
func TestAsksToBeListedByPeriod(t *testing.T) {
	for _, c := range []struct {
		period time.Duration
		seeded bool
		first  time.Duration // when it asks first; 0: it never does
	}{
		{10 * time.Millisecond, false, 10 * time.Second},
		{time.Second, false, 10 * time.Second},
		{5 * time.Second, false, 50 * time.Second},
		{time.Second, true, 0},
	} {
		b := newBench(t, 6)
		b.TellPeriod(c.period)
		if c.seeded {
			b.Follow(func(hearsay.NodeID) hearsay.Role { return hearsay.RolePeer }, func() hearsay.LedgerID { return hearsay.LedgerID{Network: network} }, nil)
		}
		// so it is in
		b.Join(b.now, &core.Packet{From: b.others[0].id(), Addr: b.others[0].addr, Stream: true, Body: &core.Join{}})
		first := time.Duration(0)
		for range 70 {
			for _, p := range b.pass(time.Second).Send {
				if _, is := p.Body.(*core.Ping); is && first == 0 {
					first = b.now.Sub(start) - time.Second
				}
			}
		}
		if first != c.first {
			t.Errorf("a probe each %v, seeded: %t: it asks first after %v, want %v", c.period, c.seeded, first, c.first)
		}
	}
}
