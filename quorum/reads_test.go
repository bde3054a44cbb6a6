package quorum

import (
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"hearsay"
	"hearsay/ledger"
)

// What can be read of a seed while a case is open, and after.
func TestReads(t *testing.T) {
	w := followed(t, 1, 5)
	m, p := w.machines[0], w.people[2]
	if _, ok := m.q.Case(p.id()); ok {
		t.Error("a case is open")
	}
	p.up = false
	w.must(5*time.Second, "a case is open", func() bool { _, ok := m.q.Case(p.id()); return ok })
	c, _ := m.q.Case(p.id())
	if c.Kind != hearsay.RulingRemove || c.Stay.ID != p.id() || c.Stay.Epoch == 0 || c.Needed != 2 || c.Evidence == nil ||
		c.Rule != hearsay.RuleMajority || c.Expires.Sub(w.now) > w.cfg.RemoveTimeout || c.ID == 0 {
		t.Errorf("%+v", c)
	}
	w.must(5*time.Second, "it is out", func() bool { return m.q.Epoch() == 6 })
	if e := m.q.EvidenceOf(6); e == nil || e.Subject != p.id() || m.q.EvidenceOf(5) != nil || m.q.EvidenceOf(77) != nil {
		t.Errorf("evidence %+v", e)
	}
	if r := m.q.Rulings(5, 1); len(r) != 1 || r[0].Evidence != m.q.EvidenceOf(6).Hash(testNetwork) {
		t.Errorf("%+v", r)
	}
	w.step(m, func() { m.q.Bar(w.now, p.id(), "it flaps") })
	w.must(5*time.Second, "it is barred", func() bool { return len(w.machines[2].q.Barred(nil)) == 1 })
	if bar := w.machines[2].q.Barred(nil)[0]; bar.ID != p.id() || bar.Why != "it flaps" {
		t.Errorf("%+v", bar)
	}
	w.run(time.Second) // the seed that was asked has it, too, and has answered
	p.up = true
	w.step(m, func() {
		if a := m.q.Admit(w.now, p.claim()); a.Code != AnswerRefused || a.Text != "barred" {
			t.Errorf("%+v", a)
		}
	})
	w.step(m, func() { m.q.Lift(w.now, p.id(), "") })
	w.must(10*time.Second, "it is in again", func() bool { return m.q.Epoch() == 7 && len(m.q.Barred(nil)) == 0 })
}

// A bar for which there is no room is refused at once, and says why; one that is set
// already is set.
func TestBarsHaveRoom(t *testing.T) {
	w := followed(t, 2, 3)
	m := w.machines[0]
	w.must(5*time.Second, "it hears a quorum", m.q.Ready)
	for n := range ledger.MaxBarred {
		m.q.state.Barred = append(m.q.state.Barred, hearsay.Bar{ID: hearsay.NodeID{0, byte(n >> 8), byte(n), 1}})
	}
	w.step(m, func() {
		if a := m.q.Bar(w.now, hearsay.NodeID{7}, ""); a.Code != AnswerRefused || a.Text != "4096 are barred, the most there may be; lift a bar first" || m.q.Barring(hearsay.NodeID{7}) {
			t.Errorf("%+v", a)
		}
		if a := m.q.Bar(w.now, hearsay.NodeID{0, 0, 5, 1}, ""); a.Code != AnswerDone {
			t.Errorf("%+v", a)
		}
		if a := m.q.Lift(w.now, hearsay.NodeID{0, 0, 5, 1}, ""); a.Code != AnswerPending {
			t.Errorf("%+v", a)
		}
	})
}

// A suspect is watched until it is cleared, reported, or forgotten.
func TestSuspectsAreWatched(t *testing.T) {
	w := followed(t, 2, 3)
	m := w.machines[0]
	id := w.people[1].id()
	w.step(m, func() { m.q.Suspected(w.now, id); m.q.Suspected(w.now, hearsay.NodeID{7}) })
	if len(m.q.watched) != 1 {
		t.Fatalf("%d are watched", len(m.q.watched))
	}
	w.step(m, func() { m.q.Cleared(w.now, id) })
	if len(m.q.watched) != 0 || m.q.probing != 0 {
		t.Error("one who was cleared is watched")
	}
	w.step(m, func() { m.q.Suspected(w.now, id) })
	w.run(w.cfg.WatchFor + time.Second)
	if len(m.q.watched) != 0 || m.q.probing != 0 {
		t.Error("one that nobody reports is watched for ever")
	}
}

