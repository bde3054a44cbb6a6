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
	told := make(map[int]string)
	w.teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventLogStalled || e.Kind == hearsay.EventLogGoesOn {
			told[m.slot] += e.Kind.String() + " "
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
		w.must(30*time.Second, "it says so", func() bool {
			return !m.q.Decides() && strings.Contains(m.q.Why(), "decides nothing of what it is asked since 20")
		})
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
	for _, m := range others {
		if !strings.HasPrefix(told[m.slot], "log-stalled ") || !strings.HasSuffix(told[m.slot], " log-goes-on ") {
			t.Errorf("slot %d tells %q", m.slot, told[m.slot])
		}
	}
}

// A seed whose requests do not get to the seed that leads says that its log has stalled. Once they do,
// it decides again, also where nobody asks for anything more.
func TestStallEndsWhereNobodyAsks(t *testing.T) {
	for seed := range uint64(8) {
		w := followed(t, 870+seed, 1)
		leader, led := w.machines[0].q.Leader()
		if !led {
			t.Fatal("nobody leads")
		}
		unheard := w.machines[(leader+1)%3]
		w.cut = func(from, to int) bool { return from == unheard.slot && to == leader }
		for id := range byte(4) {
			w.step(unheard, func() { unheard.q.Bar(w.now, hearsay.NodeID{id + 1}, "") })
			w.run(2 * time.Second)
		}
		if unheard.q.Decides() {
			t.Fatalf("seed %d: nothing stalls: the test shows nothing", seed)
		}
		w.run(10 * time.Second) // the requests end
		w.cut = nil
		epoch, applied := unheard.q.Epoch(), unheard.q.replica.log.applied
		w.must(10*time.Second, "it decides again", unheard.q.Decides)
		w.run(20 * time.Second)
		if after := unheard.q.replica.log.applied; unheard.q.Epoch() != epoch || after > applied+3 {
			t.Errorf("seed %d: the log went from %d to %d by a question whether it goes on", seed, applied, after)
		}
	}
}
