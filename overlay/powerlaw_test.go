package overlay

import (
	"os"
	"slices"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"

	"pgregory.net/rapid"
)

func TestPowerLawConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := rapid.IntRange(LinksMin, 8).Draw(t, "links")
		loss := rapid.Float64Range(0, 0.4).Draw(t, "loss")
		steps := rapid.IntRange(1, 30).Draw(t, "steps")
		restless(t, Config{Kind: KindPowerLaw, Links: links}, rapid.Uint64().Draw(t, "seed"), steps, loss).check()
	})
}

func TestPowerLawIsDeterministic(t *testing.T) {
	cfg := Config{Kind: KindPowerLaw, Links: 6}
	a, b, c := restless(t, cfg, 7, 40, 0.1), restless(t, cfg, 7, 40, 0.1), restless(t, cfg, 8, 40, 0.1)
	if string(a.story) != string(b.story) || len(a.story) < 1000 {
		t.Errorf("two stories of %d and %d bytes from one seed", len(a.story), len(b.story))
	}
	if string(a.story) == string(c.story) {
		t.Error("the seed does not matter")
	}
}

// Many that start at one time are linked within seconds, and then are quiet.
func TestPowerLawRush(t *testing.T) {
	w := newWorld(t, Config{Kind: KindPowerLaw, Links: 6}, 1)
	for range 100 {
		w.join()
	}
	w.run(begin.Add(15 * time.Second))
	w.check()
	started := w.packets
	w.run(w.now.Add(time.Minute))
	perNode := float64(w.packets-started) / 100 / 60
	t.Logf("%d packets to start, then %.2f a second and node", started, perNode)
	if started > 100*50 || perNode > 0.25 {
		t.Errorf("%d packets to start, then %.2f a second and node", started, perNode)
	}
	w.check()
}

// grown is the links of n nodes of which each comes when those before it have
// theirs.
func grown(t *testing.T, cfg Config, n int) (all, drawn graph) {
	w := newWorld(t, cfg, 1)
	for range n {
		w.join()
		w.run(w.now.Add(500 * time.Millisecond))
	}
	w.run(w.now.Add(10 * time.Second))
	w.check()
	all, drawn = make(graph, n), make(graph, n)
	ring := ringGraph(n, 2)
	for i, id := range w.order {
		for _, other := range w.nodes[id].Links() {
			to := int32(slices.Index(w.order, other))
			if all[i] = append(all[i], to); !slices.Contains(ring[i], to) {
				drawn[i] = append(drawn[i], to)
			}
		}
	}
	t.Logf("%.1f packets a node in all", float64(w.packets)/float64(n))
	return all, drawn
}

// behead gives the largest share of those who remain that is in one piece,
// without the fifth that has the most links.
func (g graph) behead() float64 {
	order := make([]int, len(g))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(g[b]) - len(g[a]) })
	gone := make([]bool, len(g))
	for _, i := range order[:len(g)/5] {
		gone[i] = true
	}
	most := 0
	for i := range g {
		if !gone[i] {
			count, _ := g.reach(int32(i), gone)
			most = max(most, count)
		}
	}
	return float64(most) / float64(len(g)-len(g)/5)
}

// shape gives the mean and the largest degree, and the hops from some nodes to
// the last.
func (g graph) shape() (mean float64, most, hops int) {
	const starts = 20
	for i := range g {
		mean += float64(len(g[i])) / float64(len(g))
		most = max(most, len(g[i]))
		if i < starts {
			_, far := g.reach(int32(i), make([]bool, len(g)))
			hops = max(hops, far)
		}
	}
	return mean, most, hops
}

// Degrees are as they should be, a few of them large; and when the fifth with
// the most links fails at once, what was drawn is in pieces. That is why there
// is ring 0 besides, and why it is no default.
func TestPowerLawBeheaded(t *testing.T) {
	const links = 6
	n := 300
	if os.Getenv("HEARSAY_LARGE") != "" {
		n = 1000
	}
	powerLaw, drawn := grown(t, Config{Kind: KindPowerLaw, Links: links}, n)
	ring := ringGraph(n, links)
	for _, c := range []struct {
		name        string
		g           graph
		least, most float64 // share in one piece
	}{
		{"ring", ring, 0.999, 1},
		{"power law", powerLaw, 0.97, 1},
		{"drawn alone", drawn, 0, 0.7},
	} {
		mean, most, hops := c.g.shape()
		piece := c.g.behead()
		t.Logf("%d nodes, %s: degree %.2f, at most %d; %d hops; %.1f %% in one piece without the fifth with most links", n, c.name, mean, most, hops, 100*piece)
		if piece < c.least || piece > c.most {
			t.Errorf("%s: %.3f in one piece, want %.3f to %.3f", c.name, piece, c.least, c.most)
		}
	}
	mean, most, _ := powerLaw.shape()
	if few := tail(powerLaw); mean < links-0.5 || mean > links+0.5 || most < 3*links || few < 0.01 || few > 0.1 {
		t.Errorf("degree %.2f, at most %d; %.3f have twice as many as the mean", mean, most, few)
	}
}

// tail gives the share of nodes with at least twice the mean degree.
func tail(g graph) float64 {
	mean, _, _ := g.shape()
	few := 0
	for i := range g {
		if float64(len(g[i])) >= 2*mean {
			few++
		}
	}
	return float64(few) / float64(len(g))
}

// A node that has many links is given more of them: of many who ask as many
// are accepted as it has links already, of all that it may have.
func TestPowerLawAttracts(t *testing.T) {
	ids := idsOf(200)
	accepted := func(links int) (n int) {
		o := start(Config{Kind: KindPowerLaw, Links: 6}, ids[0], anywhere, 1)
		for _, id := range ids[1:] {
			o.Add(begin, id)
		}
		o.Tick(begin)
		var others []hearsay.NodeID
		for _, id := range ids[1:] {
			if !o.Linked(id) && id != o.drawn.asked {
				others = append(others, id)
			}
		}
		for _, id := range others[:links-2] {
			o.agree(begin, id)
		}
		o.Tick(begin)
		if len(o.Links()) != links {
			t.Fatalf("%d links, want %d", len(o.Links()), links)
		}
		const asks = 4000
		for range asks {
			if o.attracts() {
				n++
			}
		}
		return n
	}
	few, many := accepted(4), accepted(16)
	if few < 4000*4/24-100 || few > 4000*4/24+100 || many < 4000*16/24-150 || many > 4000*16/24+150 {
		t.Errorf("of 4000 it takes %d with 4 links, %d with 16; want 667 and 2667", few, many)
	}
	if full := accepted(24); full != 4000 {
		t.Errorf("%d at the most", full) // where agree has no room
	}
}

// However many ask, a node has at most four times its links.
func TestPowerLawIsCapped(t *testing.T) {
	for links, want := range map[int]int{2: 8, 6: 24, 16: 64, 32: 64} {
		ids := idsOf(400)
		o := start(Config{Kind: KindPowerLaw, Links: links}, ids[0], anywhere, 1)
		for _, id := range ids[1:] {
			o.Add(begin, id)
		}
		for i := range 10_000 {
			now := begin.Add(time.Duration(i) * helloRefill)
			o.Hello(now, from(ids[1+i%399]), &core.Hello{})
			o.Tick(now)
		}
		// One of ring 0 that asks is counted among the drawn besides.
		if n := len(o.Links()); n > want || n < want-2 {
			t.Errorf("%d links of %d, want %d", len(o.Links()), links, want)
		}
	}
}
