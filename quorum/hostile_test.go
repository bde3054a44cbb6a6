package quorum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"
)

// strange draws a message that anybody could send: what is random in it is
// sometimes near what would be right.
func strange(w *world, random *rand.Rand) core.Message {
	m := w.Machines[0]
	n := func() uint64 { return random.Uint64() >> random.IntN(64) }
	near := func() hearsay.Epoch { return m.Q.Epoch() + hearsay.Epoch(random.IntN(5)) - 2 }
	signer := newKeyed(uint64(random.IntN(3)) + 5000) // a stranger's
	head := func() hearsay.Head {
		h := hearsay.Head{Founding: m.Q.founding, Epoch: near(), Hash: m.Q.Head(), Slot: uint8(random.IntN(4))}
		h.Sign(testNetwork, signer)
		return h
	}
	ruling := func() *hearsay.Ruling {
		r := &hearsay.Ruling{Epoch: near(), Kind: hearsay.RulingKind(1 + random.IntN(5)), Previous: m.Q.Head(), Case: hearsay.CaseID(n())}
		if all := m.Q.Roster(nil); len(all) > 0 {
			r.Stay, r.Claim = all[random.IntN(len(all))].Stay, all[0].Claim
		}
		r.Seats = []hearsay.Seat{{Slot: uint8(random.IntN(4)), Key: signer.Public(), Life: hearsay.Life{1}}}
		b := hearsay.Ballot{Case: r.Case, About: r.About(testNetwork), Slot: uint8(random.IntN(4)), Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
		b.Sign(w.Ledger(), signer)
		r.Ballots = []hearsay.Ballot{b, b, b}
		return r
	}
	switch random.IntN(6) {
	case 0:
		h := &core.SeatHello{Versions: ledger.Versions(), Slot: uint8(random.IntN(4)), Config: w.cfg.hash(), Nonce: n(), Answer: random.IntN(2) == 0, Founded: random.IntN(2) == 0, Life: hearsay.Life{byte(n())}}
		h.Seats, h.Given = m.Q.Seats(nil), ruling()
		h.Sign(testNetwork, signer)
		return h
	case 1, 2:
		f := &core.Raft{
			Versions: ledger.Versions(), Slot: uint8(random.IntN(4)), Type: uint8(random.IntN(24)), To: m.Q.replica.id, From: m.Q.seats.known[1].id, Term: n(), LogTerm: n(), Index: n(), Commit: n(),
			Entries: []core.LogEntry{{Index: n(), Term: n(), Type: uint8(random.IntN(4)), Data: []byte("x")}},
		}
		if random.IntN(3) == 0 {
			f.Snapshot = &core.LogSnapshot{Index: n(), Term: n(), Size: 1 << 20, Data: make([]byte, 10)}
		}
		f.Founding = m.Q.founding
		f.Sign(testNetwork, signer)
		return f
	case 3:
		return &core.LedgerReq{After: hearsay.Epoch(n()), Before: hearsay.Epoch(n()) * hearsay.Epoch(random.IntN(2))}
	case 4:
		return &core.Rulings{Items: []*hearsay.Ruling{ruling(), ruling()}, Heads: []hearsay.Head{head(), head()}}
	}
	part := &core.RosterPart{Ruling: ruling(), Heads: []hearsay.Head{head()}, Part: uint16(random.IntN(3)), Parts: uint16(random.IntN(3))}
	for _, one := range m.Q.Roster(nil) {
		part.Members = append(part.Members, core.RosterMember(one))
	}
	return part
}

// What strangers send changes nothing: no roster, no seat, no key, no term; and
// what is asked for goes on.
func TestStrangersChangeNothing(t *testing.T) {
	w := followed(t, 1, 4)
	f := w.newFollower()
	w.Must(5*time.Second, "it follows", w.follows)
	random := rand.New(rand.NewPCG(5, 5))
	m := w.Machines[0]
	term := m.Q.replica.node.BasicStatus().GetTerm()
	seats, pins, head := m.Q.Seats(nil), f.Seats(nil), m.Q.Head()
	for range 3000 {
		body := strange(w, random)
		p := core.Packet{From: hearsay.NodeID{3}, Addr: seedAddr(random.IntN(3)), Stream: true, Body: body}
		w.Step(m, func() { m.Q.Receive(w.Now, &p) })
		f.Step(func() { f.Receive(w.Now, &p) })
		w.Run(time.Duration(random.IntN(10)) * time.Millisecond)
	}
	if fmt.Sprint(m.Q.Seats(nil)) != fmt.Sprint(seats) || !slices.Equal(f.Seats(nil), pins) || m.Q.Head() != head || m.Q.replica.node.BasicStatus().GetTerm() != term {
		t.Errorf("something changed\n%s", w.Describe())
	}
	dropped := uint64(0)
	for _, n := range m.Drops {
		dropped += n
	}
	if dropped < 1000 {
		t.Errorf("only %d of 3000 were dropped", dropped)
	}
	w.NewPerson()
	w.Must(10*time.Second, "they rule as before", func() bool { return m.Q.Epoch() == 5 && w.follows() })
}

// One seed of three that writes and says whatever it likes cannot rule alone.
func TestOneSeedAloneRulesNothing(t *testing.T) {
	w := followed(t, 2, 5)
	liar := w.Machines[0]
	victim := w.People[2]
	member, _ := liar.Q.Member(victim.ID())
	for range 20 {
		w.Step(liar, func() {
			liar.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpRemove, Stay: member.Stay, Rule: hearsay.RuleTrial})
			liar.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpExpire, CaseID: 5})
			for _, c := range liar.Q.state.Cases {
				for slot := range uint8(3) {
					b := hearsay.Ballot{Case: c.ID, About: c.About, Stay: c.Stay(), Slot: slot, Life: liar.Q.state.Seats[slot].Life, Verdict: hearsay.BallotYes, Why: hearsay.Why{Reason: hearsay.ReasonMet}}
					b.Sign(w.Ledger(), liar.Signer)
					w.Cast[quorumtest.BallotName(&b)] = true
					liar.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpBallot, Ballot: b})
				}
			}
		})
		w.Run(300 * time.Millisecond)
	}
	if _, ok := w.Machines[1].Q.Member(victim.ID()); !ok || w.Machines[1].Q.Epoch() != 5 {
		t.Error("it removed somebody who answers")
	}
	if w.Aborts == 0 {
		t.Error("there was no case: the test shows nothing")
	}
}

// The same seed of a world tells the same story, event by event.
func TestSameSeedSameStory(t *testing.T) {
	tell := func(seed uint64) []byte {
		var b bytes.Buffer
		t.Run("world", func(t *testing.T) {
			w := newWorld(t, 3, seed)
			w.Teller = func(m *machine, e hearsay.Event) {
				fmt.Fprintf(&b, "%d %d %+v %v %v\n", w.Now.UnixNano(), m.Slot, e.Kind, e.Subject, e.Epoch)
			}
			w.Loss, w.Slow = 0.1, 100*time.Millisecond
			w.StartAll()
			w.Must(time.Minute, "founded", w.agree)
			for range 20 {
				w.NewPerson()
			}
			w.Run(2 * time.Second)
			w.People[4].Up = false
			w.Crash(w.Machines[1])
			w.Run(2 * time.Second)
			w.Start(w.Machines[1])
			w.Run(10 * time.Second)
		})
		return b.Bytes()
	}
	first := tell(3)
	if !bytes.Equal(first, tell(3)) || len(first) < 1000 {
		t.Error("the same world has two stories")
	}
	if bytes.Equal(first, tell(4)) {
		t.Error("two worlds have one story")
	}
}
