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
	victim := w.People[0]
	w.Flood(50*time.Millisecond, func() {
		for _, m := range w.Machines {
			if e := w.Evidence(m, victim, hearsay.VerdictUnreachable); e != nil {
				w.Step(m, func() {
					m.Q.Report(w.Now, &Report{Stay: hearsay.Stay{ID: victim.ID()}, By: w.People[1].ID(), Evidence: e})
				})
			}
		}
	})
	w.Run(20 * time.Second)
	if trials := w.Aborts / len(w.Machines); trials < 3 || trials > 11 {
		t.Errorf("%d trials in 20 s", trials)
	}
	victim.Up = false
	w.Must(6*time.Second, "it is out, now that it is dead", func() bool { return !w.In(victim) })
}
