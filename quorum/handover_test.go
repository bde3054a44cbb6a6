package quorum

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// A leader that stands still for most of each second is heard often enough to stay one
// by Raft's rules. It hands over to a seed that does not, and does not lead again.
func TestLateLeaderHandsOver(t *testing.T) {
	for _, seeds := range []int{3, 5} {
		w := newWorld(t, seeds, 7)
		w.startAll()
		w.must(5*time.Second, "founded", w.agree)
		first, _ := w.machines[0].q.Leader()
		late := w.machines[first]
		w.flood(900*time.Millisecond, func() { late.wakeAt = w.now.Add(800 * time.Millisecond) })
		well := w.machines[(first+1)%seeds]
		began := w.now
		w.must(6*time.Second, "another leads", func() bool {
			slot, ok := well.q.Leader()
			return ok && slot != first
		})
		t.Logf("%d seeds: another leads after %v", seeds, w.now.Sub(began))
		term, tick := well.q.replica.log.hard.GetTerm(), time.Second
		for range 60 {
			w.run(tick)
			if slot, ok := well.q.Leader(); !ok || slot == first {
				t.Fatalf("%d seeds: %v later seed %d leads: %v", seeds, w.now.Sub(began), slot, ok)
			}
		}
		if now := well.q.replica.log.hard.GetTerm(); now != term {
			t.Errorf("%d seeds: %d elections in the minute after it", seeds, now-term)
		}
	}
}

// Where all seeds are late, the lead does not go round all the time.
func TestLeadIsKeptWhereAllAreLate(t *testing.T) {
	w := newWorld(t, 3, 8)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for i, m := range w.machines {
		w.after(time.Duration(i)*300*time.Millisecond, func() {
			w.flood(time.Second, func() { m.wakeAt = w.now.Add(600 * time.Millisecond) })
		})
	}
	changes, last := 0, -1
	for range 600 {
		w.run(100 * time.Millisecond)
		if slot, ok := w.machines[0].q.Leader(); ok && slot != last {
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
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	leader, mute := w.machines[slot], w.machines[(slot+1)%3]
	w.stepped = func(m *machine, out *hearsay.Effects) {
		out.Send = slices.DeleteFunc(out.Send, func(p hearsay.Packet) bool {
			f, is := p.Body.(*hearsay.Raft)
			return is && m == mute && f.Type == uint8(raftpb.MsgAppResp)
		})
	}
	w.newPerson()
	w.must(10*time.Second, "one more is in", func() bool { return leader.q.Epoch() == 2 })
	heardLast := 0
	for range 100 {
		w.run(20 * time.Millisecond)
		heard := leader.q.heardAt
		if heard[mute.slot].After(heard[(slot+2)%3]) {
			heardLast++
		}
		if to, ok := leader.q.successor(w.now); !ok || to == mute.slot {
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
	w.run(time.Second)
	slot, _ := w.machines[0].q.Leader()
	former, id := w.machines[(slot+1)%3], hearsay.NodeID{7}
	w.step(former, func() {
		former.q.propose(w.now, ledger.Command{Op: ledger.OpExpire, CaseID: 7})
		former.q.Bar(w.now, id, "it flaps")
	})
	w.must(w.cfg.RetryEvery-w.cfg.TickEvery, "the rest is in the log", func() bool { return len(former.q.Barred(nil)) == 1 })
}

// A seed that the leader does not reach, and that reaches another, hears a quorum: what it
// has seen of silent members goes on to count.
func TestSeedHearsQuorumWithoutLeader(t *testing.T) {
	w := followed(t, 9, 3)
	w.run(5 * time.Second)
	lead, _ := w.machines[0].q.Leader()
	m, other := w.machines[(lead+1)%3], (lead+2)%3
	since := m.q.heardFrom
	w.cut = func(from, to int) bool { return from == lead && to == m.slot || from == m.slot && to == lead }
	w.run(10 * time.Second)
	if since.IsZero() || m.q.heardFrom != since {
		t.Errorf("it has heard a quorum since %v, and now since %v", since, m.q.heardFrom)
	}
	w.cut = func(from, to int) bool { return from == m.slot || to == m.slot && from != other } // it sends nothing
	w.run(3 * time.Second)
	if !m.q.heardFrom.IsZero() {
		t.Error("it hears a quorum of which nobody can hear it")
	}
}
