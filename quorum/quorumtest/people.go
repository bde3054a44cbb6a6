package quorumtest

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/ring"
	"hearsay/testkit"
)

// Person is one peer.
type Person struct {
	N     int
	Key   *testkit.Signer
	Addr  netip.AddrPort
	At    hearsay.Incarnation
	Up    bool
	Guest bool

	Covered bool // nobody reports it
}

// ID is its identity: of a guest that of its address.
func (p *Person) ID() hearsay.NodeID {
	if p.Guest {
		return core.GuestID(Network, p.Addr, core.Lines)
	}
	return p.Key.Public().NodeID()
}

// Claim is its claim to be alive.
func (p *Person) Claim() *hearsay.Claim {
	c := &hearsay.Claim{State: hearsay.StateAlive, Incarnation: p.At}
	c.Card = hearsay.Card{Name: fmt.Sprintf("p%d", p.N), Addr: p.Addr, Role: hearsay.RolePeer}
	if p.Guest {
		c.Subject = p.ID()
		return c
	}
	c.Sign(Network, p.Key)
	return c
}

// PeerAddr is the address of the n-th peer.
func PeerAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 6000)
}

// NewPerson makes a peer that runs and is not in.
func (w *World[Q]) NewPerson() *Person {
	n := len(w.People)
	p := &Person{N: n, Key: NewKeyed(uint64(100_000 + n)), Up: true, At: hearsay.Incarnation(w.Now.UnixMilli())}
	p.Addr = PeerAddr(n)
	w.People = append(w.People, p)
	w.Tend(p)
	return p
}

// Tend has a peer ask for admission whenever it is up and not in, and the
// others report it whenever it is down and in.
func (w *World[Q]) Tend(p *Person) {
	switch m := w.AnySeed(); {
	case m == nil:
	case p.Up && !w.In(p):
		if w.once(p) {
			p.At = max(p.At+1, hearsay.Incarnation(w.Now.UnixMilli()))
		}
		w.Step(m, func() { w.Driver.Admit(m.Q, w.Now, p.Claim()) })
	case !p.Up && w.In(p) && !p.Covered:
		w.Report(m, p)
	}
	w.After(500*time.Millisecond+w.UpTo(500*time.Millisecond), func() { w.Tend(p) })
}

// once reports whether a peer has been in before: then it learns that it is
// no longer, and raises its incarnation.
func (w *World[Q]) once(p *Person) bool {
	for _, r := range w.Rulings { // order does not matter: one of them is looked for
		if r.Stay.ID == p.ID() {
			return true
		}
	}
	return false
}

// In reports whether a peer is in, by a quorum of the seeds.
func (w *World[Q]) In(p *Person) bool {
	n := 0
	for _, m := range w.Machines {
		if m.Up() {
			if _, ok := m.Q.Member(p.ID()); ok {
				n++
			}
		}
	}
	return n >= hearsay.QuorumOf(len(w.Machines))
}

// Ledger is what is signed in this world is about: as a seed has it that is up.
func (w *World[Q]) Ledger() (ledger hearsay.LedgerID) {
	for _, m := range w.Machines {
		if m.Up() && !m.Q.Ledger().Founding.IsZero() {
			return m.Q.Ledger()
		}
	}
	return ledger
}

// Evidence makes what honest observers would sign about a peer, by the roster
// of one seed.
func (w *World[Q]) Evidence(m *Machine[Q], about *Person, verdict hearsay.Verdict) *hearsay.Evidence {
	member, ok := m.Q.Member(about.ID())
	if !ok {
		return nil
	}
	var ids []hearsay.NodeID
	for _, one := range m.Q.Roster(nil) {
		ids = append(ids, one.Stay.ID)
	}
	observers := ring.Observers(nil, about.ID(), ring.Of(ids), min(9, len(ids)-1))
	e := &hearsay.Evidence{
		Subject: about.ID(), Incarnation: member.Claim.Incarnation, Round: hearsay.Round(w.Random.Uint64()), Rule: hearsay.RuleMajority,
		Suspected: w.Now.UnixMilli(), Condemned: w.Now.UnixMilli(), Observers: uint8(len(observers)), Needed: uint8(len(observers)/2 + 1),
	}
	for _, p := range w.People {
		if slices.Contains(observers, p.ID()) && p.Up {
			s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: verdict, At: w.Now.UnixMilli()}
			s.Sign(m.Q.Ledger(), p.Key)
			e.Statements = append(e.Statements, s)
			e.Accuser = p.ID()
		}
	}
	return e
}

// Report has the others report a peer to a seed.
func (w *World[Q]) Report(m *Machine[Q], p *Person) {
	w.Step(m, func() {
		m.Q.Suspected(w.Now, p.ID())
		if e := w.Evidence(m, p, hearsay.VerdictUnreachable); e != nil && len(e.Statements) >= int(e.Needed) {
			w.Driver.Report(m.Q, w.Now, p.ID(), e.Accuser, e)
		} else {
			w.Driver.Report(m.Q, w.Now, p.ID(), hearsay.NodeID{}, nil)
		}
	})
}

// GuestsAlike is as many guests, ordered, as have identities that begin with the same byte.
func GuestsAlike(n int) (all []ledger.Member) {
	for i := uint32(1); len(all) < n; i++ {
		c := hearsay.Claim{State: hearsay.StateAlive, Incarnation: 5, Card: hearsay.Card{Name: "x", Role: hearsay.RolePeer}}
		c.Card.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(6000+i>>24))
		if c.Subject = core.GuestID(Network, c.Card.Addr, core.Lines); c.Subject[0] == 0 {
			all = append(all, ledger.Member{Stay: hearsay.Stay{ID: c.Subject, Epoch: 1}, Claim: c})
		}
	}
	slices.SortFunc(all, func(a, b ledger.Member) int { return a.Stay.ID.Compare(b.Stay.ID) })
	return all
}
