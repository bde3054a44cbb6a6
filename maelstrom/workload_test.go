package maelstrom

import (
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"
)

// What is required of the broadcast workload with 25 nodes, 100 ms between
// them, and 100 operations a second for 20 s.
const (
	perOpMost  = 20.0                   // messages between nodes
	medianMost = 400 * time.Millisecond // until a value is stable
	stableMost = 600 * time.Millisecond // until every value is
)

// standard is that workload.
func standard(seed uint64) workload {
	return workload{
		nodes: 25, rate: 100, limit: 20 * time.Second, recovery: 10 * time.Second,
		latency: func(*rand.Rand) time.Duration { return 100 * time.Millisecond },
		seed:    seed, config: DefaultConfig(),
	}
}

// large is whether all that takes long was asked for.
func large() bool { return os.Getenv("HEARSAY_LARGE") != "" }

// seeds is how many a test runs.
func seeds() uint64 {
	if large() {
		return 20
	}
	return 1
}

func TestBroadcast(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of computing")
	}
	for seed := range seeds() {
		c := newCluster(t, standard(seed)).run()
		c.report()
		c.check()
		for _, stable := range [][]time.Duration{c.stable(), c.stableByReads()} {
			if median, most := quantile(stable, .5), quantile(stable, 1); median >= medianMost || most >= stableMost {
				t.Errorf("seed %d: stable after %v in the median and %v at most", seed, median, most)
			}
		}
	}
}

func TestBroadcastPartitioned(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of computing")
	}
	during := func(at time.Duration) bool { return at >= 10*time.Second && at < 20*time.Second }
	for name, cut := range map[string]func(at time.Duration, from, to int) bool{
		"halves": func(at time.Duration, from, to int) bool { return during(at) && from%2 != to%2 },
		"third":  func(at time.Duration, from, to int) bool { return during(at) && (from%3 == 0) != (to%3 == 0) },
		"one":    func(at time.Duration, from, to int) bool { return during(at) && (from == 3) != (to == 3) },
		"ring": func(at time.Duration, from, to int) bool { // each sees a majority, and no two the same one
			return during(at) && (from-to+25)%25 > 6 && (to-from+25)%25 > 6
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range seeds() {
				w := standard(seed)
				w.cut = cut
				c := newCluster(t, w).run()
				c.report()
				c.check()
			}
		})
	}
}

// TestLongPartition cuts the nodes apart for so long that each half takes the
// other for dead.
func TestLongPartition(t *testing.T) {
	w := standard(1)
	w.nodes, w.rate, w.limit = 10, 5, 3*time.Minute
	w.cut = func(at time.Duration, from, to int) bool {
		return at >= 10*time.Second && at < 170*time.Second && from%2 != to%2
	}
	c := newCluster(t, w)
	c.run()
	c.report()
	if lost := c.lost(); lost > 0 {
		t.Errorf("%d values lost", lost)
	}
	deaths := uint64(0)
	for _, s := range c.nodes {
		deaths += s.Stats().Deaths
	}
	if deaths == 0 {
		t.Error("nobody was taken for dead: this tests less than it says")
	}
}

// TestReordered has messages take any time up to 200 ms, and overtake each
// other.
func TestReordered(t *testing.T) {
	w := standard(1)
	w.nodes, w.limit = 10, 5*time.Second
	w.latency = func(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(200 * time.Millisecond))) }
	c := newCluster(t, w).run()
	c.report()
	c.check()
}

func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) *cluster {
		w := standard(seed)
		w.nodes, w.limit, w.recovery = 5, time.Second, time.Second
		return newCluster(t, w).run()
	}
	a, b, other := run(1), run(1), run(2)
	if !reflect.DeepEqual(a.stable(), b.stable()) || a.between != b.between || a.order != b.order {
		t.Error("the same seed makes another run")
	}
	if reflect.DeepEqual(a.stable(), other.stable()) {
		t.Error("another seed makes the same run")
	}
}

// TestSet adds to a set on one node, and reads it on others.
func TestSet(t *testing.T) {
	w := standard(1)
	w.nodes = 3
	c := newCluster(t, w)
	c.start()
	for _, s := range c.nodes {
		s.reads = "" // as if there had been no topology
	}
	if got := string(c.ask(0, `{"type":"add","msg_id":1,"element":1e2}`)); got != `{"type":"add_ok","in_reply_to":1}` {
		t.Error(got)
	}
	c.until(c.now + time.Second)
	for i := range c.nodes {
		if got := string(c.ask(i, `{"type":"read","msg_id":1}`)); got != `{"type":"read_ok","in_reply_to":1,"value":[1e2]}` {
			t.Errorf("n%d: %s", i, got)
		}
	}
}

// report logs the figures.
func (c *cluster) report() {
	c.t.Helper()
	exact, byReads := c.stable(), c.stableByReads()
	c.t.Logf("seed %d: ready after %v; %d operations, %d values, %d lost; %.1f messages an operation", c.w.seed, c.begun, c.ops, len(c.acked), c.lost(), c.perOp())
	c.t.Logf("stable: median %v, 99 %% %v, max %v; as Maelstrom sees it: median %v, max %v", round(quantile(exact, .5)),
		round(quantile(exact, .99)), round(quantile(exact, 1)), round(quantile(byReads, .5)), round(quantile(byReads, 1)))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// check holds a run to what must be so with and without partitions.
func (c *cluster) check() {
	c.t.Helper()
	if lost := c.lost(); lost > 0 || len(c.acked) == 0 {
		c.t.Errorf("seed %d: %d of %d values lost", c.w.seed, lost, len(c.acked))
	}
	if c.perOp() >= perOpMost {
		c.t.Errorf("seed %d: %.1f messages an operation", c.w.seed, c.perOp())
	}
	for i, s := range c.nodes {
		if drops := s.drops; s.drops != [len(drops)]uint64{} {
			c.t.Errorf("n%d has dropped %v", i, drops)
		}
	}
}
