package kv

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"hearsay"
	"hearsay/clock"
	"hearsay/internal/core"
)

// converge has all exchange with all until they are equal. A twin goes on under the next of some origins.
func converge(t testing.TB, now time.Time, replicas ...*Replica) (messages int) {
	t.Helper()
	next := 100
	for range 2 * len(replicas) {
		equal := true
		for i, a := range replicas {
			for _, b := range replicas[i+1:] {
				if a.Hash() != b.Hash() {
					equal = false
					messages += talk(t, now, a, b, &next)
				}
			}
		}
		if equal {
			return messages
		}
	}
	t.Fatalf("they differ after %d messages", messages)
	return 0
}

// talk has two exchange until neither has anything to say.
func talk(t testing.TB, now time.Time, from, to *Replica, next *int) (messages int) {
	t.Helper()
	for m := from.Ask(); m != nil; messages++ {
		if messages > 1000 {
			t.Fatalf("an exchange without end")
		}
		result := to.Sync(now, m, 64<<10)
		if result.Twin {
			*next++
			if _, _, err := to.Renew(now, originOf(*next)); err != nil {
				t.Fatal(err)
			}
			result = to.Sync(now, m, 64<<10)
		}
		if result.Refused != Taken && result.Refused != Incomplete {
			t.Fatalf("refused %d", result.Refused)
		}
		m, from, to = result.Reply, to, from
	}
	return messages
}

// load gives a replica as its disk has it.
func load(n int, of *Replica) *Replica {
	saved := Saved{Clock: of.Seen().Clone(), Reserved: of.numbers.reserved}
	of.keys.from(keyPlace{}, func(o *object) bool { saved.Objects = append(saved.Objects, &o.Object); return true })
	r, _ := New(DefaultConfig(originOf(n)), saved)
	return r
}

// What a process reserved is used by no later one. It is not gone either: where the directory was set back, others hold
// what was written under it. After a day it is.
func TestRestartUsesNoReservedNumber(t *testing.T) {
	a, b, c := empty(1), empty(2), empty(3)
	first := put(t, a, Write{Key: "a", Value: []byte("1")})
	b.Update(start, first)
	forgotten := put(t, a, Write{Key: "b", Value: []byte("forgotten")})
	c.Update(start, forgotten)
	a = load(1, b) // the disk has the first only, and what was reserved
	a.numbers = numbers{last: 4096, reserved: 8192, earlier: 4096}
	if u := put(t, a, Write{Key: "a", Value: []byte("2")}); u.Objects[0].Dot.Counter <= 4096 {
		t.Errorf("number %d is used again", u.Objects[0].Dot.Counter)
	}
	a.Forget(start)
	converge(t, start, a, b)
	a.Forget(start.Add(time.Hour))
	if converge(t, start, a, b, c); get(a, "b") != "forgotten" || get(b, "a") != "2" {
		t.Errorf("they have %q and %q", get(a, "b"), get(b, "a"))
	}
	d := empty(4)
	d.numbers = numbers{last: 4096, reserved: 8192, earlier: 4096}
	d.Forget(start)
	if d.Forget(start.Add(24 * time.Hour)); !d.Seen().Has(clock.Dot{Origin: originOf(4), Counter: 4096}) || d.Seen().Has(clock.Dot{Origin: originOf(4), Counter: 4097}) {
		t.Error("what was reserved and never used is not gone after a day")
	}
}

