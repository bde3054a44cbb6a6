package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"

	"go.etcd.io/raft/v3/raftpb"
)

// A leader that stands still for most of each second is heard often enough to stay one
// by Raft's rules. It hands over to a seed that does not, and does not lead again.
func TestLateLeaderHandsOver(t *testing.T) {
	for _, seeds := range []int{3, 5} {
		w := newWorld(t, seeds, 7)
		w.StartAll()
		w.Must(5*time.Second, "founded", w.agree)
		first, _ := w.Machines[0].Q.Leader()
		late := w.Machines[first]
		w.Flood(900*time.Millisecond, func() { late.WakeAt = w.Now.Add(800 * time.Millisecond) })
		well := w.Machines[(first+1)%seeds]
		began := w.Now
		w.Must(6*time.Second, "another leads", func() bool {
			slot, ok := well.Q.Leader()
			return ok && slot != first
		})
		t.Logf("%d seeds: another leads after %v", seeds, w.Now.Sub(began))
		term, tick := well.Q.replica.log.hard.GetTerm(), time.Second
		for range 60 {
			w.Run(tick)
			if slot, ok := well.Q.Leader(); !ok || slot == first {
				t.Fatalf("%d seeds: %v later seed %d leads: %v", seeds, w.Now.Sub(began), slot, ok)
			}
		}
		if now := well.Q.replica.log.hard.GetTerm(); now != term {
			t.Errorf("%d seeds: %d elections in the minute after it", seeds, now-term)
		}
	}
}

// Where all seeds are late, the lead does not go round all the time.
func TestLeadIsKeptWhereAllAreLate(t *testing.T) {
	w := newWorld(t, 3, 8)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	for i, m := range w.Machines {
		w.After(time.Duration(i)*300*time.Millisecond, func() {
			w.Flood(time.Second, func() { m.WakeAt = w.Now.Add(600 * time.Millisecond) })
		})
	}
	changes, last := 0, -1
	for range 600 {
		w.Run(100 * time.Millisecond)
		if slot, ok := w.Machines[0].Q.Leader(); ok && slot != last {
			changes, last = changes+1, slot
		}
	}
	if most := 3*6 + 1; changes > most { // each seed once in handOverEvery
		t.Errorf("%d leaders in a minute: want at most %d", changes, most)
	}
	t.Logf("%d leaders in a minute", changes)
}

// A leader hands over to a seed that has what is committed, as far as it knows: not to one of which it
// hears that it lives, and not that it has taken the entries.
func TestLeadGoesToWhatIsCommitted(t *testing.T) {
	w := followed(t, 9, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	leader, mute := w.Machines[slot], w.Machines[(slot+1)%3]
	w.Stepped = func(m *machine, out *core.Effects) {
		out.Send = slices.DeleteFunc(out.Send, func(p core.Packet) bool {
			f, is := p.Body.(*core.Raft)
			return is && m == mute && f.Type == uint8(raftpb.MsgAppResp)
		})
	}
	w.NewPerson()
	w.Must(10*time.Second, "one more is in", func() bool { return leader.Q.Epoch() == 2 })
	heardLast := 0
	for range 100 {
		w.Run(20 * time.Millisecond)
		heard := leader.Q.hearing.heardAt
		if heard[mute.Slot].After(heard[(slot+2)%3]) {
			heardLast++
		}
		if to, ok := leader.Q.lateness.successor(w.Now); !ok || to == mute.Slot {
			t.Fatalf("it would hand over to seed %d, of which it does not know that it has the log: %t", to, ok)
		}
	}
	if heardLast == 0 {
		t.Error("that seed was never heard last: the test shows nothing")
	}
}

// What a seed that led until now has gathered still gets into the log, but for the ends of cases: the
// leader refuses an entry that has one.
func TestFormerLeaderEndsNoCase(t *testing.T) {
	w := followed(t, 9, 1)
	w.Run(time.Second)
	slot, _ := w.Machines[0].Q.Leader()
	former, id := w.Machines[(slot+1)%3], hearsay.NodeID{7}
	w.Step(former, func() {
		former.Q.commits.propose(w.Now, ledger.Command{Op: ledger.OpExpire, CaseID: 7})
		former.Q.Bar(w.Now, id, "it flaps")
	})
	w.Must(w.cfg.RetryEvery-w.cfg.TickEvery, "the rest is in the log", func() bool { return len(former.Q.Barred(nil)) == 1 })
}

// A seed that the leader does not reach, and that reaches another, hears a quorum: what it
// has seen of silent members goes on to count.
func TestSeedHearsQuorumWithoutLeader(t *testing.T) {
	w := followed(t, 9, 3)
	w.Run(5 * time.Second)
	lead, _ := w.Machines[0].Q.Leader()
	m, other := w.Machines[(lead+1)%3], (lead+2)%3
	since := m.Q.hearing.heardFrom
	w.Cut = func(from, to int) bool { return from == lead && to == m.Slot || from == m.Slot && to == lead }
	w.Run(10 * time.Second)
	if since.IsZero() || m.Q.hearing.heardFrom != since {
		t.Errorf("it has heard a quorum since %v, and now since %v", since, m.Q.hearing.heardFrom)
	}
	w.Cut = func(from, to int) bool { return from == m.Slot || to == m.Slot && from != other } // it sends nothing
	w.Run(3 * time.Second)
	if !m.Q.hearing.heardFrom.IsZero() {
		t.Error("it hears a quorum of which nobody can hear it")
	}
}

// A seed to which the lead is handed over may lack entries that the former leader has, which then does not vote for it.
// Where no other seed does either, the former leader stands at once, and nobody waits for it to have been quiet.
func TestLeadThatCannotBeTakenComesBack(t *testing.T) {
	w := newWorld(t, 2, 7)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	slot, _ := w.Machines[0].Q.Leader()
	leader, other, lost := w.Machines[slot], w.Machines[1-slot], true
	w.Stepped = func(m *machine, out *core.Effects) {
		out.Send = slices.DeleteFunc(out.Send, func(p core.Packet) bool {
			f, is := p.Body.(*core.Raft)
			return is && m == leader && lost && f.Type == uint8(raftpb.MsgApp) && len(f.Entries) > 0
		})
	}
	w.NewPerson()
	w.Must(10*time.Second, "the lead is handed over", func() bool { return w.Now.Before(leader.Q.lateness.quiet) && !leader.Q.replica.leads() })
	lost = false
	began := w.Now
	w.Must(3*time.Second, "one leads", func() bool {
		a, ok := leader.Q.Leader()
		b, too := other.Q.Leader()
		return ok && too && a == b
	})
	t.Logf("one leads after %v", w.Now.Sub(began))
	w.Must(3*time.Second, "the entry is taken", w.agree)
}
