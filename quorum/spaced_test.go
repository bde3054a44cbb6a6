package quorum

import (
	"testing"
	"time"

	"hearsay"
)

// A member behind heavy loss is condemned by observers on and on, and answers
// the seeds. It is tried now and then, and not as often as somebody reports it:
// each trial is one more in which it may fail to answer by chance.
func TestTrialsAreSpaced(t *testing.T) {
	w := followed(t, 61, 5)
	victim := w.people[0]
	w.flood(50*time.Millisecond, func() {
		for _, m := range w.machines {
			if e := w.evidence(m, victim, hearsay.VerdictUnreachable); e != nil {
				w.step(m, func() {
					m.q.Report(w.now, &Report{Stay: hearsay.Stay{ID: victim.id()}, By: w.people[1].id(), Evidence: e})
				})
			}
		}
	})
	w.run(20 * time.Second)
	if trials := w.aborts / len(w.machines); trials < 3 || trials > 11 {
		t.Errorf("%d trials in 20 s", trials)
	}
	victim.up = false
	w.must(6*time.Second, "it is out, now that it is dead", func() bool { return !w.in(victim) })
}
