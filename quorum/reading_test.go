package quorum

import (
	"net/netip"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
)

// longLedger makes seeds whose ledger is longer than what they have in memory.
func longLedger(t *testing.T, seed uint64) *world {
	w := newWorld(t, 3, seed)
	w.cfg.Tail = 16
	w.StartAll()
	for range 60 {
		w.NewPerson()
	}
	w.Must(20*time.Second, "all are in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 60 })
	if base := w.Machines[0].Q.chain.Base; base < 40 {
		t.Fatalf("all after %d are in memory", base)
	}
	return w
}

// A seed with an empty directory gets the ledger back to the founding, though
// the others have most of it on disk only.
func TestOldRulingsComeFromDisk(t *testing.T) {
	w := longLedger(t, 5)
	m := w.Machines[2]
	w.Wipe(m)
	w.Run(time.Second)
	w.Start(m)
	w.Must(20*time.Second, "it has its seat", w.agree)
	w.Must(20*time.Second, "it has all rulings", func() bool { return m.Q.chain.Lowest == 1 })
}

// However many ask for old rulings, only so many are read; who asks for what is
// being read gets that; and who has asked just now waits.
func TestReadsAreBounded(t *testing.T) {
	w := longLedger(t, 6)
	m := w.Machines[0]
	reads, answers := 0, 0
	w.Stepped = func(of *machine, out *core.Effects) {
		if of != m {
			return
		}
		reads += len(out.Read)
		for _, p := range out.Send {
			if r, is := p.Body.(*core.Rulings); is && p.Addr.Addr().As4()[0] == 172 {
				if answers++; len(r.Items) == 0 || r.Items[len(r.Items)-1].Epoch >= 20 {
					t.Errorf("%d rulings", len(r.Items))
				}
			}
		}
	}
	asks := func(source, before int) {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(source >> 8), byte(source)}), 9)
		w.Step(m, func() {
			m.Q.heads.budgets = newBudgets(1) // that limit is not meant
			m.Q.Receive(w.Now, &core.Packet{Addr: addr, Stream: true, Body: &core.LedgerReq{Before: hearsay.Epoch(before)}})
		})
	}
	for source := range 200 {
		asks(source, 2+source%18)
		asks(source, 3+source%18)
	}
	if reads != readsMost || m.Drops[hearsay.DropRate] != 400-readersMost {
		t.Errorf("%d reads are under way, and %d questions were dropped", reads, m.Drops[hearsay.DropRate])
	}
	w.Run(time.Second)
	if answers != readersMost || len(m.Q.reading.under) != 0 || len(m.Q.reading.readers) != 0 {
		t.Errorf("%d answers; afterwards %d reads are under way, and %d wait", answers, len(m.Q.reading.under), len(m.Q.reading.readers))
	}
	reads = 0
	for range 1000 {
		asks(7, 9)
		w.Run(time.Millisecond)
	}
	if want := int(time.Second / ledger.ReadEvery); reads > want+1 || reads < want {
		t.Errorf("one source has had %d reads in a second, want %d", reads, want)
	}
}

// What was asked of a founding that was given up is not answered from the next.
func TestGivenUpReadsAreNotAnswered(t *testing.T) {
	w := longLedger(t, 7)
	m := w.Machines[0]
	m.Q.Receive(w.Now, from(stranger, &core.LedgerReq{Before: 9}))
	if len(m.Out.Read) != 1 {
		t.Fatalf("%d reads", len(m.Out.Read))
	}
	*m.Out = core.Effects{}
	m.Q.founder.giveUp()
	if m.Q.Older(9, nil); len(m.Out.Send) != 0 {
		t.Errorf("it is answered: %+v", m.Out.Send[0].Body)
	}
}
