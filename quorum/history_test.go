package quorum

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"hearsay"
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
	h.cfg.SnapshotEvery = 8 + h.random.IntN(60)
	h.loss = []float64{0, 0, 0.05, 0.3}[h.random.IntN(4)]
	h.slow = []time.Duration{5, 50, 300}[h.random.IntN(3)] * time.Millisecond
	h.syncs = []time.Duration{1, 20, 200}[h.random.IntN(3)] * time.Millisecond
	for _, m := range h.machines {
		h.after(h.upTo(3*time.Second), func() { h.start(m) })
	}
	h.must(2*time.Minute, "founded", h.agree)
	for range 40 {
		h.disturb()
		h.run(h.upTo(3 * time.Second))
	}
	h.heal()
	h.must(2*time.Minute, "one ledger", h.settled)
	for _, r := range h.rulings {
		h.counts[r.Kind.String()]++
	}
	h.counts["abort"] = h.aborts
	for _, m := range h.machines {
		if m.q.replica.log.base > 1 {
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
	m := h.machines[h.random.IntN(len(h.machines))]
	switch h.random.IntN(12) {
	case 0, 1, 2:
		h.newPerson()
	case 3:
		for _, p := range h.people {
			if p.up && h.in(p) && h.random.IntN(2) == 0 {
				p.up = false
				break
			}
		}
	case 4:
		for _, p := range h.people {
			if !p.up {
				p.up, p.at = true, hearsay.Incarnation(h.now.UnixMilli())
				break
			}
		}
	case 5:
		h.leave()
	case 6, 7:
		if m.q != nil {
			h.counts["crash"]++
			h.crash(m)
		}
	case 8, 9:
		if m.q == nil {
			h.start(m)
		}
	case 10:
		h.counts["cut"]++
		alone := h.random.IntN(len(h.machines))
		oneWay := h.random.IntN(2) == 0
		h.cut = func(from, to int) bool { return from == alone || to == alone && !oneWay }
		h.after(h.upTo(10*time.Second), func() { h.cut = nil })
	case 11:
		h.wipeOne(m)
	}
}

// wipeOne takes the disk of a seed away, if a quorum is left to give it its
// seat again.
func (h *historian) wipeOne(m *machine) {
	if len(h.machines) < 3 || h.wiped != nil && (h.wiped.q == nil || !h.voter(h.wiped)) {
		return
	}
	for _, o := range h.machines {
		if o.q == nil || o.q.state == nil || !h.voter(o) {
			return
		}
	}
	h.counts["wipe"]++
	h.wipe(m)
	h.wiped = m
	h.epochs[m.slot] = 0
	h.start(m)
}

func (h *historian) voter(m *machine) bool {
	if !m.q.Seated() {
		return false
	}
	for _, id := range m.q.replica.log.config.GetVoters() {
		if id == m.q.replica.id {
			return len(m.q.replica.log.config.GetVotersOutgoing()) == 0
		}
	}
	return false
}

func (h *historian) leave() {
	m := h.anySeed()
	for _, p := range h.people {
		if m == nil || !p.up || p.guest {
			continue
		}
		if one, ok := m.q.Member(p.id()); ok && h.random.IntN(4) == 0 {
			l := &hearsay.Leave{Stay: one.Stay}
			l.Sign(m.q.Ledger(), p.key)
			h.step(m, func() { m.q.Leave(h.now, l) })
			p.up = false
			return
		}
	}
}

func (h *historian) heal() {
	h.loss, h.slow, h.cut = 0, 20*time.Millisecond, nil
	for _, m := range h.machines {
		if m.q == nil {
			h.start(m)
		}
	}
}

// settled: one ledger, and who is up is in, and nobody else.
func (h *historian) settled() bool {
	if !h.agree() || len(h.machines[0].q.state.Cases) > 0 {
		return false
	}
	for _, p := range h.people {
		if h.in(p) != p.up {
			return false
		}
	}
	return true
}
