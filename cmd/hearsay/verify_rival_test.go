package main

import (
	"strings"
	"testing"

	"hearsay"
	"hearsay/ledger"
)

// One seat that signs another ledger, too, takes nothing from what a quorum of the others proves: a node saves the
// head that contradicts it (Chain.Newest), and the check of the file goes on, and says that this seat has signed both.
func TestVerifyWithOneSeatThatSignsAnotherLedger(t *testing.T) {
	s := example()
	var signed []hearsay.Head
	for slot := range 3 {
		h := hearsay.Head{Founding: s.ledger().Founding, Epoch: s.rulings[len(s.rulings)-1].Epoch, Hash: s.last, Slot: uint8(slot)}
		h.Sign(s.network, s.seeds[slot])
		signed = append(signed, h)
	}
	rival := hearsay.Head{Founding: s.ledger().Founding, Epoch: 6, Hash: hearsay.Hash{66}, Slot: 2}
	rival.Sign(s.network, s.seeds[2])
	l, saver := &savedLedger{}, ledger.NewSaver(s.network, ledger.SaveSeats(s.founding))
	for i := range s.rulings {
		saved := saver.Ruling(&s.rulings[i], s.evidence[s.rulings[i].Epoch])
		if name := s.names[s.rulings[i].Stay]; name != "" {
			saved.Member = name
		}
		l.Rulings = append(l.Rulings, saved)
	}
	l.Saved = saver.End(ledger.SaveSeats(s.seats), append(signed, rival))
	code, out, errs := verify(t, l)
	if code != 0 {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	if strings.Contains(errs, "is not signed by its seed") {
		t.Errorf("and its seed has signed it: %s", errs)
	}
}
