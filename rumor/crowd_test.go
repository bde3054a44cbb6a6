package rumor

import (
	"math/rand/v2"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
)

// A well origin says much, and of that a share is lost on the first way and comes 300 ms later. Beside it a
// crowd has said one rumor each. Nothing is lost: what the crowd has not used is there for those that need it.
func TestCrowdTakesNothingFromOthers(t *testing.T) {
	for _, c := range []struct {
		crowd, rate int
		loss        float64
	}{{1000, 9000, .05}, {4000, 2000, .05}} {
		w := newNetwork(t, 2, DefaultConfig())
		n, random := w.nodes[0], rand.New(rand.NewPCG(1, 1))
		take := func(origin int, number uint64) {
			r := rumorOf(origin, number, "x")
			n.Begin()
			n.intake.take(w.now, nodeID(1), nil, &r)
			n.out.Reset()
		}
		for i := range c.crowd {
			take(2+i, 1)
		}
		type repaired struct {
			at     time.Time
			number uint64
		}
		var late []repaired
		total := 5 * c.rate
		for i := range total + c.rate {
			w.now = w.now.Add(time.Second / time.Duration(c.rate))
			for len(late) > 0 && !late[0].at.After(w.now) {
				take(2+c.crowd, late[0].number)
				late = late[1:]
			}
			switch number := uint64(i + 1); {
			case i >= total:
			case random.Float64() < c.loss:
				late = append(late, repaired{w.now.Add(300 * time.Millisecond), number})
			default:
				take(2+c.crowd, number)
			}
		}
		if lost := total + c.crowd - int(n.stats.RumorsDelivered); lost > 0 {
			t.Errorf("beside %d origins, %d rumors a second: %d of %d lost", c.crowd, c.rate, lost, total)
		}
	}
}

// Others have seen what nobody holds any more: one rumor each of many origins, and many lives of one, each of
// which left out numbers before its first. A newcomer comes to have seen the same, and then there is quiet.
func TestNewcomerAmongManyOriginsAgrees(t *testing.T) {
	for _, c := range []struct{ origins, lives int }{{1000, 300}, {2100, 1}, {4000, 70}} {
		w := newNetwork(t, 3, DefaultConfig())
		for _, n := range w.nodes[:2] {
			for o := range c.origins - 1 {
				n.seen.add(n.seen.of(hearsay.OriginOf(nodeID(4+o))), clock.Range{Low: 1, High: 1})
			}
			for l := range uint64(c.lives) {
				n.seen.add(n.seen.of(hearsay.OriginOf(nodeID(3))), clock.Range{Low: (l + 1) << 30, High: (l+1)<<30 + 5})
			}
		}
		w.link(0, 1)
		w.link(0, 2)
		w.link(1, 2)
		exchanges := func() (sum uint64) {
			for _, n := range w.nodes {
				sum += n.stats.RumorExchanges
			}
			return sum
		}
		w.run(5 * time.Minute)
		before := exchanges()
		w.run(2 * time.Minute)
		if same := w.nodes[0].seen.Hash() == w.nodes[2].seen.Hash(); !same || exchanges() > before {
			t.Errorf("%d origins, one of %d lives: after five minutes the newcomer has seen the same: %t; %d exchanges in the two minutes after", c.origins, c.lives, same, exchanges()-before)
		}
	}
}
