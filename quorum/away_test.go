package quorum

import (
	"testing"
	"time"

	"hearsay"
)

// goesAway has a member fall silent after it has said that it is away: to the directories of all seeds, that alone.
func (w *world) goesAway(p *person) {
	p.up, p.covered = false, true
	until := w.now.Add(hearsay.AwayFor)
	for _, m := range w.machines {
		m.q.directory.Away = func(id hearsay.NodeID) (time.Time, bool) { return until, id == p.id() && w.now.Before(until) }
	}
}

// What is reported of a member that is away opens no case.
func TestNoCaseAboutOneThatIsAway(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.machines[0], w.people[2]
	w.goesAway(p)
	report := func(want AnswerCode) {
		t.Helper()
		w.step(m, func() {
			if a := m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}}); a.Code != want {
				t.Errorf("%+v, want %v", a, want)
			}
		})
	}
	report(AnswerWait)
	w.run(hearsay.AwayFor)
	report(AnswerPending)
}

// A case that is open when its member says that it is away ends by the votes of the seeds against it.
func TestSeedsVoteAgainstRemovalOfOneThatIsAway(t *testing.T) {
	w := followed(t, 2, 6)
	m, p := w.machines[0], w.people[2]
	p.up, p.covered = false, true
	w.step(m, func() { m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: p.id()}}) })
	w.must(time.Second, "a case is open", func() bool { _, open := m.q.Case(p.id()); return open })
	w.goesAway(p)
	for _, m := range w.machines {
		w.step(m, func() { m.q.Away(w.now, p.id()) })
	}
	w.must(2*time.Second, "the case has ended", func() bool { _, open := m.q.Case(p.id()); return !open })
	if !w.in(p) {
		t.Error("it is out")
	}
}

// A member that is away is watched by no seed.
func TestOneThatIsAwayIsNotWatched(t *testing.T) {
	w := followed(t, 2, 3)
	m, p := w.machines[0], w.people[1]
	w.goesAway(p)
	w.step(m, func() { m.q.Suspected(w.now, p.id()) })
	if len(m.q.watched) != 0 {
		t.Error("it is watched")
	}
	w.run(hearsay.AwayFor)
	w.step(m, func() { m.q.Suspected(w.now, p.id()) })
	if len(m.q.watched) != 1 {
		t.Error("it is not watched after that")
	}
}

// What probes have found before a member has said that it is away counts no more.
func TestAwayEndsAWatch(t *testing.T) {
	w := followed(t, 2, 3)
	m, p := w.machines[0], w.people[1]
	p.up, p.covered = false, true
	w.step(m, func() { m.q.Suspected(w.now, p.id()) })
	w.run(time.Second)
	if seen := m.q.watched[p.id()]; seen == nil || m.q.silence(seen) == 0 {
		t.Fatalf("before: %+v", seen)
	}
	w.step(m, func() { m.q.Away(w.now, p.id()) })
	if len(m.q.watched) != 0 || m.q.probing != 0 {
		t.Errorf("%d are watched, %d probed", len(m.q.watched), m.q.probing)
	}
}
