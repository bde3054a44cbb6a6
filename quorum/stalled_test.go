package quorum

import (
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
)

// One seat that claims the lead in ever higher terms keeps the others from deciding. Once something
// has waited for that in vain, they say so until the log goes on.
func TestSeatThatClaimsTheLead(t *testing.T) {
	w := followed(t, 86, 1)
	thief, others := w.machines[2], w.machines[:2]
	claims := true
	var claim func()
	claim = func() {
		for _, m := range others {
			term := m.q.replica.node.BasicStatus().GetTerm()
			w.forge(m, thief, hearsay.Raft{Type: uint8(raftpb.MsgHeartbeat), Term: term + 1})
		}
		if claims {
			w.after(100*time.Millisecond, claim)
		}
	}
	claim()
	w.run(20 * time.Second)
	for _, m := range others {
		if !m.q.Decides() {
			t.Errorf("nothing waits, and slot %d says %q", m.slot, m.q.Why())
		}
	}
	p := w.newPerson()
	for _, m := range others {
		w.must(30*time.Second, "it says so", func() bool { return !m.q.Decides() && strings.Contains(m.q.Why(), "decides nothing") })
	}
	if w.in(p) {
		t.Error("somebody is admitted: the test shows nothing")
	}
	p.up = false // and asks no more
	w.run(20 * time.Second)
	for _, m := range others {
		if m.q.Decides() {
			t.Errorf("nothing was decided since, and slot %d says no more that it is so", m.slot)
		}
	}
	p.up = true
	claims = false
	w.must(20*time.Second, "it is over", func() bool { return w.in(p) && others[0].q.Decides() && others[1].q.Decides() })
}
