package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// Forged heads do not keep seeds from proving what they rule.
func TestForgedHeadsDoNotStopSeeds(t *testing.T) {
	w := followed(t, 31, 3)
	w.Flood(time.Millisecond, func() {
		for _, m := range w.Machines {
			w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: w.ForgedHeads(3)})) })
		}
	})
	w.Run(time.Second)
	w.NewPerson()
	w.Must(3*time.Second, "a ruling is proven", func() bool {
		for _, m := range w.Machines {
			if m.Q.Proven() != 4 {
				return false
			}
		}
		return true
	})
}

// A message of forged heads costs a seed one check, also if they are said to be its
// own.
func TestForgedHeadsCostOneCheck(t *testing.T) {
	w := followed(t, 31, 1)
	for _, m := range w.Machines[:2] {
		before := m.Drops[hearsay.DropBadSignature]
		w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, &core.Rulings{Heads: w.ForgedHeads(1)})) })
		if n := m.Drops[hearsay.DropBadSignature] - before; n != 1 {
			t.Errorf("seed %d: %d checks", m.Slot, n)
		}
	}
}

// truncate has the seeds keep only rulings after an epoch.
func (w *world) truncate(epoch hearsay.Epoch) {
	for _, m := range w.Machines {
		c := &m.Q.chain
		n := epoch - c.Base
		c.BaseHash, c.Links, c.Base = c.Links[n-1].Hash, c.Links[n:], epoch
	}
}

// knocker makes somebody up who asks to be in, from an address of a source.
func knocker(n int, source byte) *hearsay.Claim {
	p := &person{N: n, Key: newKeyed(uint64(500_000 + n)), At: 1}
	p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 66, 0, source}), uint16(1024+n%60_000))
	return p.Claim()
}

// Two or three who make up newcomers do not keep others from being asked.
func TestFewSourcesDoNotShutTheDoor(t *testing.T) {
	w := followed(t, 36, 3)
	n := 0
	w.Flood(500*time.Microsecond, func() {
		n += 2
		for _, m := range w.Machines {
			w.Step(m, func() { m.Q.Admit(w.Now, knocker(n-1, byte(n%3))); m.Q.Admit(w.Now, knocker(n, byte(n/2%3))) })
		}
	})
	w.Run(time.Second)
	for _, m := range w.Machines {
		if len(m.Q.joiners.pending) < maxJoiners-1 {
			t.Fatalf("%d are being asked: the test shows nothing", len(m.Q.joiners.pending))
		}
	}
	const newcomers = 20
	turned := 0
	for i := range newcomers {
		p := &person{N: 100 + i, Key: newKeyed(uint64(400_000 + i)), Up: true, At: hearsay.Incarnation(w.Now.UnixMilli())}
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 6000)
		w.People = append(w.People, p)
		m := w.Machines[i%3]
		w.Step(m, func() {
			if a := m.Q.Admit(w.Now, p.Claim()); a.Code != hearsay.OutcomePending {
				turned++
			}
		})
		w.Run(10 * time.Millisecond)
	}
	w.RunUntil(2*time.Second, func() bool { return w.Machines[0].Q.Epoch() == 3+newcomers })
	if got := w.Machines[0].Q.Epoch() - 3; turned > 0 || got != newcomers {
		t.Errorf("%d of %d are turned away, %d are in after %v", turned, newcomers, got, 2*time.Second)
	}
}

// Nor do many who have made up one each: a home has hundreds of IPv6 networks.
func TestManySourcesDoNotShutTheDoor(t *testing.T) {
	w := followed(t, 39, 3)
	m := w.Machines[0]
	lone := func(n int) *hearsay.Claim { // of a source of its own
		p := &person{N: n, Key: newKeyed(uint64(700_000 + n)), At: 1}
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 67, byte(n >> 8), byte(n)}), 6000)
		return p.Claim()
	}
	admit := func(n int) (a hearsay.Outcome) {
		w.Step(m, func() { a = m.Q.Admit(w.Now, lone(n)) })
		return a
	}
	for n := range maxJoiners {
		if a := admit(n); a.Code != hearsay.OutcomePending {
			t.Fatalf("number %d: %+v", n, a)
		}
	}
	if a := admit(maxJoiners); a.Code != hearsay.OutcomeWait {
		t.Errorf("in the place of one that has just come: %+v", a)
	}
	w.Run(yieldAfter)
	for n := range 10 {
		if a := admit(maxJoiners + n); a.Code != hearsay.OutcomePending {
			t.Errorf("another source's: %+v", a)
		}
	}
}

// A source that is alone has all the room, and one of many is no worse off than
// before: who answers is not sent away for others who do.
func TestManyFromOneSource(t *testing.T) {
	w := followed(t, 37, 3)
	m := w.Machines[0]
	w.Step(m, func() {
		for n := range maxJoiners {
			if a := m.Q.Admit(w.Now, knocker(n, 1)); a.Code != hearsay.OutcomePending {
				t.Fatalf("number %d: %+v", n, a)
			}
		}
		if a := m.Q.Admit(w.Now, knocker(maxJoiners, 1)); a.Code != hearsay.OutcomeWait {
			t.Errorf("beyond the table: %+v", a)
		}
		if a := m.Q.Admit(w.Now, knocker(maxJoiners, 2)); a.Code != hearsay.OutcomeWait {
			t.Errorf("in the place of who has just come: %+v", a)
		}
	})
	w.Run(yieldAfter)
	w.Step(m, func() {
		if a := m.Q.Admit(w.Now, knocker(maxJoiners, 1)); a.Code != hearsay.OutcomeWait {
			t.Errorf("in the place of its own: %+v", a)
		}
		for n := range 10 {
			if a := m.Q.Admit(w.Now, knocker(maxJoiners+n, 2)); a.Code != hearsay.OutcomePending {
				t.Errorf("another source's number %d: %+v", n, a)
			}
		}
	})
}

// Messages of the log that strangers make up cost a seed no more than it says,
// and those of seeds are not among them.
func TestForgedLogDoesNotStopSeeds(t *testing.T) {
	w := followed(t, 38, 3)
	data := make([]byte, 60<<10)
	w.Flood(time.Millisecond, func() {
		for i, m := range w.Machines {
			other := w.Machines[(i+1)%3]
			f := &core.Raft{Versions: ledger.Versions(), Slot: uint8(other.Slot), Type: 3, To: m.Q.replica.id, From: other.Q.replica.id, Term: 9, Entries: []core.LogEntry{{Data: data}}}
			w.Step(m, func() { m.Q.Receive(w.Now, from(stranger, f)) })
		}
	})
	before := w.Machines[0].Drops
	const ticks = 20
	w.Run(ticks * w.cfg.TickEvery)
	verified := w.Machines[0].Drops[hearsay.DropBadSignature] - before[hearsay.DropBadSignature]
	dropped := w.Machines[0].Drops[hearsay.DropRate] - before[hearsay.DropRate]
	if most := uint64((ticks+1)*unlistedASecond/10/len(data)) + 1; verified == 0 || verified > most || dropped == 0 {
		t.Errorf("%d were verified, want at most %d; %d were not", verified, most, dropped)
	}
	w.NewPerson()
	w.Must(3*time.Second, "they rule", func() bool { return w.Machines[0].Q.Epoch() == 4 && w.Machines[2].Q.Epoch() == 4 })
}
