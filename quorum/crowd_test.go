package quorum

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// crowd has so many identities of one host ask to be in, again and again.
func (w *world) crowd(n int, host netip.Addr) (people []*person) {
	for i := range n {
		p := &person{n: 10_000 + i, key: newKeyed(uint64(700_000 + i)), up: true, at: hearsay.Incarnation(w.now.UnixMilli())}
		p.addr = netip.AddrPortFrom(host, uint16(20_000+i))
		w.people, people = append(w.people, p), append(people, p)
		w.tend(p)
	}
	return people
}

// A host gets no more in than its share, however many identities it makes; others get
// in beside it.
func TestOneHostHasAShare(t *testing.T) {
	w := newWorld(t, 3, 81)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(400, netip.MustParseAddr("203.0.113.7"))
	w.run(20 * time.Second)
	in := 0
	for _, p := range crowd {
		if w.in(p) {
			in++
		}
	}
	if in != 64 {
		t.Errorf("%d of 400 identities of one host are in, want 64", in)
	}
	honest := w.newPerson()
	w.must(5*time.Second, "one from elsewhere is in", func() bool { return w.in(honest) })
}

// Who registers and leaves over and over gets its share at once, and then some stays a
// minute: the ledger grows no faster.
func TestRegisterAndLeave(t *testing.T) {
	w := newWorld(t, 3, 82)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(40, netip.MustParseAddr("203.0.113.7"))
	var cycle func()
	cycle = func() {
		for _, p := range crowd {
			m := w.machines[0]
			if one, ok := m.q.Member(p.id()); ok {
				l := signedLeave(w, one.Stay, p)
				w.step(m, func() { m.q.Leave(w.now, &l) })
			}
		}
		w.after(100*time.Millisecond, cycle)
	}
	cycle()
	w.run(2 * time.Minute)
	before := w.machines[0].q.Epoch()
	w.run(10 * time.Minute)
	if grown := w.machines[0].q.Epoch() - before; grown > 10*8 || grown < 10 {
		t.Errorf("%d rulings in ten minutes: want at most 6 a minute, and some", grown)
	}
	if before > 150 {
		t.Errorf("%d rulings in the first two minutes", before)
	}
}

// A host with as many peers as it may have is restarted in good order (each leaves, as on
// SIGTERM): all are back in about as long as it takes to start them. So are fewer that are
// restarted soon after their first start.
func TestRestartedHostComesBack(t *testing.T) {
	t.Run("as many as may be", func(t *testing.T) { restartHost(t, 64, 11*time.Minute) })
	t.Run("fewer", func(t *testing.T) { restartHost(t, 40, 7*time.Minute) })
	t.Run("fewer, soon", func(t *testing.T) { restartHost(t, 40, time.Minute) })
}

// restartHost has peers of one host join, stay, leave, and join again.
func restartHost(t *testing.T, peers int, stay time.Duration) {
	w := newWorld(t, 3, 82)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(peers, netip.MustParseAddr("203.0.113.7"))
	in := func() (n int) {
		for _, p := range crowd {
			if w.in(p) {
				n++
			}
		}
		return n
	}
	w.must(20*time.Second, "they are in", func() bool { return in() == peers })
	w.run(stay)
	for _, p := range crowd {
		p.up = false
	}
	w.step(w.machines[0], func() {
		for _, p := range crowd {
			one, _ := w.machines[0].q.Member(p.id())
			l := signedLeave(w, one.Stay, p)
			w.machines[0].q.Leave(w.now, &l)
		}
	})
	w.must(10*time.Second, "they are out", func() bool { return in() == 0 })
	for _, p := range crowd {
		p.at, p.up = hearsay.Incarnation(w.now.UnixMilli()), true
	}
	if w.run(20 * time.Second); in() < peers {
		t.Errorf("20 s after %d are started again, %v after their first start, %d are in", peers, stay, in())
	}
}

