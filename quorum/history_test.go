package quorum

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
)

// histories is how many worlds are run by default; with HEARSAY_LARGE a
// thousand, and HEARSAY_HISTORIES has another number.
const histories = 30

func TestHistories(t *testing.T) {
	n := histories
	if testing.Short() {
		n = 3
	}
	if os.Getenv("HEARSAY_LARGE") != "" {
		n = 1000
	}
	if text := os.Getenv("HEARSAY_HISTORIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	total := make(map[string]int)
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for what, count := range history(t, uint64(seed)) {
				total[what] += count
			}
		})
	}
	// A campaign that met nothing has tested nothing.
	for _, what := range []string{"admit", "remove", "leave", "seat", "abort", "crash", "wipe", "cut", "snapshot"} {
		if n >= histories && total[what] == 0 {
			t.Errorf("no %s in %d histories", what, n)
		}
	}
	t.Log(total)
}

// history runs one world: first anything may fail, and nothing wrong may
// happen; then everything heals, and it must converge.
func history(t *testing.T, seed uint64) map[string]int {
	sizes := []int{1, 2, 3, 3, 3, 4, 5, 5}
	h := &historian{world: newWorld(t, sizes[seed%uint64(len(sizes))], seed), counts: make(map[string]int)}
	h.cfg.SnapshotEvery = 8 + h.Random.IntN(60)
	h.Loss = []float64{0, 0, 0.05, 0.3}[h.Random.IntN(4)]
	h.Slow = []time.Duration{5, 50, 300}[h.Random.IntN(3)] * time.Millisecond
	h.Syncs = []time.Duration{1, 20, 200}[h.Random.IntN(3)] * time.Millisecond
	for _, m := range h.Machines {
		h.After(h.UpTo(3*time.Second), func() { h.Start(m) })
	}
	h.Must(2*time.Minute, "founded", h.agree)
	for range 40 {
		h.disturb()
		h.Run(h.UpTo(3 * time.Second))
	}
	h.heal()
	h.Must(2*time.Minute, "one ledger", h.settled)
	for _, r := range h.Rulings {
		h.counts[r.Kind.String()]++
	}
	h.counts["abort"] = h.Aborts
	for _, m := range h.Machines {
		if m.Q.replica.log.base > 1 {
			h.counts["snapshot"]++
		}
	}
	return h.counts
}

type historian struct {
	*world
	counts map[string]int
	wiped  *machine // one at a time, and its seat must be given again before the next
}

// disturb does one thing.
func (h *historian) disturb() {
	m := h.Machines[h.Random.IntN(len(h.Machines))]
	switch h.Random.IntN(12) {
	case 0, 1, 2:
		h.NewPerson()
	case 3:
		for _, p := range h.People {
			if p.Up && h.In(p) && h.Random.IntN(2) == 0 {
				p.Up = false
				break
			}
		}
	case 4:
		for _, p := range h.People {
			if !p.Up {
				p.Up, p.At = true, hearsay.Incarnation(h.Now.UnixMilli())
				break
			}
		}
	case 5:
		h.leave()
	case 6, 7:
		if m.Q != nil {
			h.counts["crash"]++
			h.Crash(m)
		}
	case 8, 9:
		if m.Q == nil {
			h.Start(m)
		}
	case 10:
		h.counts["cut"]++
		alone := h.Random.IntN(len(h.Machines))
		oneWay := h.Random.IntN(2) == 0
		h.Cut = func(from, to int) bool { return from == alone || to == alone && !oneWay }
		h.After(h.UpTo(10*time.Second), func() { h.Cut = nil })
	case 11:
		h.wipeOne(m)
	}
}

// wipeOne takes the disk of a seed away, if a quorum is left to give it its
// seat again.
func (h *historian) wipeOne(m *machine) {
	if len(h.Machines) < 3 || h.wiped != nil && (h.wiped.Q == nil || !h.voter(h.wiped)) {
		return
	}
	for _, o := range h.Machines {
		if o.Q == nil || o.Q.state == nil || !h.voter(o) {
			return
		}
	}
	h.counts["wipe"]++
	h.Wipe(m)
	h.wiped = m
	h.Epochs[m.Slot] = 0
	h.Start(m)
}

func (h *historian) voter(m *machine) bool {
	if !m.Q.Seated() {
		return false
	}
	for _, id := range m.Q.replica.log.config.GetVoters() {
		if id == m.Q.replica.id {
			return len(m.Q.replica.log.config.GetVotersOutgoing()) == 0
		}
	}
	return false
}

func (h *historian) leave() {
	m := h.AnySeed()
	for _, p := range h.People {
		if m == nil || !p.Up || p.Guest {
			continue
		}
		if one, ok := m.Q.Member(p.ID()); ok && h.Random.IntN(4) == 0 {
			l := &core.Leave{Stay: one.Stay}
			l.Sign(m.Q.Ledger(), p.Key)
			h.Step(m, func() { m.Q.Leave(h.Now, l) })
			p.Up = false
			return
		}
	}
}

func (h *historian) heal() {
	h.Loss, h.Slow, h.Cut = 0, 20*time.Millisecond, nil
	for _, m := range h.Machines {
		if m.Q == nil {
			h.Start(m)
		}
	}
}

// settled: one ledger, and who is up is in, and nobody else.
func (h *historian) settled() bool {
	if !h.agree() || len(h.Machines[0].Q.state.Cases) > 0 {
		return false
	}
	for _, p := range h.People {
		if h.In(p) != p.Up {
			return false
		}
	}
	return true
}
