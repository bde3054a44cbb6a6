package quorum

import (
	"testing"
	"time"
)

// One seed of three is behind, and another is lost for good while many are being admitted, so
// that what was ruled last has the head of one seat only. The two that are left decide all the same,
// also where the one that has it all was started again.
func TestSeedIsLostWhileAnotherIsBehind(t *testing.T) {
	unproven := 0
	for seed := range uint64(16) {
		w := followed(t, 200+seed, 2)
		w.cfg.SnapshotEvery = 5
		for _, m := range w.Machines {
			m.Q.cfg.SnapshotEvery = 5
		}
		w.Run(time.Second)
		behind, last := w.Machines[2], w.Machines[2].Q.replica.log.last()
		w.Crash(behind)
		for range 30 {
			w.NewPerson()
		}
		w.Must(time.Minute, "thirty are in", func() bool { return w.Machines[0].Q.Proven() >= 32 && w.Machines[1].Q.Proven() >= 32 })
		for range 120 {
			w.NewPerson()
		}
		w.Must(time.Minute, "some more are in", func() bool { return w.Machines[0].Q.Epoch() >= 80 })
		w.Run(w.UpTo(300 * time.Millisecond))
		left, lost := w.Machines[1-seed%2], w.Machines[seed%2]
		w.Crash(lost)
		if seed%4 >= 2 {
			w.Crash(left)
			w.Start(left)
		}
		if left.Q.replica.log.base <= last {
			t.Fatal("no snapshot is needed: the test shows nothing")
		}
		if left.Q.Proven() < left.Q.Epoch() {
			unproven++
		}
		w.Start(behind)
		w.Must(40*time.Second, "two of three decide", func() bool { return left.Q.Decides() && behind.Q.Epoch() > 100 && left.Q.Proven() == left.Q.Epoch() })
	}
	if unproven < 2 {
		t.Errorf("in %d of 16 worlds something is not proven: the test shows nothing", unproven)
	}
}