// What a crowd takes is not what members need that were removed: they are in again at
// once, though newcomers of their own source find no room.
func TestRemovedMembersComeBackPastACrowd(t *testing.T) {
	w := newWorld(t, 3, 83)
	w.cfg.Limits = hearsay.Limits{Members: 12, MembersOfSource: 6, Admissions: 1, SourceAdmissions: 1}
	w.startAll()
	w.must(10*time.Second, "the limits hold", func() bool { return w.agree() && w.machines[0].q.Limits() == w.cfg.Limits })
	host := netip.MustParseAddr("203.0.113.7")
	honest := w.crowd(3, host)
	elsewhere := w.newPerson()
	w.must(10*time.Second, "they are in", func() bool { return w.in(honest[0]) && w.in(honest[1]) && w.in(honest[2]) && w.in(elsewhere) })
	for round := range 2 {
		for _, p := range append(honest, elsewhere) {
			p.up = false
		}
		w.must(40*time.Second, "they are out", func() bool { return !w.in(honest[0]) && !w.in(honest[1]) && !w.in(honest[2]) && !w.in(elsewhere) })
		if round == 0 {
			for i := range 30 { // of this host and of others
				p := &person{n: 20_000 + i, key: newKeyed(uint64(800_000 + i)), up: true, at: hearsay.Incarnation(w.now.UnixMilli())}
				p.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(7 + i/6)}), uint16(30_000+i))
				w.people = append(w.people, p)
				w.tend(p)
			}
		}
		w.run(5 * time.Second)
		full := w.machines[0].q.state.Members.Count
		if full < 8 || full > 12 {
			t.Fatalf("%d members: the test shows nothing", full)
		}
		for _, p := range append(honest, elsewhere) {
			p.up = true
		}
		w.must(5*time.Second, "they are in again", func() bool { return w.in(honest[0]) && w.in(honest[1]) && w.in(honest[2]) && w.in(elsewhere) })
	}
	if n := w.machines[0].drops[hearsay.DropTableFull] + w.machines[1].drops[hearsay.DropTableFull] + w.machines[2].drops[hearsay.DropTableFull]; n == 0 {
		t.Error("nobody was refused: the test shows nothing")
	}
}

// Limits hold that a quorum of seeds was told; who was told others is told of.
func TestLimitsOfAQuorum(t *testing.T) {
	w := newWorld(t, 3, 84)
	var told []string
	w.teller = func(_ *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventSeedDiffers {
			told = append(told, e.Text)
		}
	}
	common := w.cfg.Limits
	few := common
	few.Members = 5
	w.cfg.Limits = few
	w.start(w.machines[0])
	w.cfg.Limits = common
	w.start(w.machines[1])
	w.start(w.machines[2])
	w.must(10*time.Second, "founded", w.agree)
	w.run(10 * time.Second)
	for _, m := range w.machines {
		if m.q.Limits() != common {
			t.Errorf("by one seed's word seed %d goes by %+v", m.slot, m.q.Limits())
		}
	}
	for _, want := range []string{
		"the seed at 10.0.0.2:5000 was told other limits than this one: limits.members there 4096, here 5; want the same on all; a quorum's hold: limits.members they are 4096, here 5",
		"the seed at 10.0.0.1:5000 was told other limits than this one: limits.members there 5, here 4096; want the same on all; this one's hold",
	} {
		if !slices.Contains(told, want) {
			t.Errorf("nobody says %q, but %q", want, told)
		}
	}
	w.crash(w.machines[1])
	w.cfg.Limits = few
	w.start(w.machines[1])
	w.must(10*time.Second, "two were told so", func() bool {
		for _, m := range w.machines {
			if m.q.Limits() != few {
				return false
			}
		}
		return true
	})
}

// Loopback is no source: a network on one machine for development has no share.
func TestLoopbackHasNoShare(t *testing.T) {
	w := newWorld(t, 3, 85)
	w.startAll()
	w.must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(100, netip.MustParseAddr("127.0.0.1"))
	w.must(10*time.Second, "all are in", func() bool {
		for _, p := range crowd {
			if !w.in(p) {
				return false
			}
		}
		return true
	})
}

