package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// asked is a question whether a seed's ledger is fresh.
type asked struct {
	life   int32 // of the process
	number int
	had    hearsay.Epoch // that seed, when it was asked
	told   hearsay.Epoch // anybody, by then
	at     time.Duration
}

// inquirer asks seeds of a world, time and again, whether their ledger is fresh.
type inquirer struct {
	w       *World
	stale   bool // planted: a seed answers with what it had when it was asked
	open    map[*machine][]asked
	fresh   int // answers, and of them those of a seed that had lagged
	caught  int
	unsure  int
	missing []string // answers that lack what was told before the question
}

const (
	inquireEvery  = 100 * time.Millisecond
	inquireStream = purpose("inquiries") // of a test: which seed is asked
)

func newInquirer(config Config, stale bool) *inquirer {
	in := &inquirer{w: NewWorld(config, nil), stale: stale, open: make(map[*machine][]asked)}
	for i := config.Nodes; i < len(in.w.machines); i++ {
		in.w.bend(i+1, &twist{steps: in.hears})
	}
	in.w.Follow(config.Scenario)
	return in
}

// run asks until the world is to end.
func (in *inquirer) run(until time.Duration) {
	w := in.w
	stream := draws(w.config.Seed, inquireStream)
	random := rand.New(&stream)
	for w.now < until {
		w.RunUntil(w.now + inquireEvery)
		m := &w.machines[w.config.Nodes+random.IntN(w.config.Seeds)]
		if m.condition != conditionRunning {
			continue
		}
		a := asked{life: m.life, had: m.node.Seeded().Epoch(), told: w.check.ledger.epoch(), at: w.now}
		w.advance(m, func(now time.Time) *core.Effects {
			number, effects, err := m.node.Fresh(now)
			if a.number = number; err == nil {
				in.open[m] = append(in.open[m], a)
			}
			return effects
		})
	}
}

// hears takes the answers from a seed's step.
func (in *inquirer) hears(_ *World, m *machine, e *core.Effects) {
	for i := range e.Events {
		if e.Events[i].Kind == hearsay.EventFresh {
			in.answered(m, &e.Events[i])
		}
	}
}

func (in *inquirer) answered(m *machine, e *hearsay.Event) {
	for len(in.open[m]) > 0 && (in.open[m][0].life != m.life || in.open[m][0].number <= e.Count) {
		a := in.open[m][0]
		in.open[m] = in.open[m][1:]
		switch {
		case a.life != m.life: // it will not be answered any more
		case e.Text != "":
			in.unsure++
		default:
			in.fresh++
			if a.had < a.told {
				in.caught++
			}
			epoch := e.Epoch
			if in.stale {
				epoch = a.had
			}
			if epoch < a.told {
				in.missing = append(in.missing, fmt.Sprintf("%s, asked at %s, is fresh with epoch %d, and %d was told before", m.name, seconds(a.at), epoch, a.told))
			}
		}
	}
}

// inquired runs the drawn worlds with three and with five seeds, and asks.
func inquired(t *testing.T, worlds int, stale bool) (sum inquirer) {
	for seed := range uint64(worlds) {
		in := newInquirer(drawWorld(seed, 3+2*int(seed%2)), stale)
		in.run(stormEnds + 5*time.Second)
		for i := range in.w.check.violations {
			t.Errorf("seed %d: %s", seed, &in.w.check.violations[i])
		}
		for _, text := range in.missing {
			sum.missing = append(sum.missing, fmt.Sprintf("seed %d: %s", seed, text))
		}
		sum.fresh, sum.caught, sum.unsure = sum.fresh+in.fresh, sum.caught+in.caught, sum.unsure+in.unsure
	}
	return sum
}

// Whatever fails in a world, a seed that says that nothing is missing has all
// that anybody was told before it was asked.
func TestFreshLedgerInDrawnWorlds(t *testing.T) {
	worlds := large(6, 300)
	sum := inquired(t, worlds, false)
	t.Logf("%d worlds: %d answers, %d of them of seeds that lagged when they were asked; %d times a seed was not sure", worlds, sum.fresh, sum.caught, sum.unsure)
	for _, text := range sum.missing {
		t.Error(text)
	}
	if sum.caught == 0 || sum.unsure == 0 {
		t.Error("that shows nothing")
	}
	if os.Getenv(largeVariable) == "" {
		if stale := inquired(t, worlds, true); len(stale.missing) == 0 {
			t.Error("seeds that do not ask the others are not found")
		}
	}
}
