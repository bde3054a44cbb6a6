package quorum

import (
	"testing"
	"time"
)

func TestThreeSeedsRule(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	for range 5 {
		w.NewPerson()
	}
	w.Must(5*time.Second, "five are in", func() bool { return w.Machines[0].Q.Epoch() == 5 && w.agree() })
	gone := w.People[3]
	gone.Up = false
	began := w.Now
	w.Must(5*time.Second, "one is out", func() bool { return w.Machines[0].Q.Epoch() == 6 && w.agree() })
	t.Logf("removed after %v", w.Now.Sub(began))
}
