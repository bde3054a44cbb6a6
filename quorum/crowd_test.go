package quorum

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// crowd has so many identities of one host ask to be in, again and again.
func (w *world) crowd(n int, host netip.Addr) (people []*person) {
	for i := range n {
		p := &person{N: 10_000 + i, Key: newKeyed(uint64(700_000 + i)), Up: true, At: hearsay.Incarnation(w.Now.UnixMilli())}
		p.Addr = netip.AddrPortFrom(host, uint16(20_000+i))
		w.People, people = append(w.People, p), append(people, p)
		w.Tend(p)
	}
	return people
}

// A host gets no more in than its share, however many identities it makes; others get
// in beside it.
func TestOneHostHasAShare(t *testing.T) {
	w := newWorld(t, 3, 81)
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(400, netip.MustParseAddr("203.0.113.7"))
	w.Run(20 * time.Second)
	in := 0
	for _, p := range crowd {
		if w.In(p) {
			in++
		}
	}
	if in != 64 {
		t.Errorf("%d of 400 identities of one host are in, want 64", in)
	}
	honest := w.NewPerson()
	w.Must(5*time.Second, "one from elsewhere is in", func() bool { return w.In(honest) })
}

// Who registers and leaves over and over gets its share at once, and then some stays a
// minute: the ledger grows no faster.
func TestRegisterAndLeave(t *testing.T) {
	w := newWorld(t, 3, 82)
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(40, netip.MustParseAddr("203.0.113.7"))
	var cycle func()
	cycle = func() {
		for _, p := range crowd {
			m := w.Machines[0]
			if one, ok := m.Q.Member(p.ID()); ok {
				l := signedLeave(w, one.Stay, p)
				w.Step(m, func() { m.Q.Leave(w.Now, &l) })
			}
		}
		w.After(100*time.Millisecond, cycle)
	}
	cycle()
	w.Run(2 * time.Minute)
	before := w.Machines[0].Q.Epoch()
	w.Run(10 * time.Minute)
	if grown := w.Machines[0].Q.Epoch() - before; grown > 10*8 || grown < 10 {
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
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(peers, netip.MustParseAddr("203.0.113.7"))
	in := func() (n int) {
		for _, p := range crowd {
			if w.In(p) {
				n++
			}
		}
		return n
	}
	w.Must(20*time.Second, "they are in", func() bool { return in() == peers })
	w.Run(stay)
	for _, p := range crowd {
		p.Up = false
	}
	w.Step(w.Machines[0], func() {
		for _, p := range crowd {
			one, _ := w.Machines[0].Q.Member(p.ID())
			l := signedLeave(w, one.Stay, p)
			w.Machines[0].Q.Leave(w.Now, &l)
		}
	})
	w.Must(10*time.Second, "they are out", func() bool { return in() == 0 })
	for _, p := range crowd {
		p.At, p.Up = hearsay.Incarnation(w.Now.UnixMilli()), true
	}
	if w.Run(20 * time.Second); in() < peers {
		t.Errorf("20 s after %d are started again, %v after their first start, %d are in", peers, stay, in())
	}
}

// What a crowd takes is not what members need that were removed: they are in again at
// once, though newcomers of their own source find no room.
func TestRemovedMembersComeBackPastACrowd(t *testing.T) {
	w := newWorld(t, 3, 83)
	w.cfg.Limits = hearsay.Limits{Members: 12, MembersOfSource: 6, Admissions: 1, SourceAdmissions: 1}
	w.StartAll()
	w.Must(10*time.Second, "the limits hold", func() bool { return w.agree() && w.Machines[0].Q.Limits() == w.cfg.Limits })
	host := netip.MustParseAddr("203.0.113.7")
	honest := w.crowd(3, host)
	elsewhere := w.NewPerson()
	w.Must(10*time.Second, "they are in", func() bool { return w.In(honest[0]) && w.In(honest[1]) && w.In(honest[2]) && w.In(elsewhere) })
	for round := range 2 {
		for _, p := range append(honest, elsewhere) {
			p.Up = false
		}
		w.Must(40*time.Second, "they are out", func() bool { return !w.In(honest[0]) && !w.In(honest[1]) && !w.In(honest[2]) && !w.In(elsewhere) })
		if round == 0 {
			for i := range 30 { // of this host and of others
				p := &person{N: 20_000 + i, Key: newKeyed(uint64(800_000 + i)), Up: true, At: hearsay.Incarnation(w.Now.UnixMilli())}
				p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(7 + i/6)}), uint16(30_000+i))
				w.People = append(w.People, p)
				w.Tend(p)
			}
		}
		w.Run(5 * time.Second)
		full := w.Machines[0].Q.state.Members.Count
		if full < 8 || full > 12 {
			t.Fatalf("%d members: the test shows nothing", full)
		}
		for _, p := range append(honest, elsewhere) {
			p.Up = true
		}
		w.Must(5*time.Second, "they are in again", func() bool { return w.In(honest[0]) && w.In(honest[1]) && w.In(honest[2]) && w.In(elsewhere) })
	}
	if n := w.Machines[0].Drops[hearsay.DropTableFull] + w.Machines[1].Drops[hearsay.DropTableFull] + w.Machines[2].Drops[hearsay.DropTableFull]; n == 0 {
		t.Error("nobody was refused: the test shows nothing")
	}
}

