package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
)

// A seed tells that a quorum is heard when none was before, and not when another seed leads.
func TestQuorumHeardIsToldOfNoOtherLeader(t *testing.T) {
	w := followed(t, 9, 1)
	w.Run(time.Second)
	var told [3][]hearsay.EventKind
	w.Teller = func(m *machine, e hearsay.Event) {
		switch e.Kind {
		case hearsay.EventQuorumLost, hearsay.EventQuorumBack, hearsay.EventQuorumHeard:
			told[m.Slot] = append(told[m.Slot], e.Kind)
		}
	}
	first, _ := w.Machines[0].Q.Leader()
	leader, next := w.Machines[first], w.Machines[(first+1)%3]
	w.Step(leader, func() {
		leader.Q.replica.node.TransferLeader(next.Q.replica.id)
		leader.Q.driver.work(w.Now)
	})
	w.Must(2*time.Second, "all know that another leads", func() bool {
		return !slices.ContainsFunc(w.Machines, func(m *machine) bool {
			slot, led := m.Q.Leader()
			return !led || slot != next.Slot
		})
	})
	w.Run(time.Second)
	for slot, kinds := range told {
		if len(kinds) > 0 {
			t.Errorf("slot %d heard a quorum all the while, and tells %v", slot, kinds)
		}
	}
	w.Cut = func(from, to int) bool { return from == leader.Slot || to == leader.Slot }
	w.Run(10 * time.Second)
	w.Cut = nil
	w.Run(10 * time.Second)
	if want := []hearsay.EventKind{hearsay.EventQuorumLost, hearsay.EventQuorumBack}; !slices.Equal(told[leader.Slot], want) {
		t.Errorf("slot %d was cut off, and tells %v: want %v", leader.Slot, told[leader.Slot], want)
	}
}

// A seed whose list has another address for the seed that leads says where that one is, or nothing of it.
func TestQuorumHeardSaysWhereTheLeaderIs(t *testing.T) {
	w := followed(t, 9, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, m := w.Machines[slot], w.Machines[(slot+1)%3]
	w.Crash(m)
	w.cfg.Seeds = slices.Clone(w.cfg.Seeds)
	w.cfg.Seeds[slot].Addr = seedAddr(7)
	heard := 0
	w.Teller = func(by *machine, e hearsay.Event) {
		if by != m || e.Kind != hearsay.EventQuorumHeard {
			return
		}
		if heard++; e.By != leader.Signer.Public().NodeID() || e.Addr.IsValid() && e.Addr != leader.Addr {
			t.Errorf("says that %v leads at %v: want %v at %v", e.By, e.Addr, leader.Signer.Public().NodeID(), leader.Addr)
		}
	}
	w.Start(m)
	w.Run(10 * time.Second)
	if heard != 1 {
		t.Errorf("tells %d times that a quorum is heard: want once", heard)
	}
}
