package quorum

import (
	"testing"
	"time"
)

func TestThreeSeedsRule(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.startAll()
	w.must(5*time.Second, "founded", w.agree)
	for range 5 {
		w.newPerson()
	}
	w.must(5*time.Second, "five are in", func() bool { return w.machines[0].q.Epoch() == 5 && w.agree() })
	gone := w.people[3]
	gone.up = false
	began := w.now
	w.must(5*time.Second, "one is out", func() bool { return w.machines[0].q.Epoch() == 6 && w.agree() })
	t.Logf("removed after %v", w.now.Sub(began))
}