// A directory is set back: its process has other numbers than those that wrote there since, and nothing is lost, nor
// comes back: also of a key that both wrote, and of one that others have deleted meanwhile.
func TestDirectorySetBack(t *testing.T) {
	for writes := range 12 {
		for order := range 2 {
			a, c := empty(1), empty(2)
			put(t, a, Write{Key: "old", Value: []byte("old")}, Write{Key: "deleted", Value: []byte("old")})
			converge(t, start, a, c)
			saved := Saved{Clock: a.Seen().Clone(), Reserved: a.numbers.reserved}
			a.keys.from(keyPlace{}, func(o *object) bool { saved.Objects = append(saved.Objects, &o.Object); return true })
			begin := func(skip uint64) *Replica {
				cfg := a.cfg
				cfg.Skip = skip
				r, _ := New(cfg, saved)
				return r
			}
			a = begin(1000 * uint64(1+order))
			put(t, a, Write{Key: "both", Value: []byte("a")})
			for i := range 5 {
				put(t, a, Write{Key: fmt.Sprintf("a%d", i), Value: []byte("a")})
			}
			put(t, a, Write{Key: "x", Value: []byte("a")}, Write{Key: "y", Value: []byte("a")})
			put(t, c, Write{Key: "deleted", Delete: true})
			converge(t, start, a, c)
			back := begin(1500)
			put(t, back, Write{Key: "both", Value: []byte("b")})
			want := map[string]int{"old": 1, "both": 2, "x": 1, "y": 1, "a0": 1, "a1": 1, "a2": 1, "a3": 1, "a4": 1}
			for i := range writes {
				put(t, back, Write{Key: fmt.Sprintf("b%d", i), Value: []byte("b")})
				want[fmt.Sprintf("b%d", i)] = 1
			}
			converge(t, start, [][]*Replica{{c, back}, {back, c}}[order]...)
			for _, r := range []*Replica{back, c} {
				for key, n := range want {
					if values := r.Siblings(start, key, nil); len(values) != n {
						t.Errorf("%d writes, order %d: %s has %d values, want %d", writes, order, key, len(values), n)
					}
				}
				if list := r.List(start, "", "", 99); len(list) != len(want) {
					t.Errorf("%d writes: %d keys, want %d", writes, len(list), len(want))
				}
			}
		}
	}
}

// Two processes that write under one origin at once are noticed, and all agree.
func TestTwins(t *testing.T) {
	for seed := range 24 {
		a, c := empty(1), empty(2)
		put(t, a, Write{Key: "old", Value: []byte("old")})
		converge(t, start, a, c)
		b := copyOf(a)
		for i := range 5 {
			put(t, a, Write{Key: fmt.Sprintf("a%d", i), Value: []byte("a")})
		}
		for i := range 3 + seed%4 {
			put(t, b, Write{Key: fmt.Sprintf("b%d", i), Value: []byte("b")}, Write{Key: "both", Value: []byte("b")})
		}
		converge(t, start, [][]*Replica{{a, b, c}, {b, c, a}, {c, b, a}}[seed%3]...)
		if a.cfg.Origin == b.cfg.Origin {
			t.Errorf("seed %d: neither has noticed the other", seed)
		}
	}
}

// Another object under one of the own dots is noticed where it comes in an update, in a repair, and by its sum.
func TestRewrittenDots(t *testing.T) {
	r := empty(1)
	put(t, r, Write{Key: "a", Value: []byte("1")})
	put(t, r, Write{Key: "b", Value: []byte("1")}, Write{Key: "c", Value: []byte("1")})
	put(t, r, Write{Key: "c", Delete: true})
	other := copyOf(empty(1))
	u := put(t, other, Write{Key: "a", Value: []byte("2")})
	put(t, other, Write{Key: "b", Value: []byte("2")}, Write{Key: "c", Value: []byte("2")})
	if result := r.Update(start, u); !result.Twin {
		t.Errorf("in an update: %+v", result)
	}
	m := other.Sync(start, empty(2).Ask(), 1000).Reply
	if result := r.Sync(start, m, 1000); !result.Twin { // of two that it names one is gone here, so sums do not tell
		t.Errorf("in a repair: %+v", result)
	}
	m.Objects, m.Live[0].Live, m.Live[0].High = nil, m.Live[0].Live[:1], 1
	if result := r.Sync(start, m, 1000); !result.Twin {
		t.Errorf("by its sum: %+v", result)
	}
}

// copyOf gives a second machine in the same state.
func copyOf(a *Replica) *Replica {
	saved := Saved{Clock: a.Seen().Clone()}
	a.keys.from(keyPlace{}, func(o *object) bool { saved.Objects = append(saved.Objects, &o.Object); return true })
	r, _ := New(a.cfg, saved)
	r.numbers = a.numbers
	return r
}

