package sim

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// absence is a drawn world in which one peer is away while seats of seeds are
// given anew, members leave and come back, and some seeds die for good.
type absence struct {
	*World
	t      *testing.T
	random *rand.Rand
	away   int // the peer's number
}

const absenceNodes = 8

func newAbsence(t *testing.T, seed uint64) *absence {
	a := &absence{t: t, random: rand.New(rand.NewPCG(seed, 77))}
	seeds, short, lossy := pick(a.random, 3, 3, 5), a.random.IntN(3) > 0, a.random.IntN(3) == 0
	a.World = newScenario(t, absenceNodes, "", func(c *Config) {
		if short {
			shortLedger(c)
		}
		if lossy {
			c.Loss = 0.05
		}
		c.Seed, c.Seeds = seed, seeds
	})
	a.away = 6 + a.random.IntN(3)
	return a
}

func (a *absence) do(action Action) {
	a.t.Logf("%v %+v", a.now, action)
	a.Do(action)
}

func (a *absence) wait(most time.Duration) {
	a.RunUntil(a.now + time.Duration(a.random.Int64N(int64(most))))
}

// seed draws the number of one.
func (a *absence) seed() int { return absenceNodes + 1 + a.random.IntN(a.config.Seeds) }

// loseDisk gives a seed a new life, and waits until it has its seat.
func (a *absence) loseDisk() {
	who := []int{a.seed()}
	a.do(Action{Verb: Kill, Who: who})
	a.wait(3 * time.Second)
	a.do(Action{Verb: Restart, Who: who, Fresh: true})
	if a.random.IntN(3) == 0 {
		a.leaveAndReturn(2 + a.random.IntN(3))
	}
	a.runsUntil(a.t, time.Minute, "all seeds have their seats", func() bool {
		for i := range a.config.Seeds {
			if !a.machines[absenceNodes+i].node.Seeded().Authority().Ready {
				return false
			}
		}
		return true
	})
	a.RunUntil(a.now + 4*time.Second) // and all vote in the log
	a.wait(4 * time.Second)
}

func (a *absence) leaveAndReturn(who ...int) {
	a.do(Action{Verb: Leave, Who: who})
	a.wait(8 * time.Second)
	a.do(Action{Verb: Restart, Who: who})
	a.wait(8 * time.Second)
}

// A peer that was away, however long and in whatever way, comes to know who sits
// where, whichever seeds are left to tell.
func TestAwayWhileSeatsChange(t *testing.T) {
	t.Parallel()
	for seed := range uint64(large(12, 200)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a := newAbsence(t, seed)
			var rest []int
			for i := range a.machines {
				if i+1 != a.away {
					rest = append(rest, i+1)
				}
			}
			goes := pick(a.random,
				[2]Action{{Verb: Partition, Groups: [][]int{rest, {a.away}}}, {Verb: Heal}},
				[2]Action{{Verb: Kill, Who: []int{a.away}}, {Verb: Restart, Who: []int{a.away}}},
				[2]Action{{Verb: Pause, Who: []int{a.away}}, {Verb: Resume, Who: []int{a.away}}})
			a.RunUntil(10 * time.Second)
			a.do(goes[0])
			for range 1 + a.random.IntN(4) {
				a.loseDisk()
			}
			if a.random.IntN(2) == 0 {
				a.leaveAndReturn(2, 3, 4)
			}
			for range a.random.IntN((a.config.Seeds-1)/2 + 1) {
				a.do(Action{Verb: Kill, Who: []int{a.seed()}})
				a.wait(4 * time.Second)
			}
			a.do(goes[1])
			t.Logf("agrees after %v", a.convergesWithin(t, 90*time.Second))
		})
	}
}

// A peer that ends in good order and says that it is back soon is not removed for the time that it has, nor
// held suspect by anybody; one that is not back by then is out about as soon after that as any.
func TestAwayForARestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seeds int
		loss  float64
	}{{seeds: 3}, {}, {seeds: 3, loss: 0.1}, {loss: 0.1}} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%d seeds, loss %v, %d", c.seeds, c.loss, seed), func(t *testing.T) {
				w := newScenario(t, 8, "at 15s away n4\nat 24s restart n4\nat 40s away n5", func(config *Config) {
					config.Seed, config.Seeds, config.Loss = seed, c.seeds, c.loss
				})
				w.RunUntil(14 * time.Second)
				epoch := w.machines[0].node.Seeded().Epoch()
				w.RunUntil(39 * time.Second)
				if w.counts.Deaths > 0 || w.counts.Suspicions > 0 && c.loss == 0 {
					t.Errorf("%d deaths, %d suspicions; want none of a member that is back", w.counts.Deaths, w.counts.Suspicions)
				}
				if got := w.machines[0].node.Seeded().Epoch(); got != epoch {
					t.Errorf("a restart in good order cost %d rulings", got-epoch)
				}
				w.RunUntil(50 * time.Second)
				if w.counts.Deaths > 0 {
					t.Errorf("%d hold a member dead that has time to come back", w.counts.Deaths)
				}
				w.convergesWithin(t, 8*time.Second)
				if w.counts.Deaths == 0 {
					t.Error("nobody holds the member dead that did not come back")
				}
			})
		}
	}
}

// Nodes of the version before do not know the word. Where half of the peers are so, and one of three seeds, their
// accusations come to nothing.
func TestAwayAmongNodesThatDoNotKnowTheWord(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 8, "", func(config *Config) { config.Seeds = 3 })
	before := &twist{takes: dropsUnknown}
	for _, number := range []int{1, 2, 3, 9} {
		w.bend(number, before)
	}
	w.RunUntil(14 * time.Second)
	epoch := w.machines[0].node.Seeded().Epoch()
	w.Do(Action{Verb: Away, Who: []int{4}})
	w.RunUntil(w.now + 8*time.Second)
	w.Do(Action{Verb: Restart, Who: []int{4}})
	w.convergesWithin(t, 20*time.Second)
	if got := w.machines[0].node.Seeded().Epoch(); got != epoch {
		t.Errorf("a restart in good order cost %d rulings", got-epoch)
	}
}

// One whose only other member is away does not take itself for cut off.
func TestAwayOfAllOthers(t *testing.T) {
	t.Parallel()
	w := newScenario(t, 2, "at 15s away n2\nat 24s restart n2", nil)
	w.RunUntil(23900 * time.Millisecond)
	if stats := w.machines[0].node.Stats(); stats.Away != 1 || stats.Suspect > 0 || stats.Unheard > 0 || stats.Health > 0 {
		t.Errorf("while the other is away: %+v", stats)
	}
	w.RunUntil(25 * time.Second)
	w.convergesWithin(t, 3*time.Second)
}
