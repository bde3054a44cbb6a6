package quorum

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay"
	"hearsay/ledger"
	"hearsay/quota"
	"hearsay/ring"
	"hearsay/testkit"
)

// A world is some seeds, the disks below them and the peers around them, in
// virtual time. Everything is drawn from one seed, and after each step the
// rules are checked.

var testNetwork = hearsay.NetworkIDOf("test")

// newKeyed makes the signer of a number.
func newKeyed(n uint64) *testkit.Signer { return testkit.NewSigner(n, 0, 0) }

// disk keeps what was synced, and of the rest whatever a crash leaves.
type disk struct {
	durable map[string]hearsay.Record
}

// place gives where a record stands, and whether it drops what is there.
func place(r hearsay.Record) (key string, drop bool) {
	switch r := r.(type) {
	case *hearsay.SeedLife:
		return "life", false
	case *hearsay.SeedPin:
		return fmt.Sprintf("pin %d", r.Seat.Slot), false
	case *hearsay.LogState:
		return "state", false
	case *hearsay.KeptEntry:
		return fmt.Sprintf("entry %d", r.Entry.Index), r.Dropped
	case *hearsay.KeptSnapshot:
		return fmt.Sprintf("snapshot %d", r.Snapshot.Index), r.Dropped
	case *hearsay.KeptRuling:
		return fmt.Sprintf("ruling %d", r.Ruling.Epoch), r.Dropped
	case *hearsay.KeptHead:
		return fmt.Sprintf("head %d", r.Head.Slot), false
	case *hearsay.KeptRival:
		return fmt.Sprintf("rival %d", r.Slot), r.Dropped
	}
	panic(fmt.Sprintf("no such record: %T", r))
}

func (d *disk) apply(r hearsay.Record) {
	if d.durable == nil {
		d.durable = make(map[string]hearsay.Record)
	}
	key, drop := place(r)
	if drop {
		delete(d.durable, key)
	} else {
		d.durable[key] = r
	}
}

func (d *disk) sync(records []hearsay.Record) {
	for _, r := range records {
		d.apply(r)
	}
}

func (d *disk) load() (records []hearsay.Record) {
	for _, key := range slices.Sorted(maps.Keys(d.durable)) {
		records = append(records, d.durable[key])
	}
	return records
}

// machine is one seed on its disk.
type machine struct {
	slot   int
	addr   netip.AddrPort
	signer *testkit.Signer
	past   []*testkit.Signer // keys of earlier lives
	disk   disk
	drops  hearsay.Drops
	out    *hearsay.Effects
	q      *Quorum // nil: it is down
	life   int     // counts starts, so that what belongs to an earlier one is dropped
	lane   []hearsay.Effects
	busy   bool
	wakeAt time.Time // the process stands still until then
	late   bool      // its detector abstains
}

// person is one peer.
type person struct {
	n     int
	key   *testkit.Signer
	addr  netip.AddrPort
	at    hearsay.Incarnation
	up    bool
	guest bool

	covered bool // nobody reports it
}

func (p *person) id() hearsay.NodeID {
	if p.guest {
		return hearsay.GuestID(testNetwork, p.addr)
	}
	return p.key.Public().NodeID()
}

func (p *person) claim() *hearsay.Claim {
	c := &hearsay.Claim{State: hearsay.StateAlive, Incarnation: p.at}
	c.Card = hearsay.Card{Name: fmt.Sprintf("p%d", p.n), Addr: p.addr, Role: hearsay.RolePeer}
	if p.guest {
		c.Subject = p.id()
		return c
	}
	c.Sign(testNetwork, p.key)
	return c
}

type happening struct {
	at time.Time
	n  int
	do func()
}