// What one member tells of another's numbers that are not written yet does not keep the other from being read.
func TestForgedNumbers(t *testing.T) {
	victim, liar, third := empty(1), empty(2), empty(3)
	third.Update(start, put(t, victim, Write{Key: "a", Value: []byte("1")}))
	forged := &core.Sync{Live: []core.LiveRange{{SeenRange: core.SeenRange{Origin: originOf(1), Range: clock.Range{Low: 1, High: 1 << 40}}}}}
	if result := third.Sync(start, forged, 1000); result.Refused != Taken || get(third, "a") != "none" {
		t.Fatalf("refused %d, a is %s", result.Refused, get(third, "a"))
	}
	liar.Sync(start, forged, 1000)
	put(t, victim, Write{Key: "b", Value: []byte("2")})
	if result := victim.Sync(start, forged, 1000); !result.Twin {
		t.Fatal("numbers that it has not written are taken")
	}
	converge(t, start, victim, third, liar)
	for _, r := range []*Replica{victim, third, liar} {
		if get(r, "a") != "1" || get(r, "b") != "2" {
			t.Errorf("a is %s, b is %s", get(r, "a"), get(r, "b"))
		}
	}
	gone := &core.Update{Gone: []clock.Dot{{Origin: victim.cfg.Origin, Counter: victim.numbers.last + 1}}}
	if result := victim.Update(start, gone); !result.Twin {
		t.Errorf("a list with its next number is held: %+v", result)
	}
	if result := third.Update(start, gone); !result.Ask || third.Seen().Has(gone.Gone[0]) {
		t.Errorf("a list with an unseen number: %+v", result)
	}
	late := put(t, victim, Write{Key: "c", Value: []byte("3")})
	if third.Update(start.Add(time.Minute), late); get(third, "c") != "3" {
		t.Errorf("a forged list has made gone what was written after it")
	}
}

// An origin of a node that was removed is forgotten once it has no live dot, and no replica brings any of it back:
// neither one that is late with forgetting, nor one that was away for a month. What others have never seen is kept, of
// the one that was removed, too.
func TestForget(t *testing.T) {
	in := map[Writer]bool{WriterOf(hearsay.NodeID{1}): true, WriterOf(hearsay.NodeID{2}): true, WriterOf(hearsay.NodeID{3}): true}
	a, b, away, gone := empty(1), empty(2), empty(3), empty(4)
	for _, r := range []*Replica{a, b, away} {
		r.cfg.Writes = func(w Writer) bool { return in[w] }
	}
	put(t, gone, Write{Key: "x", Value: []byte("deleted later")}, Write{Key: "y", Value: []byte("stays")})
	put(t, away, Write{Key: "z", Value: []byte("seen")})
	converge(t, start, a, b, away, gone)
	put(t, away, Write{Key: "w", Value: []byte("never seen")})
	late := put(t, gone, Write{Key: "v", Value: []byte("seen by one")})
	away.Update(start, late)
	put(t, a, Write{Key: "x", Delete: true}, Write{Key: "z", Delete: true}, Write{Key: "y", Value: []byte("written again")})
	converge(t, start, a, b)
	in[WriterOf(hearsay.NodeID{3})] = false // it is out, too, for a while
	a.Forget(start)
	b.Forget(start)
	if len(a.Forget(start.Add(23*time.Hour)).Clock) > 0 {
		t.Error("forgotten too early")
	}
	if change := a.Forget(start.Add(24 * time.Hour)); len(change.Clock) != 2 || a.Seen().Of(originOf(4)) != nil || a.Seen().Of(originOf(3)) != nil {
		t.Fatalf("not forgotten: %+v", change)
	}
	if lacks := a.Lacks(b.Digest()); len(lacks) > 0 {
		t.Errorf("it asks for what it has forgotten: %v", lacks)
	}
	if m := talk(t, start, a, b, new(int)); a.Seen().Of(originOf(4)) != nil || m > 4 {
		t.Errorf("%d messages; what was forgotten came back from one that is late", m)
	}
	b.Forget(start.Add(24 * time.Hour))
	if a.Hash() != b.Hash() {
		t.Error("they differ after both have forgotten")
	}
	if u := put(t, a, Write{Key: "q", Value: []byte("1")}); u != nil {
		old := &core.Update{Objects: u.Objects, Gone: []clock.Dot{{Origin: originOf(4), Counter: 1}}}
		if result := b.Update(start, old); !result.Fresh || result.Ask {
			t.Errorf("a write in the place of one that is forgotten: %+v", result)
		}
	}

	now := start.Add(30 * 24 * time.Hour)
	in[WriterOf(hearsay.NodeID{3})] = true
	converge(t, now, a, b, away)
	want := map[string]string{"v": "seen by one", "w": "never seen", "x": "none", "y": "written again", "z": "none"}
	for i, r := range []*Replica{a, b, away} {
		for key, value := range want {
			if len(r.Siblings(now, key, nil)) > 1 || get(r, key) != value {
				t.Errorf("replica %d: %s is %s, want %s", i, key, get(r, key), value)
			}
		}
	}
	put(t, a, Write{Key: "v", Delete: true})
	converge(t, now, a, b, away)
	for _, r := range []*Replica{a, b, away} {
		r.Forget(now)
		r.Forget(now.Add(24 * time.Hour))
		if over, is := r.Over(originOf(4)); !is || len(over.Seen) == 0 {
			t.Errorf("not forgotten again: %+v", over)
		}
	}
	if a.Hash() != b.Hash() || a.Hash() != away.Hash() {
		t.Error("they differ after all have forgotten")
	}
}

