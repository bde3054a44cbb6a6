package quorum

import (
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
	"hearsay/ledger"
	"hearsay/quorum/quorumtest"

	"go.etcd.io/raft/v3/raftpb"
)

// What can be read of a seed while a case is open, and after.
func TestReads(t *testing.T) {
	w := followed(t, 1, 5)
	m, p := w.Machines[0], w.People[2]
	if _, ok := m.Q.Case(p.ID()); ok {
		t.Error("a case is open")
	}
	p.Up = false
	w.Must(5*time.Second, "a case is open", func() bool { _, ok := m.Q.Case(p.ID()); return ok })
	c, _ := m.Q.Case(p.ID())
	if c.Kind != hearsay.RulingRemove || c.Stay.ID != p.ID() || c.Stay.Epoch == 0 || c.Needed != 2 || c.Evidence == nil ||
		c.Rule != hearsay.RuleMajority || c.Expires.Sub(w.Now) > w.cfg.RemoveTimeout || c.ID == 0 {
		t.Errorf("%+v", c)
	}
	w.Must(5*time.Second, "it is out", func() bool { return m.Q.Epoch() == 6 })
	if e := m.Q.EvidenceOf(6); e == nil || e.Subject != p.ID() || m.Q.EvidenceOf(5) != nil || m.Q.EvidenceOf(77) != nil {
		t.Errorf("evidence %+v", e)
	}
	if r := m.Q.Rulings(5, 1); len(r) != 1 || r[0].Evidence != m.Q.EvidenceOf(6).Hash(testNetwork) {
		t.Errorf("%+v", r)
	}
	w.Step(m, func() { m.Q.Bar(w.Now, p.ID(), "it flaps") })
	w.Must(5*time.Second, "it is barred", func() bool { return len(w.Machines[2].Q.Barred(nil)) == 1 })
	if bar := w.Machines[2].Q.Barred(nil)[0]; bar.ID != p.ID() || bar.Why != "it flaps" {
		t.Errorf("%+v", bar)
	}
	w.Run(time.Second) // the seed that was asked has it, too, and has answered
	p.Up = true
	w.Step(m, func() {
		if a := m.Q.Admit(w.Now, p.Claim()); a.Code != hearsay.OutcomeRefused || a.Text != "barred" {
			t.Errorf("%+v", a)
		}
	})
	w.Step(m, func() { m.Q.Lift(w.Now, p.ID(), "") })
	w.Must(10*time.Second, "it is in again", func() bool { return m.Q.Epoch() == 7 && len(m.Q.Barred(nil)) == 0 })
}

// A bar for which there is no room is refused at once, and says why; one that is set
// already is set.
func TestBarsHaveRoom(t *testing.T) {
	w := followed(t, 2, 3)
	m := w.Machines[0]
	w.Must(5*time.Second, "it hears a quorum", m.Q.Ready)
	for n := range ledger.MaxBarred {
		m.Q.state.Barred = append(m.Q.state.Barred, hearsay.Bar{ID: hearsay.NodeID{0, byte(n >> 8), byte(n), 1}})
	}
	w.Step(m, func() {
		if a := m.Q.Bar(w.Now, hearsay.NodeID{7}, ""); a.Code != hearsay.OutcomeRefused || a.Text != "4096 are barred, the most there may be; lift a bar first" || m.Q.Barring(hearsay.NodeID{7}) {
			t.Errorf("%+v", a)
		}
		if a := m.Q.Bar(w.Now, hearsay.NodeID{0, 0, 5, 1}, ""); a.Code != hearsay.OutcomeDone {
			t.Errorf("%+v", a)
		}
		if a := m.Q.Lift(w.Now, hearsay.NodeID{0, 0, 5, 1}, ""); a.Code != hearsay.OutcomePending {
			t.Errorf("%+v", a)
		}
	})
}

