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
	a, b, c := w.machines[0], w.machines[1], w.machines[2]
	w.run(time.Second)
	copied, last := maps.Clone(a.disk.durable), a.q.replica.log.last()
	w.crash(c)
	barred := hearsay.NodeID{7}
	w.must(10*time.Second, "a quorum", func() bool { return a.q.Ready() && b.q.Ready() })
	w.step(a, func() { a.q.Bar(w.now, barred, "test") })
	w.must(10*time.Second, "it is barred", func() bool { return len(a.q.Barred(nil)) == 1 && len(b.q.Barred(nil)) == 1 })
	w.crash(a)
	w.crash(b)
	a.disk.durable = copied
	a.disk.doubt()
	w.startAll()
	if a.q.replica.log.last() != last {
		t.Fatal("that shows nothing")
	}
	w.must(10*time.Second, "all have answered", func() bool { return !a.q.unsure() })
	w.crash(b)
	w.run(unsureFor / 2)
	if a.q.Ready() || c.q.Ready() {
		t.Fatalf("two that do not know what was decided are a quorum; %d and %d are barred", len(a.q.Barred(nil)), len(c.q.Barred(nil)))
	}
	w.start(b)
	w.must(10*time.Second, "all know it", func() bool { return len(a.q.Barred(nil)) == 1 && len(c.q.Barred(nil)) == 1 && a.q.Ready() })
}
