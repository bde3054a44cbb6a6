// Package quorumtest has what the tests of seeds and of peers stand on: seeds, the disks below them and the
// peers around them, in virtual time. It drives seeds by what they export, and so both packages can use it.
package quorumtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quota"
	"hearsay/testkit"
)

// Network is that of every world.
var Network = hearsay.NetworkIDOf("test")

// NewKeyed makes the signer of a number.
func NewKeyed(n uint64) *testkit.Signer { return testkit.NewSigner(n, 0, 0) }

// Seed is what a world asks of a seed: *quorum.Quorum.
type Seed interface {
	comparable
	Tick(now time.Time)
	Deadline() time.Time
	Receive(now time.Time, p *core.Packet) bool
	Older(before hearsay.Epoch, rulings []*hearsay.Ruling)
	Suspected(now time.Time, id hearsay.NodeID)

	Seated() bool
	Votes(slot int) bool
	Leader() (slot int, ok bool)
	Epoch() hearsay.Epoch
	Proven() hearsay.Epoch
	OldestOnDisk() hearsay.Epoch
	Head() hearsay.Hash
	Ledger() hearsay.LedgerID
	Member(id hearsay.NodeID) (ledger.Member, bool)
	Roster(dst []ledger.Member) []ledger.Member
}

// Driver is what a world has a seed do in the seed's own terms.
type Driver[Q Seed] struct {
	Open   func(m *Machine[Q]) (Q, error) // makes a seed of what its disk holds
	Admit  func(q Q, now time.Time, c *hearsay.Claim)
	Report func(q Q, now time.Time, id, by hearsay.NodeID, e *hearsay.Evidence) // e may be nil
	Probed func(q Q, now time.Time, wanted *hearsay.Event, found hearsay.Verdict, began time.Time) (accuses bool)
	Look   func(m *Machine[Q])        // at a seed after each of its steps; nil: nothing more is checked
	Tell   func(m *Machine[Q]) string // what more Describe says of a seed; nil: nothing
}

// Machine is one seed on its disk.
type Machine[Q Seed] struct {
	hearsay.Stats // what it counts

	Slot   int
	Addr   netip.AddrPort
	Signer *testkit.Signer
	Past   []*testkit.Signer // keys of earlier lives
	Disk   testkit.Disk
	Out    *core.Effects
	Q      Q   // nil: it is down
	Life   int // counts starts, so that what belongs to an earlier one is dropped
	Queue  []core.Effects
	busy   bool
	WakeAt time.Time // the process stands still until then
	Late   bool      // its detector abstains
}

// World is some seeds, the disks below them and the peers around them, in
// virtual time. Everything is drawn from one seed, and after each step the
// rules are checked.
type World[Q Seed] struct {
	T        testing.TB
	Now      time.Time
	Machines []*Machine[Q]
	Driver   Driver[Q]
	People   []*Person
	queue    testkit.Queue[func()]
	nextKey  uint64

	testkit.Links
	Syncs  time.Duration // at most, of the disk
	Peers  []*Peer[Q]
	Forks  bool // two ledgers are what is meant
	Unread bool // no seed reads old rulings from its disk
	// what a probe takes that is not answered; then all seeds hear of it, too; 0: 300 ms, and none does
	SilentFor time.Duration
	Teller    func(m *Machine[Q], e hearsay.Event)
	Stepped   func(m *Machine[Q], out *core.Effects)

	// What the rules are checked against.
	Rulings map[hearsay.Epoch]*hearsay.Ruling
	Hashes  map[hearsay.Epoch]hearsay.Hash
	Epochs  map[int]hearsay.Epoch // by slot: newest that was told to the outside
	Cast    map[string]bool       // ballots that a seed really cast
	Over    map[hearsay.Stay]bool
	Aborts  int
}

// SeedAddr is where the seed in a slot is.
func SeedAddr(slot int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(slot + 1)}), 5000)
}

// Sender knows seeds and people by their addresses.
func (w *World[Q]) Sender(p *core.Packet) quota.Sender {
	switch {
	case slices.ContainsFunc(w.Machines, func(m *Machine[Q]) bool { return m.Addr == p.Addr }):
		return quota.Sender{Class: quota.Seat, Addr: p.Addr}
	case slices.ContainsFunc(w.People, func(one *Person) bool { return one.Addr == p.Addr }):
		return quota.Sender{Class: quota.Member, Addr: p.Addr}
	}
	return quota.Sender{Addr: p.Addr}
}