type world struct {
	t        testing.TB
	random   *rand.Rand
	now      time.Time
	cfg      Config
	machines []*machine
	people   []*person
	queue    []happening
	count    int
	nextKey  uint64

	loss      float64
	slow      time.Duration // at most, between two machines
	syncs     time.Duration // at most, of the disk
	cut       func(from, to int) bool
	followers []*following
	forks     bool          // two ledgers are what is meant
	unread    bool          // no seed reads old rulings from its disk
	poll      time.Duration // of followers, if it is not the default
	log       *bytes.Buffer // of the story, if there is one
	silentFor time.Duration // what a probe takes that is not answered; then all seeds hear of it, too; 0: 300 ms, and none does
	teller    func(m *machine, e hearsay.Event)
	stepped   func(m *machine, out *hearsay.Effects)

	// What the rules are checked against.
	rulings map[hearsay.Epoch]*hearsay.Ruling
	hashes  map[hearsay.Epoch]hearsay.Hash
	epochs  map[int]hearsay.Epoch // by slot: newest that was told to the outside
	cast    map[string]bool       // ballots that a seed really cast
	over    map[hearsay.Stay]bool
	aborts  int
}

func seedAddr(slot int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(slot + 1)}), 5000)
}

// sender knows seeds and people by their addresses.
func (w *world) sender(p *hearsay.Packet) quota.Sender {
	switch {
	case slices.ContainsFunc(w.cfg.Seeds, func(s ledger.Seed) bool { return s.Addr == p.Addr }):
		return quota.Sender{Class: quota.Seat, Addr: p.Addr}
	case slices.ContainsFunc(w.people, func(one *person) bool { return one.addr == p.Addr }):
		return quota.Sender{Class: quota.Member, Addr: p.Addr}
	}
	return quota.Sender{Addr: p.Addr}
}

func newWorld(t testing.TB, n int, seed uint64) *world {
	if test, ok := t.(*testing.T); ok {
		cryptotest.SetGlobalRandom(test, seed)
	}
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.UnixMilli(1_763_000_000_000), cfg: DefaultConfig(),
		slow: 10 * time.Millisecond, syncs: 10 * time.Millisecond, nextKey: 1000,
		rulings: make(map[hearsay.Epoch]*hearsay.Ruling), hashes: make(map[hearsay.Epoch]hearsay.Hash),
		epochs: make(map[int]hearsay.Epoch), cast: make(map[string]bool), over: make(map[hearsay.Stay]bool),
	}
	w.cfg.Network = testNetwork
	for slot := range n {
		w.cfg.Seeds = append(w.cfg.Seeds, ledger.Seed{Addr: seedAddr(slot)})
		w.machines = append(w.machines, &machine{slot: slot, addr: seedAddr(slot), signer: newKeyed(uint64(slot))})
	}
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	h := happening{w.now.Add(d), w.count, do}
	at, _ := slices.BinarySearchFunc(w.queue, h, func(a, b happening) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.n, b.n)) })
	w.queue = slices.Insert(w.queue, at, h)
}

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(max(1, d))))
}

