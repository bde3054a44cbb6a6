package sim

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// A ledger that is begun anew goes on, in each of these runs, and all agree on it.
func TestRecoveries(t *testing.T) {
	t.Parallel()
	const dir = "testdata/recover"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			config := DefaultConfig()
			if err := ReadWorld(filepath.Join(dir, file.Name()), &config); err != nil {
				t.Fatal(err)
			}
			want := uint64(1)
			if file.Name() == "twice" {
				want = 2
			}
			r, err := Run(config, io.Discard)
			if err != nil || r.Counts.Recoveries != want {
				t.Errorf("%d recoveries, want %d: %v", r.Counts.Recoveries, want, err)
			}
			if emptied := r.Counts.Emptied > 0; emptied != slices.Contains([]string{"given-seats", "twice"}, file.Name()) {
				t.Errorf("%d peers had to start with empty disks", r.Counts.Emptied)
			}
		})
	}
}

// What the seed that is left did not have is given up, and nothing else is.
func TestWhatARecoveryGivesUp(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s partition n1..n5 s2 s3 | s1\nat 12s leave n5\nat 17s recover s1\nat 20s heal", withSeeds(3))
	w.RunUntil(16 * time.Second)
	kept, all := w.machines[5].node.Seeded().Epoch(), w.machines[6].node.Seeded().Epoch()
	if kept != 5 || all != 6 {
		t.Fatalf("s1 is at epoch %d, s2 at %d", kept, all)
	}
	w.RunUntil(20 * time.Second)
	w.convergesWithin(t, 40*time.Second)
	before := w.check.before
	if len(before) != 1 || before[0].kept != kept || before[0].epoch() != all {
		t.Fatalf("given up: %d", len(before))
	}
	if r := w.check.ledger.rulings[kept]; r.kind != hearsay.RulingRecover || r.roster != before[0].rulings[kept-1].roster {
		t.Errorf("then comes %s", r.kind)
	}
}

// The seeds of a recovered network must decide, unless one has lost its disk since: perhaps before a third had
// a vote.
func TestRecoveredSeedsMustDecide(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 5, "at 10s recover s1", withSeeds(3))
	w.RunUntil(10 * time.Second)
	w.convergesWithin(t, 40*time.Second)
	if !w.operator.mustDecide() {
		t.Error("they need not decide, though all run")
	}
	w.Do(Action{Verb: Kill, Who: []int{8}})
	if w.operator.mustDecide() {
		t.Error("they must decide, and one is down")
	}
	w.Do(Action{Verb: Restart, Fresh: true, Who: []int{8}})
	w.RunUntil(w.now + time.Second)
	if !w.operator.allSeedsRun() || w.operator.mustDecide() {
		t.Error("they must decide, and one has lost its disk")
	}
}

// Who follows what was given up is held to that, and to no more of it.
func TestGivenUpIsHeldTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does func(w *World, n1 *machine)
		want string
	}{
		"more than was ruled": {func(w *World, n1 *machine) {
			made := hearsay.Ruling{Epoch: 7, Kind: hearsay.RulingLeave}
			w.check.applies(n1, &hearsay.Event{Kind: hearsay.EventRuled, Ruling: &made}, w.now)
			w.check.told(n1, w.now)
		}, "epoch 7 does not follow from 6"},
		"another roster": {func(w *World, n1 *machine) {
			w.check.holdsLedger(n1, &standing{epoch: 6, head: w.check.before[0].rulings[5].hash, stays: []hearsay.Stay{}}, w.now)
		}, "has another roster at epoch 6"},
		"another ledger": {func(w *World, n1 *machine) {
			w.check.holdsLedger(n1, &standing{epoch: 6, stays: []hearsay.Stay{}}, w.now)
		}, "has another ledger up to epoch 6"},
		"back again": {func(w *World, n1 *machine) {
			w.check.identities[n1.identity].told = 6
			w.check.sorts(n1, 6, w.check.before[0].rulings[5].hash, w.now)
		}, "goes back to the ledger that was given up after epoch 5, and has told 6 of the one since"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScenario(t, 5, "at 10s partition n1..n5 s2 s3 | s1\nat 12s leave n5\nat 17s recover s1\nat 17500ms partition n1 | n2..n5 s1..s3", withSeeds(3))
			w.RunUntil(17500 * time.Millisecond)
			n1 := &w.machines[0]
			for w.counts.Recoveries == 0 {
				w.RunUntil(w.now + 100*time.Millisecond)
			}
			if len(w.check.before) != 1 || w.check.followed(n1) != &w.check.before[0].ledgerModel {
				t.Fatalf("n1 does not follow what was given up: %d", len(w.check.before))
			}
			c.does(w, n1)
			if found := w.check.violations; len(found) == 0 || !strings.Contains(found[0].Text, c.want) {
				t.Errorf("found %v, want %s", found, c.want)
			}
			w.check.violations = nil
		})
	}
}