// After a recovery time goes on though no entry is written: a source that had spent
// all it may is admitted again. Cases that were given up have spent nothing.
func TestRecoveryLetsTimePass(t *testing.T) {
	w := newWorld(t, 1, 86)
	m := w.machines[0]
	w.start(m)
	w.newPerson()
	w.must(10*time.Second, "one is in", func() bool { return m.q.Epoch() == 1 })
	w.run(time.Second)
	w.crash(m)
	w.cfg.Recover = true
	w.start(m)
	w.cfg.Recover = false
	newcomer, given := person{n: 200, key: newKeyed(200), addr: peerAddr(200), at: 1}, person{n: 300, key: newKeyed(300), addr: seedAddr(99), at: 1}
	source, other := hearsay.Source(newcomer.addr.Addr()), hearsay.Source(given.addr.Addr())
	w.step(m, func() {
		b := &m.q.state.Usage
		most := ledger.AnAdmission * int64(b.Limits.MembersOfSource)
		b.Spend(source, most-b.SpentOf(source, b.Now), 0)
		network := b.Network.Spent
		if opened := m.q.state.OpenAdmission(hearsay.CaseID(1<<40), &ledger.Command{Op: ledger.OpAdmit, Claim: *given.claim()}); len(opened) != 1 || opened[0].Outcome != ledger.OutOpened {
			t.Fatalf("not opened: %+v", opened)
		}
		if _, err := m.q.Recover(w.now); err != nil {
			t.Fatal(err)
		}
		if b = &m.q.state.Usage; b.SpentOf(other, b.Now) != 0 || b.Network.Spent != network {
			t.Errorf("a case that was given up has spent %d, and the network %d instead of %d", b.SpentOf(other, b.Now), b.Network.Spent, network)
		}
	})
	w.must(10*time.Second, "it is ready", func() bool { return m.q.Ready() })
	admit := func() (a Answer) {
		w.step(m, func() { a = m.q.Admit(w.now, newcomer.claim()) })
		return a
	}
	if a := admit(); a.Code != AnswerRefused {
		t.Fatalf("%+v: the test shows nothing", a)
	}
	w.run(10 * time.Minute)
	if a := admit(); a.Code != AnswerPending {
		t.Errorf("after ten minutes: %+v", a)
	}
}

// Limits that no seed was told do not stay: seeds that were rebuilt with the defaults
// say so, as others hold.
func TestLimitsOfSeedsThatWereRebuilt(t *testing.T) {
	w := newWorld(t, 3, 87)
	common := w.cfg.Limits
	w.cfg.Limits.Members = 5
	w.startAll()
	few := func() bool { return w.agree() && w.machines[0].q.Limits().Members == 5 }
	w.must(20*time.Second, "few may be in", few)
	w.newPerson()
	w.must(10*time.Second, "one is in", func() bool { return w.agree() && w.machines[0].q.Epoch() == 1 })
	w.cfg.Limits = common
	for _, m := range w.machines {
		w.wipe(m)
		w.run(time.Second)
		w.start(m)
		w.must(20*time.Second, "it has its seat", w.agree)
	}
	w.must(20*time.Second, "the defaults hold", func() bool {
		return !slices.ContainsFunc(w.machines, func(m *machine) bool { return m.q.Limits() != common })
	})
}

// In a crowd of those who ask to be in, from any number of sources, nobody is told what is not known: one whose turn another
// takes, or of which an answer may have been lost, is told that many ask, and one whose probe has not ended that the seed abstains.
func TestCrowdIsToldOfItself(t *testing.T) {
	w := followed(t, 37, 3)
	m := w.machines[0]
	claim := func(n int) *hearsay.Claim { return knocker(n, byte(n%250)) }
	told := func(c *hearsay.Claim) (why string) {
		for _, one := range m.q.Silent() {
			if one.Claim.Subject == c.Subject {
				why = one.Why
			}
		}
		return why
	}
	fill := func(begin int) {
		w.step(m, func() {
			for n := range maxKnocks {
				m.q.knocks[claim(begin+n).Subject] = &knock{claim: *claim(begin + n), began: w.now, asked: true}
			}
		})
	}
	first := claim(0)
	fill(0)
	w.now = w.now.Add(yieldAfter)
	w.step(m, func() { m.q.Admit(w.now, knocker(10_000, 251)) })
	if silent := m.q.Silent(); len(silent) != 1 || !strings.HasPrefix(silent[0].Why, "busy: 384 ask to be in at once, and another has its turn") {
		t.Errorf("one whose turn another takes: %+v", silent)
	}
	last := claim(maxKnocks + 300)
	w.step(m, func() {
		clear(m.q.knocks)
		m.q.Silent()
		for n := range maxKnocks - 1 {
			m.q.knocks[claim(n).Subject] = &knock{claim: *claim(n), began: w.now, asked: true}
		}
		m.q.knocks[last.Subject] = &knock{claim: *last, began: w.now, missed: true}
		m.q.tickKnocks(w.now)
	})
	if why := told(last); !strings.HasPrefix(why, "busy: no answer came from ") {
		t.Errorf("one of which no answer came: %q", why)
	}
	w.step(m, func() { m.q.tickKnocks(w.now.Add(admitPatience)) })
	if why := told(first); why != Abstains {
		t.Errorf("one whose probe has not ended: %q", why)
	}
}
