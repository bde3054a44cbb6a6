package sim

import (
	"testing"
	"time"

	"hearsay"
	"hearsay/ledger"
)

// TestSavedLedgers: what any node saves can be checked, also where a member was removed, a seat was given to another
// life, or the ledger was begun anew; and what is changed in it does not go through.
func TestSavedLedgers(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s kill n5\nat 20s kill s3\nat 22s restart s3 fresh\nat 40s leave n4\nat 60s recover s1", withSeeds(3))
	for _, until := range []time.Duration{19 * time.Second, 50 * time.Second, 120 * time.Second} {
		w.RunUntil(until)
		w.inspection.savedLedgers()
		checked := 0
		for i := range w.machines {
			m := &w.machines[i]
			if m.condition != conditionRunning || m.node.Seeded().Authority().Proven != m.node.Seeded().Epoch() {
				continue
			}
			checked++
			saved, rulings := saveLedger(m)
			found, _ := ledger.Verify(&saved, all(rulings), nil, &w.check.verifier)
			if found.Ballots+found.Unchecked == 0 || int(found.To) != int(m.node.Seeded().Epoch()) || found.To-found.From+1 != hearsay.Epoch(len(rulings)) {
				t.Errorf("%v: %s: %+v", until, m.name, found)
			}
			rulings[len(rulings)-1].At = rulings[len(rulings)-1].At.Add(time.Second)
			if found, _ = ledger.Verify(&saved, all(rulings), nil, &w.check.verifier); found.Wrong == nil {
				t.Errorf("%v: %s: its last ruling was changed, and it holds", until, m.name)
			}
		}
		if checked < 4 {
			t.Errorf("%v: %d ledgers were checked", until, checked)
		}
	}
	kinds := map[hearsay.RulingKind]bool{}
	for _, r := range w.check.ledger.rulings {
		kinds[r.kind] = true
	}
	for kind := hearsay.RulingAdmit; kind < hearsay.NumRulingKinds; kind++ {
		if !kinds[kind] {
			t.Errorf("no %s was ruled", kind)
		}
	}
}
