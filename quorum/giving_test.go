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
		for _, m := range w.machines {
			m.q.cfg.SnapshotEvery = 5
		}
		w.run(time.Second)
		behind, last := w.machines[2], w.machines[2].q.replica.log.last()
		w.crash(behind)
		for range 30 {
			w.newPerson()
		}
		w.must(time.Minute, "thirty are in", func() bool { return w.machines[0].q.Proven() >= 32 && w.machines[1].q.Proven() >= 32 })
		for range 120 {
			w.newPerson()
		}
		w.must(time.Minute, "some more are in", func() bool { return w.machines[0].q.Epoch() >= 80 })
		w.run(w.upTo(300 * time.Millisecond))
		left, lost := w.machines[1-seed%2], w.machines[seed%2]
		w.crash(lost)
		if seed%4 >= 2 {
			w.crash(left)
			w.start(left)
		}
		if left.q.replica.log.base <= last {
			t.Fatal("no snapshot is needed: the test shows nothing")
		}
		if left.q.Proven() < left.q.Epoch() {
			unproven++
		}
		w.start(behind)
		w.must(40*time.Second, "two of three decide", func() bool { return left.q.Decides() && behind.q.Epoch() > 100 && left.q.Proven() == left.q.Epoch() })
	}
	if unproven < 2 {
		t.Errorf("in %d of 16 worlds something is not proven: the test shows nothing", unproven)
	}
}
