package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
)

// Whose clock is or was days ahead is let in, and whose incarnation no roster would list is not: its member would be
// in, and nobody would watch it.
func TestIncarnationsFarAhead(t *testing.T) {
	w := followed(t, 42, 1)
	for i, at := range []hearsay.Incarnation{hearsay.Incarnation(w.Now.Add(72 * time.Hour).UnixMilli()), hearsay.MaxIncarnation + 1} {
		p := &person{N: 9 + i, Key: newKeyed(uint64(99 + i)), Addr: netip.AddrPortFrom(netip.MustParseAddr("10.1.7.7"), uint16(6000+i)), Up: true, At: at}
		w.People = append(w.People, p)
		for _, m := range w.Machines {
			w.Step(m, func() { m.Q.Admit(w.Now, p.Claim()) })
		}
		w.Run(5 * time.Second)
		if in, want := w.In(p), at <= hearsay.MaxIncarnation; in != want {
			t.Errorf("with incarnation %d: it is in: %v, want %v", at, in, want)
		}
	}
}

// Who sits in a seat is no peer, and a peer gets no seat: one identity would be
// both.
func TestSeedsAreNotAdmitted(t *testing.T) {
	w := followed(t, 43, 1)
	p := &person{N: 9, Key: w.Machines[1].Signer, Addr: netip.MustParseAddrPort("10.1.7.7:6000"), Up: true, At: hearsay.Incarnation(w.Now.UnixMilli())}
	w.People = append(w.People, p)
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Admit(w.Now, p.Claim()) })
	}
	w.Run(5 * time.Second)
	if w.In(p) {
		t.Error("admitted")
	}
	s := w.Machines[0].Q.state
	seat := hearsay.Seat{Slot: 2, Key: w.People[0].Key.Public(), Life: hearsay.Life{1}}
	if s.RefusesSeat(seat) == "" {
		t.Error("a peer may have a seat")
	}
}

// Observers who sign for an incarnation that nobody has heard of do not keep its
// subject out: it comes back only with a newer one.
func TestUnheardIncarnationIsNoEvidence(t *testing.T) {
	w := followed(t, 45, 2)
	victim, liar := w.People[0], w.People[1]
	victim.Up = false
	w.Flood(100*time.Millisecond, func() {
		for _, m := range w.Machines {
			e := w.Evidence(m, victim, hearsay.VerdictUnreachable)
			if e == nil || victim.Up {
				continue
			}
			e.Incarnation, e.Statements = 1<<63, nil
			s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable, At: w.Now.UnixMilli()}
			s.Sign(w.Ledger(), liar.Key)
			e.Statements = append(e.Statements, s)
			w.Step(m, func() {
				m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: victim.ID()}, By: liar.ID(), Evidence: e})
			})
		}
	})
	w.Must(20*time.Second, "it is removed", func() bool { return !w.In(victim) })
	victim.Up = true
	w.Must(20*time.Second, "it is in again", func() bool { return w.In(victim) })
}