// Limits hold that a quorum of seeds was told; who was told others is told of.
func TestLimitsOfAQuorum(t *testing.T) {
	w := newWorld(t, 3, 84)
	var told []string
	w.Teller = func(_ *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventSeedDiffers {
			told = append(told, e.Text)
		}
	}
	common := w.cfg.Limits
	few := common
	few.Members = 5
	w.cfg.Limits = few
	w.Start(w.Machines[0])
	w.cfg.Limits = common
	w.Start(w.Machines[1])
	w.Start(w.Machines[2])
	w.Must(10*time.Second, "founded", w.agree)
	w.Run(10 * time.Second)
	for _, m := range w.Machines {
		if m.Q.Limits() != common {
			t.Errorf("by one seed's word seed %d goes by %+v", m.Slot, m.Q.Limits())
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
	w.Crash(w.Machines[1])
	w.cfg.Limits = few
	w.Start(w.Machines[1])
	w.Must(10*time.Second, "two were told so", func() bool {
		for _, m := range w.Machines {
			if m.Q.Limits() != few {
				return false
			}
		}
		return true
	})
}

// Loopback is no source: a network on one machine for development has no share.
func TestLoopbackHasNoShare(t *testing.T) {
	w := newWorld(t, 3, 85)
	w.StartAll()
	w.Must(10*time.Second, "founded", w.agree)
	crowd := w.crowd(100, netip.MustParseAddr("127.0.0.1"))
	w.Must(10*time.Second, "all are in", func() bool {
		for _, p := range crowd {
			if !w.In(p) {
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
	m := w.Machines[0]
	w.Start(m)
	w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return m.Q.Epoch() == 1 })
	w.Run(time.Second)
	w.Crash(m)
	w.cfg.Recover = true
	w.Start(m)
	w.cfg.Recover = false
	newcomer, given := person{N: 200, Key: newKeyed(200), Addr: quorumtest.PeerAddr(200), At: 1}, person{N: 300, Key: newKeyed(300), Addr: seedAddr(99), At: 1}
	source, other := core.Source(newcomer.Addr.Addr()), core.Source(given.Addr.Addr())
	w.Step(m, func() {
		b := &m.Q.state.Usage
		most := ledger.AnAdmission * int64(b.Limits.MembersOfSource)
		b.Spend(source, most-b.SpentOf(source, b.Now), 0)
		network := b.Network.Spent
		if opened := m.Q.state.OpenAdmission(hearsay.CaseID(1<<40), &ledger.Command{Op: ledger.OpAdmit, Claim: *given.Claim()}); len(opened) != 1 || opened[0].Outcome != ledger.OutOpened {
			t.Fatalf("not opened: %+v", opened)
		}
		if _, err := m.Q.Recover(w.Now); err != nil {
			t.Fatal(err)
		}
		if b = &m.Q.state.Usage; b.SpentOf(other, b.Now) != 0 || b.Network.Spent != network {
			t.Errorf("a case that was given up has spent %d, and the network %d instead of %d", b.SpentOf(other, b.Now), b.Network.Spent, network)
		}
	})
	w.Must(10*time.Second, "it is ready", func() bool { return m.Q.Ready() })
	admit := func() (a hearsay.Outcome) {
		w.Step(m, func() { a = m.Q.Admit(w.Now, newcomer.Claim()) })
		return a
	}
	if a := admit(); a.Code != hearsay.OutcomeRefused {
		t.Fatalf("%+v: the test shows nothing", a)
	}
	w.Run(10 * time.Minute)
	if a := admit(); a.Code != hearsay.OutcomePending {
		t.Errorf("after ten minutes: %+v", a)
	}
}

// Limits that no seed was told do not stay: seeds that were rebuilt with the defaults
// say so, as others hold.
func TestLimitsOfSeedsThatWereRebuilt(t *testing.T) {
	w := newWorld(t, 3, 87)
	common := w.cfg.Limits
	w.cfg.Limits.Members = 5
	w.StartAll()
	few := func() bool { return w.agree() && w.Machines[0].Q.Limits().Members == 5 }
	w.Must(20*time.Second, "few may be in", few)
	w.NewPerson()
	w.Must(10*time.Second, "one is in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 1 })
	w.cfg.Limits = common
	for _, m := range w.Machines {
		w.Wipe(m)
		w.Run(time.Second)
		w.Start(m)
		w.Must(20*time.Second, "it has its seat", w.agree)
	}
	w.Must(20*time.Second, "the defaults hold", func() bool {
		return !slices.ContainsFunc(w.Machines, func(m *machine) bool { return m.Q.Limits() != common })
	})
}

// In a crowd of those who ask to be in, from any number of sources, nobody is told what is not known: one
// whose turn another takes, or of which an answer may have been lost, is told that many ask, and one whose
// probe has not ended that the seed abstains.
func TestCrowdIsToldOfItself(t *testing.T) {
	w := followed(t, 37, 3)
	m := w.Machines[0]
	claim := func(n int) *hearsay.Claim { return knocker(n, byte(n%250)) }
	told := func(c *hearsay.Claim) (why string) {
		for _, one := range m.Q.Silent() {
			if one.Claim.Subject == c.Subject {
				why = one.Why
			}
		}
		return why
	}
	fill := func(begin int) {
		w.Step(m, func() {
			for n := range maxJoiners {
				m.Q.joiners.pending[claim(begin+n).Subject] = &joiner{claim: *claim(begin + n), began: w.Now, asked: true}
			}
		})
	}
	first := claim(0)
	fill(0)
	w.Now = w.Now.Add(yieldAfter)
	w.Step(m, func() { m.Q.Admit(w.Now, knocker(10_000, 251)) })
	if silent := m.Q.Silent(); len(silent) != 1 || !strings.HasPrefix(silent[0].Why, "busy: 384 ask to be in at once, and another has its turn") {
		t.Errorf("one whose turn another takes: %+v", silent)
	}
	last := claim(maxJoiners + 300)
	w.Step(m, func() {
		clear(m.Q.joiners.pending)
		m.Q.Silent()
		for n := range maxJoiners - 1 {
			m.Q.joiners.pending[claim(n).Subject] = &joiner{claim: *claim(n), began: w.Now, asked: true}
		}
		m.Q.joiners.pending[last.Subject] = &joiner{claim: *last, began: w.Now, missed: true}
		m.Q.joiners.tick(w.Now)
	})
	if why := told(last); !strings.HasPrefix(why, "busy: no answer came from ") {
		t.Errorf("one of which no answer came: %q", why)
	}
	w.Step(m, func() { m.Q.joiners.tick(w.Now.Add(admitPatience)) })
	if why := told(first); why != abstains {
		t.Errorf("one whose probe has not ended: %q", why)
	}
}
