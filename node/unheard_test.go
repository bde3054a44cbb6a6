package node_test

import (
	"strings"
	"testing"
	"time"

	"hearsay"
	"hearsay/internal/core"
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
			told := func() string {
				stats := one.Stats()
				return strings.Join(stats.Troubles(), "; ")
			}
			w.closed = map[int]bool{c.cut: true}
			w.run(5 * time.Second)
			if unheard(c.cut) != 0 || strings.Contains(told(), "heard nobody") {
				t.Errorf("says after 5 s that it hears nobody, for %v s: %s", unheard(c.cut), told())
			}
			w.run(5 * time.Second)
			if s := unheard(c.cut); s < 8 || s > 11 {
				t.Errorf("after 10 s it has heard nobody for %v s", s)
			}
			contains(t, "it", told(), "heard nobody since", "may be cut off")
			if why := w.why(c.cut, one.Self().Name).Summary; strings.Contains(why, "othing is held against it") || strings.Contains(why, "nothing has been held against it") {
				t.Errorf("nothing is held against it: %s", why)
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

// What a node accuses others of once it takes itself for cut off is marked so, as is what it condemns them for if it
// has heard nobody since it accused them, and no death that it decides then counts
// among its own; all that others accuse, and it once it is back, is not.
func TestAccusationsOfACutOffNodeAreMarked(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) *network{
		"open":   func(t *testing.T) *network { return newNetwork(t, 6) },
		"seeded": func(t *testing.T) *network { return newSeededNetwork(t, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			w, cut, condemned, marked := make(t), false, uint64(0), 0
			w.hears = func(by int, e *hearsay.Event) {
				switch e.Kind {
				case hearsay.EventUnheard:
					cut = cut || by == 5
				case hearsay.EventHeard:
					cut = cut && by != 5
				case hearsay.EventMemberSuspected, hearsay.EventUnreachable, hearsay.EventRoundOpened, hearsay.EventUndecided, hearsay.EventCondemned:
					own := e.Kind != hearsay.EventMemberSuspected || e.By == w.nodes[5].Self().ID
					silent := e.Kind == hearsay.EventCondemned && w.closed[5] // it has heard nobody since it accused
					if want := (cut || silent) && own && by == 5; e.CutOff != want {
						t.Errorf("n%d tells %s of %s: cut off is %v", by, e.Kind, e.Name, e.CutOff)
					}
					if e.CutOff {
						marked++
					} else if by == 5 && e.Kind == hearsay.EventCondemned {
						condemned++
					}
				}
			}
			w.run(10 * time.Second)
			w.closed = map[int]bool{5: true}
			w.run(30 * time.Second)
			w.closed = nil
			w.run(10 * time.Second)
			if counted := w.nodes[5].Stats().Condemned; marked == 0 || counted != condemned {
				t.Errorf("%d accusations are marked; it counts %d deaths of %d that are not", marked, counted, condemned)
			}
		})
	}
}

// A node from which nothing goes out hears others, and none of them answers: it says so for as long as that lasts, also
// once the others hold it dead or have removed it, and no longer.
func TestNodeThatNobodyAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T) *network
		cut  int
		told string // first
	}{
		"open": {func(t *testing.T) *network { return newNetwork(t, 6) }, 5, "unanswered"},
		"peer": {func(t *testing.T) *network { return newSeededNetwork(t, 3) }, 5, "unanswered"},
		"seed": {func(t *testing.T) *network { return newSeededNetwork(t, 3) }, 1, "unanswered"},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.make(t)
			w.run(10 * time.Second)
			one := w.nodes[c.cut]
			told := func() string {
				authority, stats := one.Seeded().Authority(), one.Stats()
				return strings.Join(hearsay.Troubles(&authority, &stats), "; ")
			}
			w.mute = map[int]bool{c.cut: true}
			w.run(5 * time.Second)
			if s := one.Stats(); s.Unanswered != 0 {
				t.Errorf("says after 5 s that nobody has answered it for %v s", s.Unanswered)
			}
			w.run(2 * time.Second) // the first ping in vain is up to a second after the cut
			for after := 12; after <= 120; after += 5 {
				w.run(5 * time.Second)
				if s := one.Stats(); s.Unanswered < float64(after)-2 || s.Unanswered > float64(after)+1 || len(s.Troubles()) == 0 {
					t.Errorf("after %d s nobody has answered it for %v s: %q", after, s.Unanswered, s.Troubles())
				}
				contains(t, "it", told(), "nobody", " since ")
				if strings.Contains(told(), "no seed has taken") {
					t.Errorf("after %d s it blames seeds: %s", after, told())
				}
			}
			for i := range w.nodes {
				if s := w.nodes[i].Stats(); i != c.cut && s.Unanswered != 0 {
					t.Errorf("nobody answers n%d", i)
				}
			}
			w.mute = nil
			for range 150 {
				w.run(100 * time.Millisecond)
				if s := one.Stats(); s.Unanswered == 0 && s.Unheard == 0 {
					break
				}
			}
			w.run(2 * time.Second)
			if s := one.Stats(); s.Unanswered != 0 || s.Unheard != 0 || s.Suspect > 0 || told() != "" {
				t.Errorf("others answer it, and it says that nobody has for %v s: %s", s.Unanswered, told())
			}
			contains(t, "its case", strings.Join(kinds(w.why(c.cut, one.Self().Name)), " "), c.told, "hears-others")
		})
	}
}

