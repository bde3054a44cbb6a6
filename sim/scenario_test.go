package sim

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearsay"
)

// largeVariable, set to anything, lets the scenarios run that take minutes:
//
//	HEARSAY_LARGE=1 go test ./sim
const largeVariable = "HEARSAY_LARGE"

// newScenario makes a world in which all machines start and a scenario
// follows, and which at the end must have broken no rule.
func newScenario(t testing.TB, nodes int, script string, change func(*Config)) *World {
	t.Helper()
	config := DefaultConfig()
	config.Nodes = nodes
	if change != nil {
		change(&config)
	}
	scenario, err := ParseScenario(t.Name(), script, nodes, config.Seeds)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorld(config, nil)
	w.Follow(scenario)
	t.Cleanup(func() {
		for i := range w.check.violations {
			t.Errorf("seed %d: %s", config.Seed, &w.check.violations[i])
		}
	})
	return w
}

// convergesWithin lets the world go on until all agree, and fails if that
// takes longer.
func (w *World) convergesWithin(t testing.TB, limit time.Duration) (took time.Duration) {
	t.Helper()
	const step = 50 * time.Millisecond
	for began := w.now; ; w.RunUntil(w.now + step) {
		took = w.now - began
		if w.convergence.Converged() {
			return took
		}
		if took >= limit {
			t.Fatalf("seed %d: at %s, %v after the last fault: %s", w.config.Seed, seconds(w.now), took, w.convergence.disagreement())
		}
	}
}

// stateAt gives the state in which one machine's node holds the present
// identity of another; 0 if it does not know it.
func (w *World) stateAt(observer, subject int) hearsay.State {
	w.members = w.machines[observer-1].node.Members(w.members[:0])
	for i := range w.members {
		if w.members[i].ID == w.machines[subject-1].id {
			return w.members[i].State
		}
	}
	return 0
}

func TestHalvesMeetAgain(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{2, 3, 8, 32} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			const cut, healed = 10 * time.Second, 90 * time.Second
			w := newScenario(t, nodes, fmt.Sprintf("at %v partition n1..n%d | n%d..n%d", cut, nodes/2, nodes/2+1, nodes), nil)
			w.RunUntil(cut - 1)
			w.convergesWithin(t, 0)
			w.RunUntil(healed)
			if nodes > 3 && w.stateAt(1, nodes) != hearsay.StateDead {
				t.Fatalf("n1 holds the other half %s after %v", w.stateAt(1, nodes), healed-cut)
			}
			w.Do(Action{Verb: Heal})
			t.Logf("one network %v after the cut's end", w.convergesWithin(t, 10*time.Second))
		})
	}
}

// One who is cut off alone cannot condemn the others, and a few can only those
// that nobody says to reach: the rest is suspect to them as long as it lasts,
// and must not stay so afterwards.
func TestFewCutOffComeBack(t *testing.T) {
	t.Parallel()
	for _, few := range []int{1, 5} {
		t.Run(fmt.Sprint(few), func(t *testing.T) {
			w := newScenario(t, 16, fmt.Sprintf("at 10s partition n1..n%d | n%d..n16\nat 70s heal", 16-few, 17-few), nil)
			w.RunUntil(70 * time.Second)
			if state := w.stateAt(1, 16); state != hearsay.StateDead {
				t.Fatalf("n1 holds n16 %s", state)
			}
			suspects, dead := w.countAt(16, hearsay.StateSuspect), w.countAt(16, hearsay.StateDead)
			if few == 1 && (suspects < 8 || dead > 0) { // it doubts itself, and so probes one in five seconds
				t.Fatalf("n16, alone, holds %d suspect and %d dead", suspects, dead)
			}
			t.Logf("back after %v", w.convergesWithin(t, 10*time.Second))
		})
	}
}