// A replica that is empty takes nothing of an origin that is over and has nothing live: else joiners would hand it on
// for ever.
func TestJoinerTakesNoForgottenOrigin(t *testing.T) {
	a, b := empty(1), empty(2)
	put(t, a, Write{Key: "x", Value: []byte("1")})
	put(t, a, Write{Key: "x", Delete: true})
	b.cfg.Writes = func(w Writer) bool { return w != WriterOf(hearsay.NodeID{1}) }
	for range 3 {
		talk(t, start, b, a, new(int))
	}
	if len(b.Seen().Origins()) > 0 {
		t.Errorf("it knows %v", b.Seen().Origins())
	}
}

// An origin is over once a later life of its node is known; nobody need have ruled anything.
func TestEarlierLivesAreForgotten(t *testing.T) {
	a, b := empty(1), empty(2)
	put(t, a, Write{Key: "x", Value: []byte("1")})
	first := a.cfg.Origin
	if _, _, err := a.Renew(start, NewOrigin(hearsay.NodeID{1}, first, [4]byte{0})); err != nil {
		t.Fatal(err)
	}
	converge(t, start, a, b)
	if get(b, "x") != "1" {
		t.Error("x is lost")
	}
	for _, r := range []*Replica{a, b} {
		r.Forget(start)
		r.Forget(start.Add(24 * time.Hour))
		if len(r.Seen().Of(first)) > 0 || len(r.Seen().Origins()) != 1 {
			t.Errorf("it knows %v", r.Seen().Origins())
		}
	}
}

func TestForgottenOriginsAreBounded(t *testing.T) {
	r := empty(1)
	for i := range maxForgotten + 10 {
		r.over = append(r.over, Over{Origin: clock.Origin{1, byte(i >> 8), byte(i)}, Since: start.Add(time.Duration(i)), Seen: []clock.Range{{Low: 1, High: 1}}})
	}
	if change := r.Forget(start); len(r.over) != maxForgotten || len(change.Over) != 10 || len(r.forgotten(clock.Origin{1, 0, 9})) > 0 || len(r.forgotten(clock.Origin{1, 0, 10})) == 0 {
		t.Errorf("%d are kept", len(r.over))
	}
}

func TestOriginsOfANode(t *testing.T) {
	origin := NewOrigin(hearsay.NodeID{7, 15: 9}, clock.Origin{}, [4]byte{1, 2, 3, 4})
	if writerOf(origin) != WriterOf(hearsay.NodeID{7}) || writerOf(origin) == WriterOf(hearsay.NodeID{8}) || origin[15] != 4 || lifeOf(origin) != 1 {
		t.Errorf("origin %v", origin)
	}
	if next := NewOrigin(hearsay.NodeID{7}, origin, [4]byte{}); lifeOf(next) != 2 || next.Compare(origin) < 0 {
		t.Errorf("the next is %v", next)
	}
	r := empty(1)
	r.cfg.MaxOrigins = 0
	if _, _, err := r.Renew(start, origin); !errors.Is(err, hearsay.ErrWriters) {
		t.Errorf("one more than are allowed: %v", err)
	}
}
