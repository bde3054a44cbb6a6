package node_test

import (
	"strings"
	"testing"
	"time"
)

// A node that lists others and hears none of them says so after some seconds, until it hears one: an open one, a
// peer and a seed.
func TestNodeThatHearsNobody(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T) *network
		cut  int
	}{
		"open":        {func(t *testing.T) *network { return newNetwork(t, 6) }, 5},
		"open, first": {func(t *testing.T) *network { return newNetwork(t, 6) }, 0},
		"peer":        {func(t *testing.T) *network { return newSeededNetwork(t, 3) }, 5},
		"seed":        {func(t *testing.T) *network { return newSeededNetwork(t, 3) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.make(t)
			w.run(10 * time.Second)
			one := w.nodes[c.cut]
			unheard := func(i int) float64 { return w.nodes[i].Stats().Unheard }
			told := func() string { return one.Self().Name + " hears: " + w.why(c.cut, one.Self().Name).Summary }
			w.closed = map[int]bool{c.cut: true}
			began := w.now
			w.run(5 * time.Second)
			if unheard(c.cut) != 0 || strings.Contains(told(), "heard nobody") {
				t.Errorf("says after 5 s that it hears nobody, for %v s: %s", unheard(c.cut), told())
			}
			w.run(5 * time.Second)
			if s := unheard(c.cut); s < 8 || s > 11 {
				t.Errorf("after 10 s it has heard nobody for %v s", s)
			}
			contains(t, "why of itself", told(), "heard nobody since "+began.UTC().Format("2006-01-02T15:04:"), "may be cut off")
			if strings.Contains(told(), "othing is held against it") || strings.Contains(told(), "nothing has been held against it") {
				t.Errorf("nothing is held against it: %s", told())
			}
			for i := range w.nodes {
				if i != c.cut && unheard(i) != 0 {
					t.Errorf("n%d hears nobody", i)
				}
			}
			w.closed = nil
			w.run(3 * time.Second)
			if unheard(c.cut) != 0 || strings.Contains(told(), "may be cut off") {
				t.Errorf("hears others, and says that it hears nobody: %s", told())
			}
			contains(t, "its case", strings.Join(kinds(w.why(c.cut, one.Self().Name)), " "), "hears-nobody", "hears-others")
		})
	}
}

// A node that is alone hears nobody, and is not cut off: the first of a network, one whose others have left, and
// one that holds them dead.
func TestAloneIsNotUnheard(t *testing.T) {
	w := newNetwork(t, 1)
	w.run(time.Minute)
	if s := w.nodes[0].Stats(); s.Unheard != 0 {
		t.Errorf("the first of a network hears nobody for %v s", s.Unheard)
	}
	w = newNetwork(t, 3)
	w.run(5 * time.Second)
	for _, i := range []int{1, 2} {
		w.carry(i, w.nodes[i].Leave(w.now))
		w.run(5 * time.Second)
		w.down[i] = true
	}
	w.run(time.Minute)
	if s := w.nodes[0].Stats(); s.Unheard != 0 || s.Left != 2 {
		t.Errorf("one whose others have left hears nobody for %v s; %d have left", s.Unheard, s.Left)
	}
	w = newNetwork(t, 2)
	w.run(90 * time.Second)
	w.down[1] = true
	w.run(time.Minute)
	if s := w.nodes[0].Stats(); s.Unheard != 0 || s.Lost != 1 {
		t.Errorf("one whose others are dead hears nobody for %v s; %d are lost", s.Unheard, s.Lost)
	}
}

// What a node does not hear while it is paused says nothing.
func TestPausedIsNotUnheard(t *testing.T) {
	w := newNetwork(t, 4)
	w.run(5 * time.Second)
	w.down[3] = true
	w.run(time.Second)
	w.now = w.now.Add(time.Minute) // all are paused
	w.down[3] = false
	w.nodes[3].Tick(w.now)
	if s := w.nodes[3].Stats(); s.Unheard != 0 || s.Late == 0 {
		t.Errorf("after a pause it hears nobody for %v s, late %d", s.Unheard, s.Late)
	}
}