// countAt gives how many members a machine's node holds in a state.
func (w *World) countAt(by int, state hearsay.State) (n int) {
	for other := range w.machines {
		if other != by-1 && w.stateAt(by, other+1) == state {
			n++
		}
	}
	return n
}

func TestPausedComesBackByItself(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{200 * time.Millisecond, 2 * time.Second, time.Minute} {
		t.Run(pause.String(), func(t *testing.T) {
			w := newScenario(t, 16, "at 10s pause n4", nil)
			w.RunUntil(10*time.Second + pause)
			if pause >= time.Minute && w.stateAt(1, 4) != hearsay.StateDead {
				t.Fatalf("n1 holds n4 %s although it has stood still for %v", w.stateAt(1, 4), pause)
			}
			w.Do(Action{Verb: Resume, Who: []int{4}})
			t.Logf("back after %v", w.convergesWithin(t, 10*time.Second))
			w.RunUntil(w.now + 10*time.Second)
			w.convergesWithin(t, 0)
			for number := range w.machines {
				if number != 3 && w.stateAt(4, number+1) != hearsay.StateAlive {
					t.Errorf("it accuses n%d", number+1)
				}
			}
		})
	}
}

func TestRestartedIsWhoItWas(t *testing.T) {
	t.Parallel()
	for _, down := range []time.Duration{100 * time.Millisecond, 1500 * time.Millisecond, 30 * time.Second} {
		t.Run(down.String(), func(t *testing.T) {
			w := newScenario(t, 8, "at 10s kill n3", nil)
			w.RunUntil(9 * time.Second)
			before := w.machines[2].node.Self()
			w.RunUntil(10*time.Second + down)
			w.Do(Action{Verb: Restart, Who: []int{3}})
			t.Logf("back after %v", w.convergesWithin(t, 5*time.Second))
			after := w.machines[2].node.Self()
			if after.ID != before.ID || after.Incarnation <= before.Incarnation {
				t.Errorf("was %s at %d, is %s at %d", before.ID, before.Incarnation, after.ID, after.Incarnation)
			}
			w.RunUntil(w.now + 10*time.Second)
			w.convergesWithin(t, 0)
		})
	}
}

// The first of a network has nobody to ask; what it knows is on its disk.
func TestFirstComesBackToItsNetwork(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s kill n1\nat 40s restart n1", nil)
	w.RunUntil(40 * time.Second)
	t.Logf("back after %v", w.convergesWithin(t, 5*time.Second))
}

// All are killed at once, and come back from their disks alone.
func TestWholeNetworkComesBack(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 20s kill n1..n8\nat 30s restart n1..n8", nil)
	w.RunUntil(30 * time.Second)
	t.Logf("back after %v", w.convergesWithin(t, 15*time.Second))
}

func TestFreshDiskIsSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "at 10s kill n3\nat 11s restart n3 fresh", nil)
	w.RunUntil(9 * time.Second)
	before := w.machines[2].id
	w.RunUntil(11 * time.Second)
	t.Logf("agreed after %v", w.convergesWithin(t, 15*time.Second))
	if w.machines[2].id == before {
		t.Fatal("it is who it was")
	}
}

func TestLeaverIsGone(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 16, "at 10s leave n5", nil)
	w.RunUntil(12 * time.Second)
	if w.machines[4].condition != conditionLeft {
		t.Fatal("it has not gone")
	}
	w.convergesWithin(t, 0)
	if fate := w.fates.all[0]; fate.Knowers != 15+1 || fate.Known > time.Second {
		t.Fatalf("not known to all others and itself within a second: %s", &fate)
	}
	w.RunUntil(30 * time.Second)
	if state := w.stateAt(1, 5); state != hearsay.StateLeft {
		t.Fatalf("n1 holds it %s", state)
	}
	if w.counts.Suspicions > 0 {
		t.Fatalf("%d suspicions, of one who said goodbye", w.counts.Suspicions)
	}
}

