package quorum

import (
	"strings"
	"testing"
	"time"
)

// A seed of five was away while two seats changed, and more was ruled than the others have in
// memory. The snapshot that it gets names seats that it does not know: it finds them in the rulings on
// the others' disks. As long as it cannot, it says so.
func TestSeedFindsSeatsOnDisk(t *testing.T) {
	w := newWorld(t, 5, 87)
	w.cfg.Tail, w.cfg.SnapshotEvery = 16, 20
	w.StartAll()
	w.Must(5*time.Second, "founded", w.agree)
	w.NewPerson()
	w.NewPerson()
	w.Must(10*time.Second, "two are in", func() bool { return w.agree() && w.Machines[0].Q.Epoch() == 2 })
	w.Run(time.Second)
	away := w.Machines[4]
	w.Crash(away)
	for _, slot := range []int{3, 2} {
		m := w.Machines[slot]
		w.Wipe(m)
		w.Run(3 * time.Second)
		w.Start(m)
		w.Must(time.Minute, "it has its seat", func() bool { return m.Q.Seated() && m.Q.Epoch() == w.Machines[0].Q.Epoch() && m.Q.chain.Lowest == 1 })
		w.Run(5 * time.Second)
	}
	for range 40 {
		w.NewPerson()
	}
	w.Must(30*time.Second, "all are in", func() bool { return w.Machines[0].Q.Epoch() == 44 })
	w.Run(5 * time.Second)
	w.Unread = true
	w.Start(away)
	w.Run(15 * time.Second)
	if away.Q.Epoch() != 2 || away.Q.Decides() || !strings.Contains(away.Q.Why(), "behind the others") {
		t.Errorf("it is at epoch %d, decides %t, and says %q", away.Q.Epoch(), away.Q.Decides(), away.Q.Why())
	}
	w.Unread = false
	w.Must(30*time.Second, "it comes back", func() bool { return away.Q.Epoch() == w.Machines[0].Q.Epoch() && away.Q.Decides() })
}
