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
	p.addr, p.at = netip.AddrPortFrom(p.addr.Addr(), port), p.at+1
	for _, m := range w.machines {
		w.step(m, func() { m.q.Move(w.now, p.claim()) })
	}
}

// Who goes elsewhere while a case against it is open is probed where it is, and
// the move refutes what was said before.
func TestMovedMemberIsNotRemoved(t *testing.T) {
	w := followed(t, 61, 5)
	p := w.people[2]
	stay := hearsay.Stay{ID: p.id()}
	for _, rule := range []hearsay.Rule{hearsay.RuleMajority, hearsay.RuleTrial} {
		p.up = false
		r := &Report{Stay: stay}
		if rule == hearsay.RuleMajority {
			r.Evidence = w.evidence(w.machines[0], p, hearsay.VerdictUnreachable)
		}
		w.step(w.machines[0], func() { m := w.machines[0]; m.q.Report(w.now, r) })
		w.must(time.Second, "a case is open", func() bool { return w.machines[1].q.Open() == 1 })
		p.up = true
		w.move(p, p.addr.Port()+1)
		w.run(25 * time.Second)
		if now, in := w.machines[0].q.Member(p.id()); !in || now.Stay.Epoch > 5 || now.Claim.Card.Addr != p.addr {
			t.Fatalf("%v: removed, or not known where it is: %+v", rule, now)
		}
	}
}

// Of two moves in a row the log gets the last.
func TestLastMoveCounts(t *testing.T) {
	w := followed(t, 62, 3)
	p := w.people[1]
	w.move(p, 7001)
	w.move(p, 7002)
	w.run(10 * time.Second)
	if m, _ := w.machines[0].q.Member(p.id()); m.Claim.Card.Addr != p.addr {
		t.Errorf("it is at %v, and the log says %v", p.addr, m.Claim.Card.Addr)
	}
}

// A member that moves and leaves at once may do both by one entry of the log. Every seed that
// applies it would end if it looked for the member to tell of the move, and at each start again.
func TestMoveAndLeaveInOneEntry(t *testing.T) {
	w := followed(t, 65, 3)
	p, lead := w.people[1], w.machines[slices.IndexFunc(w.machines, func(m *machine) bool { return m.q.replica.leads() })]
	p.up, p.covered = false, true
	stay, _ := w.machines[0].q.Member(p.id())
	told := w.tally()
	l := signedLeave(w, stay.Stay, p)
	p.addr, p.at = netip.AddrPortFrom(p.addr.Addr(), 7001), p.at+1
	last := lead.q.replica.log.last()
	w.step(lead, func() {
		lead.q.Move(w.now, p.claim())
		lead.q.Leave(w.now, &l)
	})
	w.must(time.Second, "the log has it", func() bool { return lead.q.replica.log.last() > last })
	if commands, ok := ledger.ReadEntry(lead.q.replica.log.entries[len(lead.q.replica.log.entries)-1].GetData()); !ok || len(commands) != 2 {
		t.Fatalf("the entry has %d commands: the test shows nothing", len(commands))
	}
	w.must(5*time.Second, "it is out", func() bool { return !w.in(p) })
	w.must(5*time.Second, "all agree", w.agree)
	if told(hearsay.EventMemberMoved, "") != len(w.machines) {
		t.Errorf("the move was told %d times", told(hearsay.EventMemberMoved, ""))
	}
}

// A word without evidence, from anybody, does not make a removal slow that
// observers have asked for.
func TestBareReportDoesNotDelayRemoval(t *testing.T) {
	w := followed(t, 63, 5)
	p := w.people[2]
	p.up = false
	began := w.now
	w.step(w.machines[0], func() { w.machines[0].q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}}) })
	w.must(time.Second, "a case is open", func() bool { return w.machines[1].q.Open() == 1 })
	w.must(20*time.Second, "it is removed", func() bool { return !w.in(p) })
	if took := w.now.Sub(began); took > 5*time.Second {
		t.Errorf("removed after %v", took)
	}
}
