package sim

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// coreScenario is of a core of two seeds and two peers, and what it must do.
const coreScenario = `with nodes 8
with seeds 3
with for 70s
with abrupt on
at 10s core 10s n1..n3 s1 s2
at 10s kill n5..n8 s3
at 12s want-in 10s n4
at 20s want-heard 10s n1 n2 n4
at 30s want-out 20s n3
`

// runText runs what a scenario's file would say.
func runText(t *testing.T, text string) (Result, error) {
	t.Helper()
	config := DefaultConfig()
	if err := ParseWorld("core", text, &config); err != nil {
		t.Fatal(err)
	}
	return Run(config, io.Discard)
}

// A demand that is met tells how long it took, and the run is over once all are.
func TestDemandsAreMet(t *testing.T) {
	r, err := runText(t, coreScenario)
	if err != nil {
		t.Fatal(err)
	}
	for kind, took := range r.Demands {
		if took <= 0 || took > 20 {
			t.Errorf("%s took %vs", DemandKind(kind), took)
		}
	}
	if r.Time >= 50 {
		t.Errorf("went on until %vs", r.Time)
	}
}

// Each kind of demand fails where it is not met: by which node, and what is lacking.
func TestDemandsAreNotMet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, want string }{
		"no quorum, in":     {"at 11s kill s1\nat 12s want-in 10s n4", "not met within 10s: n4 is not in by the ledger of 2 seeds, but of 0"},
		"no quorum, out":    {"at 11s kill s1\nat 12s want-out 10s n3", "not met within 10s: n3, which was killed, is out by the ledger of 0 seeds, and not of 2"},
		"cut off, unheard":  {"at 11s partition n1 s1..s3 | n2\nat 12s want-heard 3s n1 n2", "not met within 3s: n2 has not heard rumor 1 of n1"},
		"stopped, still in": {"at 11s restart n5..n8 s3\nat 18s want-out 5s n3\nat 18500ms pause n2", "not met within 5s: n2 still lists n3, which was killed"},
		"silent speaker":    {"at 11s kill n1\nat 12s want-heard 10s n1 n2", "demanded at   12.000s: n1, which is to say a rumor, does not run"},
		"never in":          {"at 11s kill s1\nat 12s want-heard 3s n1 n4\nat 12s start n4", "not met when the run is over: n4 has not heard rumor 1 of n1"},
		"in and out":        {"at 11900ms loss-in 1 n2\nat 12s want-heard 3s n1 n2\nat 13s kill n2\nat 14s restart n2", "not met within 3s: n2 has not heard rumor 1 of n1"},
		"late to come":      {"at 8s partition n1 n2 s1..s3 | n3\nat 9s start n3", "not met within 10s: n3 is not in by the ledger of 2 seeds, but of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			head, _, _ := strings.Cut(coreScenario, "at 12s want-in")
			_, err := runText(t, head+c.line+"\nat 40s want-heard 1s n1 n2\n")
			var unmet *Unmet
			if !errors.As(err, &unmet) || !errors.Is(err, ErrUnmet) || !strings.HasSuffix(unmet.Text, c.want) {
				t.Fatalf("%v: want %q", err, c.want)
			}
		})
	}
}

// Nobody may remove what is well, whatever is lost: not in worlds either in
// which the network is not whole.
func TestWellIsNotRemoved(t *testing.T) {
	_, err := runText(t, "with nodes 6\nwith seeds 3\nwith for 90s\nat 10s core 10s n1..n3 s1 s2\nat 11s partition n1 n2 s1..s3 | n3")
	if !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "rule false-death broken: n3 is removed, which is well") {
		t.Fatal(err)
	}
}

// Worlds with a core are drawn the same each time, and say all of themselves in
// the file that they are written to.
func TestCoreWorldsReadBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		config, err := Drawn{Core: true, Seeds: SeedsDrawn}.World(seed)
		if err != nil {
			t.Fatal(err)
		}
		if config.Nodes < coreNodesMin || config.Nodes > coreNodesMax || config.Seeds < 1 {
			t.Fatalf("seed %d: %d nodes, %d seeds", seed, config.Nodes, config.Seeds)
		}
		read := DefaultConfig()
		if err := ParseWorld("core", config.Text(), &read); err != nil {
			t.Fatal(err)
		}
		if again := read.Text(); again != config.Text() {
			t.Fatalf("seed %d: read as\n%s", seed, again)
		}
	}
}

func TestLatenciesInOrder(t *testing.T) {
	var l latencies
	for i := range 200 {
		l.add(&Demands{DemandOut: float64(200 - i)})
	}
	all := l.all()
	if len(all) != 1 || all[0] != (Latency{What: "removal", Worlds: 200, Median: 100, Late: 198, Most: 200}) {
		t.Fatalf("%+v", all)
	}
}

// What a core must do it does in time, in the smallest form of each world in which it once
// did not.
func TestCoreScenarios(t *testing.T) {
	t.Parallel()
	const dir = "testdata/core"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			r, err := runText(t, string(text))
			if err != nil || r.Demands == nil {
				t.Fatalf("%v, demands %v", err, r.Demands)
			}
			t.Logf("took %.1f s", *r.Demands)
		})
	}
}