// Nobody can reach a node that is cut off, and its address is right all the same: once it hears others again it does
// not say that it is wrong.
func TestCutOffNodeHasARightAddress(t *testing.T) {
	w := newSeededNetwork(t, 3)
	w.run(10 * time.Second)
	const one = 1 // a seed, which is not removed
	w.cut = make(map[[2]int]bool)
	for other := range w.nodes {
		if other != one {
			w.cut[[2]int{one, other}], w.cut[[2]int{other, one}] = true, true
		}
	}
	w.run(80 * time.Second)
	w.cut = nil
	for after := range 2000 {
		w.run(5 * time.Millisecond)
		if unreached, long := w.nodes[one].Stats().Unreached, w.nodes[one].Addresses().Unreached(w.now); unreached > 0 || long > 10*time.Second {
			t.Fatalf("%d ms after it is not cut off any more it says that nobody has reached it for %v s, %v", 5*(after+1), unreached, long)
		}
	}
}

// Nobody can reach a node whose machine has lost its address, and that address is right all the same: neither then nor
// once it is back the node says that it tells others a wrong one.
func TestAddressThatIsBackIsRight(t *testing.T) {
	for _, gone := range []bool{false, true} {
		w := newSeededNetwork(t, 3)
		w.run(10 * time.Second)
		const one = 1 // a seed, which is not removed
		n := w.nodes[one]
		w.unasked = map[int]bool{one: true}
		told := 0.0
		for range 12 { // a driver looks so often
			w.run(5 * time.Second)
			if gone {
				n.Addresses().Gone(w.now)
			}
			told = max(told, n.Stats().Unreached)
		}
		w.unasked = nil
		for range 1000 {
			w.run(5 * time.Millisecond)
			told = max(told, n.Stats().Unreached)
		}
		if (told > 0) == gone {
			t.Errorf("its address was gone: %v; it says that nobody has reached it for %v s", gone, told)
		}
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

// A node that is cut off again soon after an earlier cut pings seldom, as it doubts itself. For how long nobody has
// answered counts from when it asked in vain, and that others are heard is said only where they are.
func TestCutOffAgain(t *testing.T) {
	const most = 16 * time.Second // five periods between two pings, ten in vain, and one for the steps of this test
	for wait := range 24 {
		w := newNetwork(t, 6)
		w.run(10 * time.Second)
		w.closed, w.mute = map[int]bool{5: true}, map[int]bool{5: true}
		w.run(25 * time.Second)
		w.closed, w.mute = nil, nil
		w.run(time.Second + time.Duration(wait)*500*time.Millisecond)
		if s := w.nodes[5].Stats(); s.Unheard > 0 || s.Unanswered > 0 {
			continue // it is not over yet
		}
		w.closed, w.mute = map[int]bool{5: true}, map[int]bool{5: true}
		for cut := w.now; w.now.Sub(cut) < 2*most; {
			w.run(250 * time.Millisecond)
			s, lasts := w.nodes[5].Stats(), w.now.Sub(cut).Seconds()
			told := strings.Join(s.Troubles(), "; ")
			if s.Unanswered > lasts+1 || strings.Contains(told, "come in") {
				t.Errorf("cut off again after %d half seconds, for %v s: unanswered for %v s: %q", wait+2, lasts, s.Unanswered, told)
				break
			}
			if lasts > most.Seconds() && s.Unheard == 0 && s.Unanswered == 0 && s.Alive+s.Suspect > 1 {
				t.Errorf("cut off again after %d half seconds, for %v s, and says nothing of it", wait+2, lasts)
				break
			}
		}
	}
}

// What others had sent on a stream before nothing went out any more is no answer: it needs no word of this
// node to come.
func TestPacketByStreamIsNoAnswer(t *testing.T) {
	w := newNetwork(t, 6)
	w.run(10 * time.Second)
	w.mute = map[int]bool{5: true}
	for range 12 {
		w.run(time.Second)
		w.carry(5, w.nodes[5].Receive(w.now, &core.Packet{From: w.nodes[1].Self().ID, Addr: addr(1), Stream: true, Body: &core.News{}}))
	}
	if s := w.nodes[5].Stats(); s.Unanswered < 10 {
		t.Errorf("nothing has gone out for 12 s, and nobody has answered for %v s", s.Unanswered)
	}
}