// start starts a seed on what its disk holds.
func (w *world) start(m *machine) {
	w.t.Helper()
	m.out, m.life = &hearsay.Effects{}, m.life+1
	cfg := w.cfg
	cfg.Slot = m.slot
	q, err := New(cfg, m.signer, rand.New(rand.NewPCG(w.random.Uint64(), 2)), Directory{Sender: w.sender}, m.disk.load(), &m.drops, m.out, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	m.q = q
	w.epochs[m.slot] = max(w.epochs[m.slot], q.Epoch()) // the node takes the roster as it is
	w.step(m, func() { q.Tick(w.now) })
}

func (w *world) startAll() {
	for _, m := range w.machines {
		w.start(m)
	}
}

// crash kills a seed: of what was not synced each write by itself is done or
// not.
func (w *world) crash(m *machine) {
	m.q, m.life = nil, m.life+1
	for _, out := range m.lane {
		for _, r := range out.Persist {
			if w.random.IntN(2) == 0 {
				m.disk.apply(r)
			}
		}
	}
	m.lane, m.busy = nil, false
}

// wipe takes a seed's disk away, its identity too.
func (w *world) wipe(m *machine) {
	w.crash(m)
	m.disk, m.past = disk{}, append(m.past, m.signer)
	w.nextKey++
	m.signer = newKeyed(w.nextKey)
}

// step lets a seed do something and takes what it wants carried out.
func (w *world) step(m *machine, do func()) {
	do()
	out := *m.out
	*m.out = hearsay.Effects{}
	if len(out.Now) > 0 {
		w.t.Fatal("something is sent before what it rests on is durable")
	}
	for _, p := range out.Persist {
		w.noteEntry(m, p)
	}
	w.inspect(m)
	if w.stepped != nil {
		w.stepped(m, &out)
	}
	for _, read := range out.Read {
		w.read(m, read)
	}
	if !out.Empty() {
		m.lane = append(m.lane, out)
		w.carryOn(m)
	}
	life := m.life
	w.after(max(0, m.q.Deadline().Sub(w.now)), func() {
		w.awake(m, func() {
			if m.life == life && !m.q.Deadline().After(w.now) {
				w.step(m, func() { m.q.Tick(w.now) })
			}
		})
	})
}

// read reads from a seed's disk what it has asked for.
func (w *world) read(m *machine, read hearsay.OlderRead) {
	life := m.life
	w.after(w.upTo(w.syncs), func() {
		var found []*hearsay.Ruling
		for epoch := read.Before - 1; epoch > 0 && len(found) < 8 && !w.unread; epoch-- {
			kept, is := m.disk.durable[fmt.Sprintf("ruling %d", epoch)].(*hearsay.KeptRuling)
			if !is {
				break
			}
			found = append(found, kept.Ruling)
		}
		slices.Reverse(found)
		if m.life == life {
			w.step(m, func() { m.q.Older(read.Before, found) })
		}
	})
}

// awake lets a seed do something when its process goes on.
func (w *world) awake(m *machine, do func()) {
	if d := m.wakeAt.Sub(w.now); d > 0 {
		w.after(d, func() { w.awake(m, do) })
		return
	}
	do()
}

// carryOn syncs all that waits at once, then sends, then tells.
func (w *world) carryOn(m *machine) {
	if m.busy || len(m.lane) == 0 {
		return
	}
	m.busy = true
	life, n := m.life, len(m.lane)
	w.after(w.upTo(w.syncs), func() {
		w.awake(m, func() {
			if m.life == life {
				w.carryOut(m, n)
			}
		})
	})
}

// carryOut makes durable what was first in the lane, and does what follows.
func (w *world) carryOut(m *machine, n int) {
	life, done := m.life, m.lane[:n]
	m.lane, m.busy = slices.Clone(m.lane[n:]), false
	for i := range done {
		m.disk.sync(done[i].Persist)
	}
	for i := range done {
		for _, p := range done[i].Send {
			w.send(m.slot, m.signer.Public().NodeID(), m.addr, p)
		}
		for _, e := range done[i].Events {
			w.told(m, e)
			if m.life != life {
				return
			}
		}
	}
	w.carryOn(m)
}

// send brings a packet to the seed at its address, as bytes and back.
func (w *world) send(from int, id hearsay.NodeID, addr netip.AddrPort, p hearsay.Packet) {
	to := slices.IndexFunc(w.machines, func(m *machine) bool { return m.q != nil && m.addr == p.Addr })
	if w.random.Float64() < w.loss || w.cut != nil && to >= 0 && w.cut(from, w.machines[to].slot) {
		return
	}
	body := reread(w.t, p.Body)
	w.after(w.upTo(w.slow), func() {
		for _, m := range w.machines {
			if m.addr == p.Addr {
				w.awake(m, func() {
					if m.q != nil {
						in := hearsay.Packet{From: id, Addr: addr, Stream: true, Body: body}
						w.step(m, func() { m.q.Receive(w.now, &in) })
					}
				})
			}
		}
		for _, f := range w.followers {
			if f.addr == p.Addr && !f.deaf {
				f.step(func() { f.Receive(w.now, &hearsay.Packet{From: id, Addr: addr, Stream: true, Body: body}) })
			}
		}
	})
}

// reread sends a message through its canonical bytes.
func reread(t testing.TB, body hearsay.Message) hearsay.Message {
	var r *hearsay.Canonical
	var back hearsay.Message
	switch m := body.(type) {
	case *hearsay.SeatHello:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.SeatHello()
	case *hearsay.Raft:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.Raft()
	case *hearsay.Rulings:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.Rulings()
	case *hearsay.LedgerReq:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.LedgerReq()
	case *hearsay.RosterPart:
		r = hearsay.NewCanonical(m.AppendBinary(nil))
		back = r.RosterPart()
	default:
		t.Fatalf("sends %T", body)
	}
	if r.Failed() || r.Left() > 0 {
		t.Fatalf("not canonical: %+v", body)
	}
	return back
}

// told is what the application of a seed hears.
func (w *world) told(m *machine, e hearsay.Event) {
	if w.teller != nil {
		w.teller(m, e)
	}
	if w.forks && (e.Kind == hearsay.EventRuled || e.Kind == hearsay.EventRosterProven) {
		return
	}
	switch e.Kind {
	case hearsay.EventProbeWanted:
		w.probe(m, e)
	case hearsay.EventRuled:
		w.ruled(m, e.Ruling)
	case hearsay.EventRosterProven:
		w.grow(m, e.Epoch)
	case hearsay.EventCaseAborted:
		w.aborts++
	}
}

// probe lets a seed ping a peer.
func (w *world) probe(m *machine, e hearsay.Event) {
	began, life := w.now, m.life
	up := slices.ContainsFunc(w.people, func(p *person) bool { return p.up && p.addr == e.Addr && p.id() == e.Subject })
	took, verdict := 20*time.Millisecond, hearsay.VerdictReachable
	if !up {
		took, verdict = max(w.silentFor, 300*time.Millisecond), hearsay.VerdictUnreachable
	}
	if m.late {
		took, verdict = 0, hearsay.VerdictAbstains
	}
	w.after(took, func() {
		w.awake(m, func() {
			if m.life != life {
				return
			}
			accuses := false
			w.step(m, func() {
				accuses = m.q.Probed(w.now, Probe{Subject: e.Subject, Addr: e.Addr, Verdict: verdict, Began: began})
			})
			if accuses && w.silentFor > 0 {
				for _, one := range w.machines {
					w.step(one, func() { one.q.Suspected(w.now, e.Subject) })
				}
			}
		})
	})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	w.runUntil(d, func() bool { return false })
}

// runUntil lets time pass until something is so, and reports whether it is.
func (w *world) runUntil(d time.Duration, done func() bool) bool {
	w.t.Helper()
	end := w.now.Add(d)
	for !done() {
		if len(w.queue) == 0 || w.queue[0].at.After(end) {
			w.now = end
			return done()
		}
		next := w.queue[0]
		w.queue = w.queue[1:]
		w.now = next.at
		next.do()
		if w.t.Failed() {
			w.t.FailNow()
		}
	}
	return true
}

func (w *world) must(d time.Duration, what string, done func() bool) {
	w.t.Helper()
	if !w.runUntil(d, done) {
		w.t.Fatalf("after %v: %s: not so\n%s", d, what, w.describe())
	}
}

func (w *world) describe() string {
	var b bytes.Buffer
	for _, m := range w.machines {
		if m.q == nil {
			fmt.Fprintf(&b, "seed %d: down\n", m.slot)
			continue
		}
		leader, ok := m.q.Leader()
		fmt.Fprintf(&b, "seed %d: seated %t, epoch %d, proven %d, leader %d %t", m.slot, m.q.Seated(), m.q.Epoch(), m.q.Proven(), leader, ok)
		if m.q.state != nil {
			fmt.Fprintf(&b, ", members %d, cases %d, applied %d, lowest %d", m.q.state.Members.Count, len(m.q.state.Cases), m.q.replica.log.applied, m.q.chain.Lowest)
			fmt.Fprintf(&b, ", term %d", m.q.replica.node.BasicStatus().GetTerm())
		}
		for reason, n := range m.drops {
			if n > 0 {
				fmt.Fprintf(&b, ", %d %v", n, hearsay.Drop(reason))
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

func peerAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 6000)
}

// newPerson makes a peer that runs and is not in.
func (w *world) newPerson() *person {
	n := len(w.people)
	p := &person{n: n, key: newKeyed(uint64(100_000 + n)), up: true, at: hearsay.Incarnation(w.now.UnixMilli())}
	p.addr = peerAddr(n)
	w.people = append(w.people, p)
	w.tend(p)
	return p
}

// anySeed gives one that is up.
func (w *world) anySeed() *machine {
	up := slices.DeleteFunc(slices.Clone(w.machines), func(m *machine) bool { return m.q == nil })
	if len(up) == 0 {
		return nil
	}
	return up[w.random.IntN(len(up))]
}

// tend has a peer ask for admission whenever it is up and not in, and the
// others report it whenever it is down and in.
func (w *world) tend(p *person) {
	switch m := w.anySeed(); {
	case m == nil:
	case p.up && !w.in(p):
		if w.once(p) {
			p.at = max(p.at+1, hearsay.Incarnation(w.now.UnixMilli()))
		}
		w.step(m, func() { m.q.Admit(w.now, p.claim()) })
	case !p.up && w.in(p) && !p.covered:
		w.report(m, p)
	}
	w.after(500*time.Millisecond+w.upTo(500*time.Millisecond), func() { w.tend(p) })
}

// once reports whether a peer has been in before: then it learns that it is
// no longer, and raises its incarnation.
func (w *world) once(p *person) bool {
	for _, r := range w.rulings {
		if r.Stay.ID == p.id() {
			return true
		}
	}
	return false
}

// in reports whether a peer is in, by a quorum of the seeds.
func (w *world) in(p *person) bool {
	n := 0
	for _, m := range w.machines {
		if m.q != nil {
			if _, ok := m.q.Member(p.id()); ok {
				n++
			}
		}
	}
	return n >= hearsay.QuorumOf(len(w.machines))
}

// ledger is what is signed in this world is about: as a seed has it that is up.
func (w *world) ledger() (ledger hearsay.LedgerID) {
	for _, m := range w.machines {
		if m.q != nil && !m.q.founding.IsZero() {
			return m.q.Ledger()
		}
	}
	return ledger
}

// evidence makes what honest observers would sign about a peer, by the roster
// of one seed.
func (w *world) evidence(m *machine, about *person, verdict hearsay.Verdict) *hearsay.Evidence {
	member, ok := m.q.Member(about.id())
	if !ok {
		return nil
	}
	var ids []hearsay.NodeID
	for _, one := range m.q.Roster(nil) {
		ids = append(ids, one.Stay.ID)
	}
	observers := ring.Observers(nil, about.id(), ring.Of(ids), min(w.cfg.Observers, len(ids)-1))
	e := &hearsay.Evidence{
		Subject: about.id(), Incarnation: member.Claim.Incarnation, Round: hearsay.Round(w.random.Uint64()), Rule: hearsay.RuleMajority,
		Suspected: w.now.UnixMilli(), Condemned: w.now.UnixMilli(), Observers: uint8(len(observers)), Needed: uint8(len(observers)/2 + 1),
	}
	for _, p := range w.people {
		if slices.Contains(observers, p.id()) && p.up {
			s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: verdict, At: w.now.UnixMilli()}
			s.Sign(m.q.Ledger(), p.key)
			e.Statements = append(e.Statements, s)
			e.Accuser = p.id()
		}
	}
	return e
}

// report has the others report a peer to a seed.
func (w *world) report(m *machine, p *person) {
	w.step(m, func() {
		m.q.Suspected(w.now, p.id())
		if e := w.evidence(m, p, hearsay.VerdictUnreachable); e != nil && len(e.Statements) >= int(e.Needed) {
			m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}, By: e.Accuser, Evidence: e})
		} else {
			m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}})
		}
	})
}
