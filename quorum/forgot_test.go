package quorum

import (
	"maps"
	"testing"
	"time"

	"hearsay"
)

// What was decided with the word of a seed that was put back since is not decided otherwise by
// it and a seed that does not know. The one that knows was started again, so it has the entry, and
// remembers of nobody else that it has told so. It answers, and is gone.
func TestPutBackSeedVotesForNobodyWithLess(t *testing.T) {
	w := followed(t, 96, 4)
	a, b, c := w.Machines[0], w.Machines[1], w.Machines[2]
	w.Run(time.Second)
	copied, last := maps.Clone(a.Disk.Durable), a.Q.replica.log.last()
	w.Crash(c)
	barred := hearsay.NodeID{7}
	w.Must(10*time.Second, "a quorum", func() bool { return a.Q.Ready() && b.Q.Ready() })
	w.Step(a, func() { a.Q.Bar(w.Now, barred, "test") })
	w.Must(10*time.Second, "it is barred", func() bool { return len(a.Q.Barred(nil)) == 1 && len(b.Q.Barred(nil)) == 1 })
	w.Crash(a)
	w.Crash(b)
	a.Disk.Durable = copied
	doubtDisk(&a.Disk)
	w.StartAll()
	if a.Q.replica.log.last() != last {
		t.Fatal("that shows nothing")
	}
	w.Must(10*time.Second, "all have answered", func() bool { return !a.Q.diskCheck.unsure() })
	w.Crash(b)
	w.Run(unsureFor / 2)
	if a.Q.Ready() || c.Q.Ready() {
		t.Fatalf("two that do not know what was decided are a quorum; %d and %d are barred", len(a.Q.Barred(nil)), len(c.Q.Barred(nil)))
	}
	w.Start(b)
	w.Must(10*time.Second, "all know it", func() bool { return len(a.Q.Barred(nil)) == 1 && len(c.Q.Barred(nil)) == 1 && a.Q.Ready() })
}
