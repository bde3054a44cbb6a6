package quorum

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

func (w *world) move(p *person, port uint16) {
	p.Addr, p.At = netip.AddrPortFrom(p.Addr.Addr(), port), p.At+1
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Move(w.Now, p.Claim()) })
	}
}

// Who goes elsewhere while a case against it is open is probed where it is, and
// the move refutes what was said before.
func TestMovedMemberIsNotRemoved(t *testing.T) {
	w := followed(t, 61, 5)
	p := w.People[2]
	stay := hearsay.Stay{ID: p.ID()}
	for _, rule := range []hearsay.Rule{hearsay.RuleMajority, hearsay.RuleTrial} {
		p.Up = false
		r := &Report{Stay: stay}
		if rule == hearsay.RuleMajority {
			r.Evidence = w.Evidence(w.Machines[0], p, hearsay.VerdictUnreachable)
		}
		w.Step(w.Machines[0], func() { m := w.Machines[0]; m.Q.Report(w.Now, r) })
		w.Must(time.Second, "a case is open", func() bool { return w.Machines[1].Q.Open() == 1 })
		p.Up = true
		w.move(p, p.Addr.Port()+1)
		w.Run(25 * time.Second)
		if now, in := w.Machines[0].Q.Member(p.ID()); !in || now.Stay.Epoch > 5 || now.Claim.Card.Addr != p.Addr {
			t.Fatalf("%v: removed, or not known where it is: %+v", rule, now)
		}
	}
}

// Of two moves in a row the log gets the last.
func TestLastMoveCounts(t *testing.T) {
	w := followed(t, 62, 3)
	p := w.People[1]
	w.move(p, 7001)
	w.move(p, 7002)
	w.Run(10 * time.Second)
	if m, _ := w.Machines[0].Q.Member(p.ID()); m.Claim.Card.Addr != p.Addr {
		t.Errorf("it is at %v, and the log says %v", p.Addr, m.Claim.Card.Addr)
	}
}

// A member may sign as many moves as it likes. Each seed puts one of them into the log in RetryEvery, and
// the last in the end.
func TestMovesOfOneMemberAreSpaced(t *testing.T) {
	w := followed(t, 66, 3)
	p, told := w.People[1], w.tally()
	const moves, every = 200, 10 * time.Millisecond
	for n := range moves {
		w.move(p, uint16(7001+n))
		w.Run(every)
	}
	w.Run(2 * time.Second)
	q := w.Machines[0].Q
	most := len(w.Machines) * (int(moves*every/q.cfg.RetryEvery) + 2)
	if each := told(hearsay.EventMemberMoved, "") / len(w.Machines); each > most || each == 0 {
		t.Errorf("the log has %d of %d moves in %v, want at most %d", each, moves, moves*every, most)
	}
	if m, _ := q.Member(p.ID()); m.Claim.Card.Addr != p.Addr {
		t.Errorf("it is at %v, and the log says %v", p.Addr, m.Claim.Card.Addr)
	}
}

// Likewise of moves that are refused.
func TestRefusedMovesAreSpaced(t *testing.T) {
	w := followed(t, 67, 3)
	p, began := w.People[1], w.Machines[0].Q.replica.log.last()
	for _, m := range w.Machines {
		m.Q.state.Usage.Limits.MembersOfSource = 0
	}
	for n := range 200 {
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 99, 0, byte(n)}), 7001)
		p.At++
		w.Step(w.Machines[0], func() { w.Machines[0].Q.Move(w.Now, p.Claim()) })
		w.Run(10 * time.Millisecond)
	}
	switch entries := w.Machines[0].Q.replica.log.last() - began; {
	case entries == 0:
		t.Error("no move was put into the log: the test shows nothing")
	case entries > 10:
		t.Errorf("the log has %d entries of moves that were refused", entries)
	}
	if m, _ := w.Machines[0].Q.Member(p.ID()); m.Claim.Card.Addr == p.Addr {
		t.Error("the move was not refused: the test shows nothing")
	}
}

// A member that moves and leaves at once may do both by one entry of the log. Every seed that
// applies it would end if it looked for the member to tell of the move, and at each start again.
func TestMoveAndLeaveInOneEntry(t *testing.T) {
	w := followed(t, 65, 3)
	p, lead := w.People[1], w.Machines[slices.IndexFunc(w.Machines, func(m *machine) bool { return m.Q.replica.leads() })]
	p.Up, p.Covered = false, true
	stay, _ := w.Machines[0].Q.Member(p.ID())
	told := w.tally()
	l := signedLeave(w, stay.Stay, p)
	p.Addr, p.At = netip.AddrPortFrom(p.Addr.Addr(), 7001), p.At+1
	last := lead.Q.replica.log.last()
	w.Step(lead, func() {
		lead.Q.Move(w.Now, p.Claim())
		lead.Q.Leave(w.Now, &l)
	})
	w.Must(time.Second, "the log has it", func() bool { return lead.Q.replica.log.last() > last })
	if commands, ok := ledger.ReadEntry(lead.Q.replica.log.entries[len(lead.Q.replica.log.entries)-1].GetData()); !ok || len(commands) != 2 {
		t.Fatalf("the entry has %d commands: the test shows nothing", len(commands))
	}
	w.Must(5*time.Second, "it is out", func() bool { return !w.In(p) })
	w.Must(5*time.Second, "all agree", w.agree)
	if told(hearsay.EventMemberMoved, "") != len(w.Machines) {
		t.Errorf("the move was told %d times", told(hearsay.EventMemberMoved, ""))
	}
}

// A word without evidence, from anybody, does not make a removal slow that
// observers have asked for.
func TestBareReportDoesNotDelayRemoval(t *testing.T) {
	w := followed(t, 63, 5)
	p := w.People[2]
	p.Up = false
	began := w.Now
	w.Step(w.Machines[0], func() { w.Machines[0].Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}}) })
	w.Must(time.Second, "a case is open", func() bool { return w.Machines[1].Q.Open() == 1 })
	w.Must(20*time.Second, "it is removed", func() bool { return !w.In(p) })
	if took := w.Now.Sub(began); took > 5*time.Second {
		t.Errorf("removed after %v", took)
	}
}