// New makes a world of so many seeds, which do not run yet.
func New[Q Seed](t testing.TB, n int, seed uint64) *World[Q] {
	if test, ok := t.(*testing.T); ok {
		cryptotest.SetGlobalRandom(test, seed)
	}
	w := &World[Q]{
		T: t, Links: testkit.Links{Random: rand.New(rand.NewPCG(seed, 1)), Slow: 10 * time.Millisecond}, Now: time.UnixMilli(1_763_000_000_000),
		Syncs: 10 * time.Millisecond, nextKey: 1000,
		Rulings: make(map[hearsay.Epoch]*hearsay.Ruling), Hashes: make(map[hearsay.Epoch]hearsay.Hash),
		Epochs: make(map[int]hearsay.Epoch), Cast: make(map[string]bool), Over: make(map[hearsay.Stay]bool),
	}
	for slot := range n {
		w.Machines = append(w.Machines, &Machine[Q]{Slot: slot, Addr: SeedAddr(slot), Signer: NewKeyed(uint64(slot))})
	}
	return w
}

// Up reports whether a seed runs.
func (m *Machine[Q]) Up() bool { return m.Q != *new(Q) }

// After has something done in a while.
func (w *World[Q]) After(d time.Duration, do func()) {
	w.queue.Put(w.Now.Add(d), do)
}

// Start starts a seed on what its disk holds.
func (w *World[Q]) Start(m *Machine[Q]) {
	w.T.Helper()
	m.Out, m.Life = &core.Effects{}, m.Life+1
	q, err := w.Driver.Open(m)
	if err != nil {
		w.T.Fatal(err)
	}
	m.Q = q
	w.Epochs[m.Slot] = max(w.Epochs[m.Slot], q.Epoch()) // the node takes the roster as it is
	w.Step(m, func() { q.Tick(w.Now) })
}

// StartAll starts all seeds.
func (w *World[Q]) StartAll() {
	for _, m := range w.Machines {
		w.Start(m)
	}
}

// Crash kills a seed: of what was not synced each write by itself is done or
// not.
func (w *World[Q]) Crash(m *Machine[Q]) {
	m.Q, m.Life = *new(Q), m.Life+1
	for _, out := range m.Queue {
		for _, r := range out.Persist {
			if w.Random.IntN(2) == 0 {
				m.Disk.Apply(r)
			}
		}
	}
	m.Queue, m.busy = nil, false
}

// Wipe takes a seed's disk away, its identity too.
func (w *World[Q]) Wipe(m *Machine[Q]) {
	w.Crash(m)
	m.Disk, m.Past = testkit.Disk{}, append(m.Past, m.Signer)
	w.nextKey++
	m.Signer = NewKeyed(w.nextKey)
}

// Step lets a seed do something and takes what it wants carried out.
func (w *World[Q]) Step(m *Machine[Q], do func()) {
	do()
	out := *m.Out
	*m.Out = core.Effects{}
	if len(out.Now) > 0 {
		w.T.Fatal("something is sent before what it rests on is durable")
	}
	for _, p := range out.Persist {
		w.noteEntry(m, p)
	}
	if w.Driver.Look != nil {
		w.Driver.Look(m)
	}
	if w.Stepped != nil {
		w.Stepped(m, &out)
	}
	for _, read := range out.Read {
		w.read(m, read)
	}
	if !out.Empty() {
		m.Queue = append(m.Queue, out)
		w.carryOn(m)
	}
	life := m.Life
	w.After(max(0, m.Q.Deadline().Sub(w.Now)), func() {
		w.Awake(m, func() {
			if m.Life == life && !m.Q.Deadline().After(w.Now) {
				w.Step(m, func() { m.Q.Tick(w.Now) })
			}
		})
	})
}

// read reads from a seed's disk what it has asked for.
func (w *World[Q]) read(m *Machine[Q], read core.OlderRead) {
	life := m.Life
	w.After(w.UpTo(w.Syncs), func() {
		var found []*hearsay.Ruling
		for epoch := read.Before - 1; epoch > 0 && len(found) < 8 && !w.Unread; epoch-- {
			kept, is := m.Disk.Durable[fmt.Sprintf("ruling %d", epoch)].(*core.KeptRuling)
			if !is {
				break
			}
			found = append(found, kept.Ruling)
		}
		slices.Reverse(found)
		if m.Life == life {
			w.Step(m, func() { m.Q.Older(read.Before, found) })
		}
	})
}

// Awake lets a seed do something when its process goes on.
func (w *World[Q]) Awake(m *Machine[Q], do func()) {
	if d := m.WakeAt.Sub(w.Now); d > 0 {
		w.After(d, func() { w.Awake(m, do) })
		return
	}
	do()
}

// carryOn syncs all that waits at once, then sends, then tells.
func (w *World[Q]) carryOn(m *Machine[Q]) {
	if m.busy || len(m.Queue) == 0 {
		return
	}
	m.busy = true
	life, n := m.Life, len(m.Queue)
	w.After(w.UpTo(w.Syncs), func() {
		w.Awake(m, func() {
			if m.Life == life {
				w.carryOut(m, n)
			}
		})
	})
}

// carryOut makes durable what was first in the queue, and does what follows.
func (w *World[Q]) carryOut(m *Machine[Q], n int) {
	life, done := m.Life, m.Queue[:n]
	m.Queue, m.busy = slices.Clone(m.Queue[n:]), false
	for i := range done {
		m.Disk.Sync(done[i].Persist)
	}
	for i := range done {
		for _, p := range done[i].Send {
			w.Send(m.Slot, m.Signer.Public().NodeID(), m.Addr, p)
		}
		for _, e := range done[i].Events {
			w.told(m, e)
			if m.Life != life {
				return
			}
		}
	}
	w.carryOn(m)
}

