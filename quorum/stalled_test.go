package quorum

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"

	"go.etcd.io/raft/v3/raftpb"
)

// One seat that claims the lead in ever higher terms keeps the others from deciding. Once something
// has waited for that in vain, they say so until the log goes on.
func TestSeatThatClaimsTheLead(t *testing.T) {
	w := followed(t, 86, 1)
	thief, others := w.Machines[2], w.Machines[:2]
	claims := true
	var claim func()
	claim = func() {
		for _, m := range others {
			term := m.Q.replica.node.BasicStatus().GetTerm()
			w.forge(m, thief, core.Raft{Type: uint8(raftpb.MsgHeartbeat), Term: term + 1})
		}
		if claims {
			w.After(100*time.Millisecond, claim)
		}
	}
	told := make(map[int]string)
	w.Teller = func(m *machine, e hearsay.Event) {
		if e.Kind == hearsay.EventLogStalled || e.Kind == hearsay.EventLogGoesOn {
			told[m.Slot] += e.Kind.String() + " "
		}
	}
	claim()
	w.Run(20 * time.Second)
	for _, m := range others {
		if !m.Q.Decides() {
			t.Errorf("nothing waits, and slot %d says %q", m.Slot, m.Q.Why())
		}
	}
	p := w.NewPerson()
	for _, m := range others {
		w.Must(30*time.Second, "it says so", func() bool {
			return !m.Q.Decides() && strings.Contains(m.Q.Why(), "decides nothing of what it is asked since 20")
		})
	}
	if w.In(p) {
		t.Error("somebody is admitted: the test shows nothing")
	}
	p.Up = false // and asks no more
	w.Run(20 * time.Second)
	for _, m := range others {
		if m.Q.Decides() {
			t.Errorf("nothing was decided since, and slot %d says no more that it is so", m.Slot)
		}
	}
	p.Up = true
	claims = false
	w.Must(20*time.Second, "it is over", func() bool { return w.In(p) && others[0].Q.Decides() && others[1].Q.Decides() })
	for _, m := range others {
		if !strings.HasPrefix(told[m.Slot], "log-stalled ") || !strings.HasSuffix(told[m.Slot], " log-goes-on ") {
			t.Errorf("slot %d tells %q", m.Slot, told[m.Slot])
		}
	}
}

// A seed whose requests do not get to the seed that leads says that its log has stalled. Once they do,
// it decides again, also where nobody asks for anything more.
func TestStallEndsWhereNobodyAsks(t *testing.T) {
	for seed := range uint64(8) {
		w := followed(t, 870+seed, 1)
		leader, led := w.Machines[0].Q.Leader()
		if !led {
			t.Fatal("nobody leads")
		}
		unheard := w.Machines[(leader+1)%3]
		w.Cut = func(from, to int) bool { return from == unheard.Slot && to == leader }
		for id := range byte(4) {
			w.Step(unheard, func() { unheard.Q.Bar(w.Now, hearsay.NodeID{id + 1}, "") })
			w.Run(2 * time.Second)
		}
		if unheard.Q.Decides() {
			t.Fatalf("seed %d: nothing stalls: the test shows nothing", seed)
		}
		for _, m := range w.Machines { // the seed that leads is not told of itself as of another
			says := m.Q.progress.whyStalled()
			if own := strings.Contains(says, "though this seed leads"); own != (m.Slot == leader) || m.Q.Stalled() != (m == unheard) {
				t.Errorf("seed %d: slot %d, of which %d leads, stalled %t: %s", seed, m.Slot, leader, m.Q.Stalled(), says)
			}
		}
		w.Run(10 * time.Second) // the requests end
		w.Cut = nil
		epoch, applied := unheard.Q.Epoch(), unheard.Q.replica.log.applied
		w.Must(10*time.Second, "it decides again", unheard.Q.Decides)
		w.Run(20 * time.Second)
		if after := unheard.Q.replica.log.applied; unheard.Q.Epoch() != epoch || after > applied+3 {
			t.Errorf("seed %d: the log went from %d to %d by a question whether it goes on", seed, applied, after)
		}
	}
}
