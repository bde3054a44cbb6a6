package quorum

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// goesAway has a member fall silent after it has said that it is away: to the directories of all seeds, that alone.
func (w *world) goesAway(p *person) {
	p.Up, p.Covered = false, true
	until := w.Now.Add(core.AwayFor)
	for _, m := range w.Machines {
		m.Q.directory.Away = func(id hearsay.NodeID) (time.Time, bool) { return until, id == p.ID() && w.Now.Before(until) }
	}
}

// What is reported of a member that is away opens no case.
func TestNoCaseAboutOneThatIsAway(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.Machines[0], w.People[2]
	w.goesAway(p)
	report := func(want hearsay.OutcomeCode) {
		t.Helper()
		w.Step(m, func() {
			if a := m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}}); a.Code != want {
				t.Errorf("%+v, want %v", a, want)
			}
		})
	}
	report(hearsay.OutcomeWait)
	w.Run(core.AwayFor)
	report(hearsay.OutcomePending)
}

// A case that is open when its member says that it is away ends by the votes of the seeds against it.
func TestSeedsVoteAgainstRemovalOfOneThatIsAway(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.Machines[0], w.People[2]
	p.Up, p.Covered = false, true
	w.Step(m, func() { m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: p.ID()}}) })
	w.Must(time.Second, "a case is open", func() bool { _, open := m.Q.Case(p.ID()); return open })
	w.goesAway(p)
	for _, m := range w.Machines {
		w.Step(m, func() { m.Q.Away(w.Now, p.ID()) })
	}
	w.Must(2*time.Second, "the case has ended", func() bool { _, open := m.Q.Case(p.ID()); return !open })
	if !w.In(p) {
		t.Error("it is out")
	}
}

// A member that is away is watched by no seed.
func TestOneThatIsAwayIsNotWatched(t *testing.T) {
	w := followed(t, 2, 3)
	m, p := w.Machines[0], w.People[1]
	w.goesAway(p)
	w.Step(m, func() { m.Q.Suspected(w.Now, p.ID()) })
	if len(m.Q.watches.watched) != 0 {
		t.Error("it is watched")
	}
	w.Run(core.AwayFor)
	w.Step(m, func() { m.Q.Suspected(w.Now, p.ID()) })
	if len(m.Q.watches.watched) != 1 {
		t.Error("it is not watched after that")
	}
}

// What probes have found before a member has said that it is away counts no more.
func TestAwayEndsAWatch(t *testing.T) {
	w := followed(t, 2, 3)
	m, p := w.Machines[0], w.People[1]
	p.Up, p.Covered = false, true
	w.Step(m, func() { m.Q.Suspected(w.Now, p.ID()) })
	w.Run(time.Second)
	if seen := m.Q.watches.watched[p.ID()]; seen == nil || m.Q.watches.silence(seen) == 0 {
		t.Fatalf("before: %+v", seen)
	}
	w.Step(m, func() { m.Q.Away(w.Now, p.ID()) })
	if len(m.Q.watches.watched) != 0 || m.Q.watches.probing != 0 {
		t.Errorf("%d are watched, %d probed", len(m.Q.watches.watched), m.Q.watches.probing)
	}
}
