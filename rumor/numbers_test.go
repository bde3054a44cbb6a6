package rumor

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// A disk that a crash has torn may have kept a rumor and lost the reservation
// of its number.
func TestKeptRumorReservesItsNumber(t *testing.T) {
	self := hearsay.NodeID{1}
	kept := &core.KeptRumor{Number: 7, Rumor: &hearsay.Rumor{ID: clock.Dot{Origin: hearsay.OriginOf(self), Counter: 7}, Data: []byte("before")}}
	r := New(DefaultConfig(), self, Directory{}, rand.New(rand.NewPCG(1, 1)), []core.Record{kept}, &hearsay.Stats{}, &core.Effects{}, epoch)
	id, err := r.Say(epoch, hearsay.NodeID{}, []byte("after"))
	if err != nil || id.Counter <= 7 || id.Counter > 7+maxLeap {
		t.Fatalf("number %d, error %v; want the next but for the numbers that are left out", id.Counter, err)
	}
}

// What a process on a copy of a node's disk has said comes to that node, also in its first life: others have it, and
// it cannot be told from what is forged beyond the numbers that this life has reserved.
func TestLifeOnACopyIsHeard(t *testing.T) {
	for _, said := range []bool{false, true} {
		w := newNetwork(t, 2, DefaultConfig())
		w.link(0, 1)
		if said {
			w.say(0, "own")
		}
		of := rumorOf(0, maxLeap/2, "said on a copy")
		w.give(1, 0, of)
		w.give(0, 1, of)
		ids := []clock.Dot{of.ID, w.say(0, "next"), w.say(0, "next")}
		w.run(time.Second)
		w.all(ids...)
	}
}

// A disk that is put back as it was before has forgotten what was said since, and nothing shows
// that. What is said then has other numbers, also while nobody can tell; what was forgotten
// comes back from others, and what is forged in the name of this life does not.
func TestForgottenLives(t *testing.T) {
	w := newNetwork(t, 3, DefaultConfig())
	w.link(0, 1)
	w.link(1, 2)
	ids := []clock.Dot{w.say(0, "kept")}
	w.run(time.Second)
	backup := maps.Clone(w.nodes[0].disk.Durable)
	for range 3 {
		w.nodes[0].disk.Durable = maps.Clone(backup)
		w.restart(0)
		ids = append(ids, w.say(0, "forgotten"), w.say(0, "forgotten"))
		w.run(5 * time.Second)
	}
	w.nodes[0].disk.Durable = maps.Clone(backup)
	w.cut = func(int, int) bool { return true }
	w.restart(0)
	ids = append(ids, w.say(0, "alone"))
	n := w.nodes[0]
	if w.give(0, 1, rumorOf(0, n.numbers.last+1, "forged")); n.stats.Drops[hearsay.DropUnexpected] != 1 {
		t.Errorf("drops %v", n.stats.Drops)
	}
	w.cut = nil
	ids = append(ids, w.say(0, "back"))
	w.run(10 * time.Second)
	w.all(ids...)
	seen := map[clock.Dot]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("number %d is given out twice", id.Counter)
		}
		seen[id] = true
	}
}