// A suspect is watched until it is cleared, reported, or forgotten.
func TestSuspectsAreWatched(t *testing.T) {
	w := followed(t, 2, 3)
	m := w.Machines[0]
	id := w.People[1].ID()
	w.Step(m, func() { m.Q.Suspected(w.Now, id); m.Q.Suspected(w.Now, hearsay.NodeID{7}) })
	if len(m.Q.watches.watched) != 1 {
		t.Fatalf("%d are watched", len(m.Q.watches.watched))
	}
	w.Step(m, func() { m.Q.Cleared(w.Now, id) })
	if len(m.Q.watches.watched) != 0 || m.Q.watches.probing != 0 {
		t.Error("one who was cleared is watched")
	}
	w.Step(m, func() { m.Q.Suspected(w.Now, id) })
	w.Run(w.cfg.WatchFor + time.Second)
	if len(m.Q.watches.watched) != 0 || m.Q.watches.probing != 0 {
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
			leader, _ := w.Machines[0].Q.Leader()
			m := w.Machines[(leader+1)%3]
			id := w.People[1].ID()
			for i, r := range asked {
				w.Step(m, func() {
					var a hearsay.Outcome
					if r.op == "bar" {
						a = m.Q.Bar(w.Now, id, "it flaps")
					} else {
						a = m.Q.Lift(w.Now, id, "")
					}
					if a.Code != hearsay.OutcomePending {
						t.Errorf("%s, which was asked as number %d: %+v", r.op, i, a)
					}
					if i < lost {
						m.Q.commits.first, m.Q.commits.rest = nil, nil // it gets lost on the way to the leader
					}
				})
			}
			if !m.Q.Barring(id) {
				t.Error("nothing is on its way")
			}
			w.Must(w.cfg.AdmitTimeout, "all of it has come about", func() bool { return !m.Q.Barring(id) })
			w.Run(2 * w.cfg.AdmitTimeout)
			if barred, want := len(m.Q.Barred(nil)) == 1, asked[len(asked)-1].want; barred != want {
				t.Errorf("%v, of which the first %d were lost: it is barred: %t", asked, lost, barred)
			}
			w.Step(m, func() {
				if a := m.Q.Lift(w.Now, hearsay.NodeID{7}, ""); a.Code != hearsay.OutcomeDone {
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
		w.Run(time.Second)
		slot, _ := w.Machines[0].Q.Leader()
		leader, first, second := w.Machines[slot], w.Machines[(slot+1)%3], w.Machines[(slot+2)%3]
		id := w.People[1].ID()
		ask := func(m *machine, lift bool) {
			w.Step(m, func() {
				if lift {
					m.Q.Lift(w.Now, id, "")
				} else {
					m.Q.Bar(w.Now, id, "it flaps")
				}
			})
		}
		as := func(barred bool) func() bool {
			return func() bool {
				return !slices.ContainsFunc(w.Machines, func(m *machine) bool { return (len(m.Q.Barred(nil)) > 0) != barred || m.Q.Barring(id) })
			}
		}
		if lift {
			ask(second, false)
			w.Must(2*time.Second, "it is barred", as(true))
		}
		var proposals []*core.Raft
		w.Stepped = func(m *machine, out *core.Effects) {
			out.Send = slices.DeleteFunc(out.Send, func(p core.Packet) bool {
				f, is := p.Body.(*core.Raft)
				if !is || m != first || f.Type != uint8(raftpb.MsgProp) {
					return false
				}
				commands, _ := ledger.ReadEntry(f.Entries[0].Data)
				if !slices.ContainsFunc(commands, func(c ledger.Command) bool { return c.Bars() }) {
					return false
				}
				proposals = append(proposals, quorumtest.Reread(t, f).(*core.Raft))
				return true // its stream stands still
			})
		}
		ask(first, lift)
		w.Must(4*time.Second, "it is proposed again", func() bool { return len(proposals) == 2 })
		w.Stepped = nil
		arrives := func(n int) {
			w.Step(leader, func() { leader.Q.Receive(w.Now, from(seedAddr(first.Slot), proposals[n])) })
		}
		arrives(0)
		w.Must(2*time.Second, "it has come about", as(!lift))
		ask(second, !lift)
		w.Must(2*time.Second, "the other seed's word has, and that is told", as(lift))
		arrives(1)
		w.Run(5 * time.Second)
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
	for _, m := range w.Machines {
		w.Step(m, func() {
			for i := range each {
				m.Q.Bar(w.Now, hearsay.NodeID{1, byte(m.Slot), byte(i)}, "it flaps")
			}
		})
	}
	w.Must(4*w.cfg.RetryEvery, "all are barred", func() bool { return len(w.Machines[0].Q.Barred(nil)) == 3*each })
}