// Send brings a packet to the seed at its address, as bytes and back.
func (w *World[Q]) Send(from int, id hearsay.NodeID, addr netip.AddrPort, p core.Packet) {
	slot := -1
	if to := slices.IndexFunc(w.Machines, func(m *Machine[Q]) bool { return m.Up() && m.Addr == p.Addr }); to >= 0 {
		slot = w.Machines[to].Slot
	}
	takes, ok := w.Carry(from, slot)
	if !ok {
		return
	}
	body := Reread(w.T, p.Body)
	w.After(takes, func() {
		for _, m := range w.Machines {
			if m.Addr == p.Addr {
				w.Awake(m, func() {
					if m.Up() {
						in := core.Packet{From: id, Addr: addr, Stream: true, Body: body}
						w.Step(m, func() { m.Q.Receive(w.Now, &in) })
					}
				})
			}
		}
		for _, f := range w.Peers {
			if f.Addr == p.Addr && !f.Deaf {
				f.Step(func() { f.F.Receive(w.Now, &core.Packet{From: id, Addr: addr, Stream: true, Body: body}) })
			}
		}
	})
}

// told is what the application of a seed hears.
func (w *World[Q]) told(m *Machine[Q], e hearsay.Event) {
	if w.Teller != nil {
		w.Teller(m, e)
	}
	if w.Forks && (e.Kind == hearsay.EventRuled || e.Kind == hearsay.EventRosterProven) {
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
		w.Aborts++
	}
}

// probe lets a seed ping a peer.
func (w *World[Q]) probe(m *Machine[Q], e hearsay.Event) {
	began, life := w.Now, m.Life
	up := slices.ContainsFunc(w.People, func(p *Person) bool { return p.Up && p.Addr == e.Addr && p.ID() == e.Subject })
	took, verdict := 20*time.Millisecond, hearsay.VerdictReachable
	if !up {
		took, verdict = max(w.SilentFor, 300*time.Millisecond), hearsay.VerdictUnreachable
	}
	if m.Late {
		took, verdict = 0, hearsay.VerdictAbstains
	}
	w.After(took, func() {
		w.Awake(m, func() {
			if m.Life != life {
				return
			}
			accuses := false
			w.Step(m, func() {
				accuses = w.Driver.Probed(m.Q, w.Now, &e, verdict, began)
			})
			if accuses && w.SilentFor > 0 {
				for _, one := range w.Machines {
					w.Step(one, func() { one.Q.Suspected(w.Now, e.Subject) })
				}
			}
		})
	})
}

// Run lets time pass.
func (w *World[Q]) Run(d time.Duration) {
	w.T.Helper()
	w.RunUntil(d, func() bool { return false })
}

// RunUntil lets time pass until something is so, and reports whether it is.
func (w *World[Q]) RunUntil(d time.Duration, done func() bool) bool {
	w.T.Helper()
	end := w.Now.Add(d)
	for !done() {
		at, do, ok := w.queue.Next()
		if !ok || at.After(end) {
			w.Now = end
			return done()
		}
		w.queue.Drop()
		w.Now = at
		do()
		if w.T.Failed() {
			w.T.FailNow()
		}
	}
	return true
}

// Must has something be so within a time.
func (w *World[Q]) Must(d time.Duration, what string, done func() bool) {
	w.T.Helper()
	if !w.RunUntil(d, done) {
		w.T.Fatalf("after %v: %s: not so\n%s", d, what, w.Describe())
	}
}

// Describe says how the seeds are.
func (w *World[Q]) Describe() string {
	var b bytes.Buffer
	for _, m := range w.Machines {
		if !m.Up() {
			fmt.Fprintf(&b, "seed %d: down\n", m.Slot)
			continue
		}
		leader, ok := m.Q.Leader()
		fmt.Fprintf(&b, "seed %d: seated %t, epoch %d, proven %d, leader %d %t", m.Slot, m.Q.Seated(), m.Q.Epoch(), m.Q.Proven(), leader, ok)
		fmt.Fprintf(&b, ", members %d, lowest %d", len(m.Q.Roster(nil)), m.Q.OldestOnDisk())
		if w.Driver.Tell != nil {
			b.WriteString(w.Driver.Tell(m))
		}
		for reason, n := range m.Drops {
			if n > 0 {
				fmt.Fprintf(&b, ", %d %v", n, hearsay.Drop(reason))
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// AnySeed gives one that is up.
func (w *World[Q]) AnySeed() *Machine[Q] {
	up := slices.DeleteFunc(slices.Clone(w.Machines), func(m *Machine[Q]) bool { return !m.Up() })
	if len(up) == 0 {
		return nil
	}
	return up[w.Random.IntN(len(up))]
}