// What was asked last of a bar holds, though all of it was asked before any came about, and
// though what was asked first got lost and is proposed again.
func TestBarsComeInOrder(t *testing.T) {
	type request struct {
		op   string
		want bool // whether the node is barred in the end, if that was the last
	}
	for _, asked := range [][]request{
		{{"bar", true}, {"lift", false}},
		{{"bar", true}, {"lift", false}, {"bar", true}},
		{{"bar", true}, {"lift", false}, {"bar", true}, {"bar", true}, {"lift", false}},
	} {
		for lost := range 3 {
			w := followed(t, 3, 2)
			leader, _ := w.machines[0].q.Leader()
			m := w.machines[(leader+1)%3]
			id := w.people[1].id()
			for i, r := range asked {
				w.step(m, func() {
					var a Answer
					if r.op == "bar" {
						a = m.q.Bar(w.now, id, "it flaps")
					} else {
						a = m.q.Lift(w.now, id, "")
					}
					if a.Code != AnswerPending {
						t.Errorf("%s, which was asked as number %d: %+v", r.op, i, a)
					}
					if i < lost {
						m.q.queue = nil // it gets lost on the way to the leader
					}
				})
			}
			if !m.q.Barring(id) {
				t.Error("nothing is on its way")
			}
			w.must(w.cfg.AdmitTimeout, "all of it has come about", func() bool { return !m.q.Barring(id) })
			w.run(2 * w.cfg.AdmitTimeout)
			if barred, want := len(m.q.Barred(nil)) == 1, asked[len(asked)-1].want; barred != want {
				t.Errorf("%v, of which the first %d were lost: it is barred: %t", asked, lost, barred)
			}
			w.step(m, func() {
				if a := m.q.Lift(w.now, hearsay.NodeID{7}, ""); a.Code != AnswerDone {
					t.Errorf("what is so already is answered %+v", a)
				}
			})
		}
	}
}

// What was asked of a bar at one seed, and is proposed twice, as it takes longer than RetryEvery, does
// not undo what was asked at another seed after it had come about: the second proposal is slow on its way
// to the leader.
func TestBarStaysLifted(t *testing.T) {
	for _, lift := range []bool{false, true} {
		w := followed(t, 3, 2)
		w.run(time.Second)
		slot, _ := w.machines[0].q.Leader()
		leader, first, second := w.machines[slot], w.machines[(slot+1)%3], w.machines[(slot+2)%3]
		id := w.people[1].id()
		ask := func(m *machine, lift bool) {
			w.step(m, func() {
				if lift {
					m.q.Lift(w.now, id, "")
				} else {
					m.q.Bar(w.now, id, "it flaps")
				}
			})
		}
		as := func(barred bool) func() bool {
			return func() bool {
				return !slices.ContainsFunc(w.machines, func(m *machine) bool { return (len(m.q.Barred(nil)) > 0) != barred || m.q.Barring(id) })
			}
		}
		if lift {
			ask(second, false)
			w.must(2*time.Second, "it is barred", as(true))
		}
		var proposals []*hearsay.Raft
		w.stepped = func(m *machine, out *hearsay.Effects) {
			out.Send = slices.DeleteFunc(out.Send, func(p hearsay.Packet) bool {
				f, is := p.Body.(*hearsay.Raft)
				if !is || m != first || f.Type != uint8(raftpb.MsgProp) {
					return false
				}
				commands, _ := ledger.ReadEntry(f.Entries[0].Data)
				if !slices.ContainsFunc(commands, func(c ledger.Command) bool { return c.Bars() }) {
					return false
				}
				proposals = append(proposals, reread(t, f).(*hearsay.Raft))
				return true // its stream stands still
			})
		}
		ask(first, lift)
		w.must(4*time.Second, "it is proposed again", func() bool { return len(proposals) == 2 })
		w.stepped = nil
		arrives := func(n int) {
			w.step(leader, func() { leader.q.Receive(w.now, from(seedAddr(first.slot), proposals[n])) })
		}
		arrives(0)
		w.must(2*time.Second, "it has come about", as(!lift))
		ask(second, !lift)
		w.must(2*time.Second, "the other seed's word has, and that is told", as(lift))
		arrives(1)
		w.run(5 * time.Second)
		if !as(lift)() {
			t.Errorf("lift %t: it was asked for, and undone at another seed, and is so again", lift)
		}
	}
}

// Bars that come in one entry all hold, and one that was proposed before another came about, too, a
// moment later.
func TestBarsAtOnce(t *testing.T) {
	w := followed(t, 3, 2)
	const each = 100
	for _, m := range w.machines {
		w.step(m, func() {
			for i := range each {
				m.q.Bar(w.now, hearsay.NodeID{1, byte(m.slot), byte(i)}, "it flaps")
			}
		})
	}
	w.must(4*w.cfg.RetryEvery, "all are barred", func() bool { return len(w.machines[0].q.Barred(nil)) == 3*each })
}
