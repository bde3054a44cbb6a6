package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
)

// A neighbor that gives a roster cannot put words into the mouths of others:
// of the claims in it only the stays are proven.
func TestRosterWithOthersClaimsIsNotTaken(t *testing.T) {
	spoil := map[string]func(c *hearsay.Claim){
		"elsewhere":  func(*hearsay.Claim) {},
		"as a guest": func(c *hearsay.Claim) { c.Card.Key, c.Card.Signature = hearsay.PublicKey{}, hearsay.Signature{} },
		"as another": func(c *hearsay.Claim) { c.Card.Key = newKeyed(4711).Public() },
	}
	for name, do := range spoil {
		w := followed(t, 41, 3)
		w.truncate(2)
		f := w.newFollower()
		f.deaf = true
		q := w.machines[0].q
		parts := rosterParts(w.random, q.chain.Entry(3).Ruling, q.chain.Newest(), q.Roster(nil))
		liar := &parts[0].Members[1].Claim
		liar.Incarnation, liar.Card.Addr = 1<<62, stranger
		do(liar)
		for slot, m := range w.machines {
			f.pins[slot].Seat = m.q.seat()
		}
		f.chain.Begin(w.ledger().Founding)
		f.asked = stranger
		f.step(func() { f.Receive(w.now, from(stranger, parts[0])) })
		w.run(20 * restEach)
		if refused := f.drops[hearsay.DropBadSignature] + f.drops[hearsay.DropUnproven]; refused != 1 {
			t.Errorf("%s: the roster was refused %d times", name, refused)
		}
		if m, in := f.Member(liar.Subject); in && m.Claim.Card.Addr == stranger {
			t.Errorf("%s: it believes that %v is at %v", name, liar.Subject, stranger)
		}
		f.deaf = false
		w.must(10*time.Second, "it follows the seeds", w.follows)
	}
}

// Whose clock is or was days ahead is let in, and whose incarnation no roster would list is not: its member would be
// in, and nobody would watch it.
func TestIncarnationsFarAhead(t *testing.T) {
	w := followed(t, 42, 1)
	for i, at := range []hearsay.Incarnation{hearsay.Incarnation(w.now.Add(72 * time.Hour).UnixMilli()), hearsay.MaxIncarnation + 1} {
		p := &person{n: 9 + i, key: newKeyed(uint64(99 + i)), addr: netip.AddrPortFrom(netip.MustParseAddr("10.1.7.7"), uint16(6000+i)), up: true, at: at}
		w.people = append(w.people, p)
		for _, m := range w.machines {
			w.step(m, func() { m.q.Admit(w.now, p.claim()) })
		}
		w.run(5 * time.Second)
		if in, want := w.in(p), at <= hearsay.MaxIncarnation; in != want {
			t.Errorf("with incarnation %d: it is in: %v, want %v", at, in, want)
		}
	}
}

// Who sits in a seat is no peer, and a peer gets no seat: one identity would be
// both.
func TestSeedsAreNotAdmitted(t *testing.T) {
	w := followed(t, 43, 1)
	p := &person{n: 9, key: w.machines[1].signer, addr: netip.MustParseAddrPort("10.1.7.7:6000"), up: true, at: hearsay.Incarnation(w.now.UnixMilli())}
	w.people = append(w.people, p)
	for _, m := range w.machines {
		w.step(m, func() { m.q.Admit(w.now, p.claim()) })
	}
	w.run(5 * time.Second)
	if w.in(p) {
		t.Error("admitted")
	}
	s := w.machines[0].q.state
	seat := hearsay.Seat{Slot: 2, Key: w.people[0].key.Public(), Life: hearsay.Life{1}}
	if s.RefusesSeat(seat) == "" {
		t.Error("a peer may have a seat")
	}
}

// Observers who sign for an incarnation that nobody has heard of do not keep its
// subject out: it comes back only with a newer one.
func TestUnheardIncarnationIsNoEvidence(t *testing.T) {
	w := followed(t, 45, 2)
	victim, liar := w.people[0], w.people[1]
	victim.up = false
	w.flood(100*time.Millisecond, func() {
		for _, m := range w.machines {
			e := w.evidence(m, victim, hearsay.VerdictUnreachable)
			if e == nil || victim.up {
				continue
			}
			e.Incarnation, e.Statements = 1<<63, nil
			s := hearsay.Statement{Subject: e.Subject, Incarnation: e.Incarnation, Round: e.Round, Verdict: hearsay.VerdictUnreachable, At: w.now.UnixMilli()}
			s.Sign(w.ledger(), liar.key)
			e.Statements = append(e.Statements, s)
			w.step(m, func() {
				m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: victim.id()}, By: liar.id(), Evidence: e})
			})
		}
	})
	w.must(20*time.Second, "it is removed", func() bool { return !w.in(victim) })
	victim.up = true
	w.must(20*time.Second, "it is in again", func() bool { return w.in(victim) })
}
