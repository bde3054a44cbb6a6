package overlay

import (
	"math/rand/v2"
	"slices"
	"testing"

	"hearsay/ring"
)

// graph is links by index.
type graph [][]int32

// ringGraph gives the links of n nodes that all know each other: a walk of
// a ring once round meets everybody in the order in which they are linked.
func ringGraph(n, links int) graph {
	ids := idsOf(n)
	g := make(graph, n)
	order := make([]int32, n)
	for i := range links / 2 {
		for at := range order {
			order[at] = int32(at)
		}
		slices.SortFunc(order[1:], func(a, b int32) int {
			if ring.Before(i, ids[0], ids[a], ids[b]) {
				return -1
			}
			return 1
		})
		for at, from := range order {
			to := order[(at+1)%n]
			g[from], g[to] = append(g[from], to), append(g[to], from)
		}
	}
	return g
}

// reach walks from one node to all that are reached without those gone. It
// gives how many these are, and over how many hops the last.
func (g graph) reach(from int32, gone []bool) (count, hops int) {
	seen := make([]bool, len(g))
	copy(seen, gone)
	seen[from] = true
	for edge := []int32{from}; len(edge) > 0; hops++ {
		count += len(edge)
		var next []int32
		for _, at := range edge {
			for _, to := range g[at] {
				if !seen[to] {
					seen[to] = true
					next = append(next, to)
				}
			}
		}
		edge = next
	}
	return count, hops - 1
}

// The figures behind the default of Config.Links: how many of those who
// remain are in one piece right after every fifth has died, before any link
// has moved on; and how many hops a message takes from one node to the last.
func TestStaticGraphs(t *testing.T) {
	const rounds = 20
	for _, c := range []struct {
		n, links  int
		hopsMost  int     // from the nodes that were looked at
		aloneMost float64 // of those who remain, cut off, mean
	}{
		{128, 4, 7, 1},
		{128, 6, 5, 0.2},
		{1000, 4, 9, 4},
		{1000, 6, 6, 0.5},
		{10000, 4, 11, 30},
		{10000, 6, 8, 3},
	} {
		random := rand.New(rand.NewPCG(1, uint64(c.n)))
		g := ringGraph(c.n, c.links)
		hopsMost, edges := 0, 0
		for i := range rounds {
			count, hops := g.reach(int32(i), make([]bool, c.n))
			if count != c.n {
				t.Fatalf("%d nodes, %d links: %d are reached", c.n, c.links, count)
			}
			hopsMost = max(hopsMost, hops)
		}
		for i := range g {
			edges += len(g[i])
		}
		alone := 0.0
		for range rounds {
			gone := make([]bool, c.n)
			for _, i := range random.Perm(c.n)[:c.n/5] {
				gone[i] = true
			}
			largest := 0
			for i := range int32(8) {
				if !gone[i] {
					count, _ := g.reach(i, gone)
					largest = max(largest, count)
				}
			}
			alone += float64(c.n-c.n/5-largest) / rounds
		}
		t.Logf("%5d nodes, %d links: degree %.2f, %d hops; %.2f of %d cut off when a fifth dies",
			c.n, c.links, float64(edges)/float64(c.n), hopsMost, alone, c.n-c.n/5)
		if hopsMost > c.hopsMost || alone > c.aloneMost {
			t.Errorf("%d nodes, %d links: %d hops, %.2f cut off", c.n, c.links, hopsMost, alone)
		}
	}
}
