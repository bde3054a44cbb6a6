package maelstrom

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// stored is a run of five nodes of which partitions cut some off for ten
// seconds, until the operations end.
func stored(t *testing.T, seed uint64, cut func(from, to int) bool) *cluster {
	w := standard(seed)
	w.nodes = 5
	w.cut = func(at time.Duration, from, to int) bool {
		return at >= 5*time.Second && at < 15*time.Second && cut(from, to)
	}
	c := newCluster(t, w)
	c.start()
	for _, s := range c.nodes {
		s.reads = "" // as without a topology
	}
	c.begun = c.now
	return c
}

// each runs a workload under each partition: ask is called ten times a second for
// 15 seconds, then all is mended, and after ten more check is called.
func each(t *testing.T, run func(c *cluster) (ask func(node, i int), check func(node int))) {
	for name, cut := range map[string]func(from, to int) bool{
		"none":   func(int, int) bool { return false },
		"halves": func(from, to int) bool { return from%2 != to%2 },
		"one":    func(from, to int) bool { return (from == 3) != (to == 3) },
		"ring":   func(from, to int) bool { return (from-to+5)%5 > 1 && (to-from+5)%5 > 1 },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds() {
				c := stored(t, seed, cut)
				ask, check := run(c)
				for i := range 150 {
					c.until(c.now + 100*time.Millisecond)
					ask(c.random.IntN(c.w.nodes), i)
				}
				c.until(c.now + 10*time.Second)
				for node, s := range c.nodes {
					check(node)
					if drops := s.drops; s.drops != [len(drops)]uint64{} {
						t.Errorf("n%d has dropped %v", node, drops)
					}
				}
				t.Logf("seed %d: %.1f messages an operation", seed, float64(c.between)/150)
			}
		})
	}
}

// demand asks, and fails the test where the answer is another type.
func (c *cluster) demand(node int, kind, body string) json.RawMessage {
	c.t.Helper()
	got := c.ask(node, body)
	var h head
	if json.Unmarshal(got, &h) != nil || h.Type != kind {
		c.t.Fatalf("n%d: %s: got %s", node, body, got)
	}
	return got
}

func TestSetPartitioned(t *testing.T) {
	each(t, func(c *cluster) (func(int, int), func(int)) {
		var all []int
		return func(node, i int) {
				c.demand(node, "add_ok", fmt.Sprintf(`{"type":"add","msg_id":1,"element":%d}`, i))
				all = append(all, i)
			}, func(node int) {
				var got struct{ Value []int }
				c.must(json.Unmarshal(c.demand(node, "read_ok", `{"type":"read","msg_id":1}`), &got))
				if slices.Sort(got.Value); !slices.Equal(got.Value, all) {
					c.t.Errorf("n%d has %d of %d: %v", node, len(got.Value), len(all), got.Value)
				}
			}
	})
}

func TestCounterPartitioned(t *testing.T) {
	each(t, func(c *cluster) (func(int, int), func(int)) {
		sum := 0
		return func(node, i int) {
				delta := c.random.IntN(11) - 5
				c.demand(node, "add_ok", fmt.Sprintf(`{"type":"add","msg_id":1,"delta":%d}`, delta))
				sum += delta
			}, func(node int) {
				var got struct{ Value int }
				c.must(json.Unmarshal(c.demand(node, "read_ok", `{"type":"read","msg_id":1}`), &got))
				if got.Value != sum {
					c.t.Errorf("n%d has counted %d, want %d", node, got.Value, sum)
				}
			}
	})
}

// TestTransactionsPartitioned has transactions write two keys, one of them twice.
// None is ever seen in half, and in the end all nodes read the same.
func TestTransactionsPartitioned(t *testing.T) {
	each(t, func(c *cluster) (func(int, int), func(int)) {
		final, writtenMost := "", 0
		read := func(node, pair int) (seen string) {
			var got struct{ Txn [][]any }
			c.must(json.Unmarshal(c.demand(node, "txn_ok", fmt.Sprintf(`{"type":"txn","msg_id":1,"txn":[["r",%d,null],["r",%d,null]]}`, 2*pair, 2*pair+1)), &got))
			first, second := got.Txn[0][2], got.Txn[1][2]
			if first != second {
				c.t.Errorf("n%d after %v: a transaction in half: %v", node, c.now-c.begun, got.Txn)
			}
			if value, ok := first.(float64); ok {
				if value < 0 {
					c.t.Errorf("n%d has read what a transaction wrote over: %v", node, got.Txn)
				}
				writtenMost = max(writtenMost, int(value))
			}
			return fmt.Sprint(got.Txn)
		}
		return func(node, i int) {
				pair := c.random.IntN(3)
				c.demand(node, "txn_ok", fmt.Sprintf(`{"type":"txn","msg_id":1,"txn":[["w",%[1]d,%[3]d],["w",%[2]d,%[4]d],["w",%[1]d,%[4]d]]}`, 2*pair, 2*pair+1, -i-1, i))
				for other := range c.nodes {
					read(other, pair)
				}
			}, func(node int) {
				seen := read(node, 0) + read(node, 1) + read(node, 2)
				if final == "" {
					final = seen
				}
				if seen != final || writtenMost != 149 {
					c.t.Errorf("n%d reads %s, and n0 %s; the last value seen is %d of 149", node, seen, final, writtenMost)
				}
			}
	})
}