// A slow disk delays what is durable, and nothing else: nobody suspects.
func TestSlowDiskIsNoDeath(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "", func(c *Config) { c.DiskDelay = 300 * time.Millisecond })
	w.RunUntil(30 * time.Second)
	w.convergesWithin(t, 0)
	if w.counts.Suspicions > 0 {
		t.Fatalf("%d suspicions", w.counts.Suspicions)
	}
}

// One way that carries nothing: relays go round it.
func TestOneWayCutAccusesNobody(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 16, "at 10s cut n3 -> n4", func(c *Config) { c.Detect.StreamPing = false })
	w.RunUntil(time.Minute)
	if w.counts.Deaths > 0 {
		t.Fatalf("%d deaths", w.counts.Deaths)
	}
	w.Do(Action{Verb: Heal})
	w.convergesWithin(t, 5*time.Second)
}

// A quarter of all packets lost in each direction, nothing by stream but what
// must be: all live, so nobody may die.
func TestNoFalseDeathUnderLoss(t *testing.T) {
	t.Parallel()
	for seed := range uint64(large(2, 40)) {
		w := newScenario(t, 64, "", func(c *Config) {
			c.Loss, c.Seed, c.NoFalseDeath, c.Detect.StreamPing = 0.25, seed+1, true, false
		})
		w.RunUntil(time.Minute)
		if w.check.falseDeaths > 0 {
			t.Errorf("seed %d: %d false deaths", seed+1, w.check.falseDeaths)
		}
		t.Logf("seed %d: %d suspicions, %d rounds, %d refutations", seed+1, w.counts.Suspicions, w.counts.Rounds, w.counts.Refutations)
	}
}

// The same configuration prints the same bytes, on however many processors.
func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	run := func(processors int, seed uint64) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		config := DefaultConfig()
		config.Nodes, config.Loss, config.For, config.Seed, config.Trace = 48, 0.05, 30*time.Second, seed, true
		config.Chatter = 500 * time.Millisecond
		var out bytes.Buffer
		if _, err := Run(config, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	one, two := run(1, 7), run(2, 7)
	if one != two {
		a, b := strings.Split(one, "\n"), strings.Split(two, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d:\n%s\n%s", i+1, a[i], b[i])
			}
		}
		t.Fatalf("%d lines, and %d", len(a), len(b))
	}
	if other := run(1, 8); other == one {
		t.Fatal("another seed prints the same")
	}
}

func TestThousandNodes(t *testing.T) {
	t.Parallel()
	if os.Getenv(largeVariable) == "" {
		t.Skipf("takes half a minute; set %s", largeVariable)
	}
	config := DefaultConfig()
	config.Nodes, config.Loss, config.Seed = 1000, 0.05, 7
	var out bytes.Buffer
	began := time.Now()
	r, err := Run(config, &out)
	took := time.Since(began)
	t.Logf("%s\n%v, %d MB from the system", out.String(), took, memoryMB())
	if err != nil {
		t.Fatal(err)
	}
	if r.FalseDeaths > 0 {
		t.Errorf("%d false deaths", r.FalseDeaths)
	}
}

// memoryMB is what the process has had from the system, in megabytes.
func memoryMB() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys >> 20
}

// BenchmarkNode is what one node costs for one virtual second, at rest, in a
// network of 128.
func BenchmarkNode(b *testing.B) {
	const nodes = 128
	w := newScenario(b, nodes, "", nil)
	w.RunUntil(20 * time.Second)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.RunUntil(w.now + time.Second)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nodes), "ns/node-second")
}

// BenchmarkThousand is the run that must take at most 30 seconds and 1.5 GB:
// `hearsay sim run --nodes 1000 --loss 0.05 --for 60s --seed 7`.
func BenchmarkThousand(b *testing.B) {
	for range b.N {
		config := DefaultConfig()
		config.Nodes, config.Loss, config.Seed = 1000, 0.05, 7
		if _, err := Run(config, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(memoryMB()), "MB")
}
