package sim

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearsay"
)

// A peer whose disk fails leaves, and is held dead by nobody; a seed ends. What it could not make durable it tells
// nobody, and it is in again once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, seeds := range []int{0, 3} {
		for _, slow := range []string{"", "at 5s disk 200ms n3\n"} {
			t.Run(fmt.Sprintf("%d seeds, %q", seeds, slow), func(t *testing.T) {
				w := newScenario(t, 8, slow+"at 19s fill n3\nat 20s say n3\nat 30s room n3\nat 30s restart n3", withSeeds(seeds))
				n1, n3 := &w.machines[0], &w.machines[2]
				w.RunUntil(28 * time.Second)
				if n3.node != nil {
					t.Fatal("n3 runs")
				}
				for i := range w.machines {
					m := &w.machines[i]
					if m == n3 || m.node == nil {
						continue
					}
					stats := m.node.Stats()
					if stats.Deaths+stats.Removals+stats.Suspicions > 0 {
						t.Errorf("%s: %d deaths, %d removals, %d suspicions", m.name, stats.Deaths, stats.Removals, stats.Suspicions)
					}
					for _, one := range m.node.Members(nil) {
						if one.ID == n3.id && one.State != hearsay.StateLeft {
							t.Errorf("%s has it that n3 is %s", m.name, one.State)
						}
					}
				}
				if stats := n1.node.Stats(); stats.RumorsDelivered != 0 {
					t.Errorf("n1 has heard %d rumors", stats.RumorsDelivered)
				}
				w.RunUntil(32 * time.Second)
				w.convergesWithin(t, 20*time.Second)
			})
		}
	}
	w := newScenario(t, 4, "at 19s fill s1\nat 20s kill n4", withSeeds(3))
	w.RunUntil(30 * time.Second)
	if w.machines[4].node != nil {
		t.Error("a seed whose disk has failed runs")
	}
}

// A peer does not leave for an incarnation that its disk has lost: where its clock was set back the next life has the
// same one again.
func TestFullDiskLosesAnIncarnation(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, `
		at 20s jump -13m n3
		at 22s fill n3
		at 23s pause n3
		at 25s resume n3
		at 35s room n3
		at 35s restart n3`, withSeeds(0))
	w.RunUntil(34 * time.Second)
	if w.counts.DiskFails != 1 {
		t.Fatalf("%d syncs failed", w.counts.DiskFails)
	}
	w.RunUntil(45 * time.Second)
	if found := w.check.violations; len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// What a peer learns after its disk has failed may rest on what it could not make durable, as that it is in: it tells
// nothing of that, in these runs neither.
func TestFullDiskTellsNothingMore(t *testing.T) {
	t.Parallel()
	const dir = "testdata/fulldisk"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for _, file := range files {
		config := DefaultConfig()
		if err := ReadWorld(filepath.Join(dir, file.Name()), &config); err != nil {
			t.Fatal(err)
		}
		if r, err := Run(config, io.Discard); err != nil || len(r.Violations) > 0 || r.Counts.DiskFails == 0 {
			t.Errorf("%s: %d syncs failed: %v, %v", file.Name(), r.Counts.DiskFails, err, r.Violations)
		}
	}
}
