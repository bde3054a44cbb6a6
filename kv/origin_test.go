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
			if _, _, err := to.Renew(now, originOf(*next), to.Confirmed()); err != nil {
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
	if d.Forget(start.Add(forgetAfter)); !d.Seen().Has(clock.Dot{Origin: originOf(4), Counter: 4096}) || d.Seen().Has(clock.Dot{Origin: originOf(4), Counter: 4097}) {
		t.Error("what was reserved and never used is not gone after a day")
	}
}

// A directory is set back, and its replica writes fewer records than others have of it, as many, or more: that is
// noticed at the first exchange, and nothing is lost.
func TestDirectorySetBack(t *testing.T) {
	for writes := range 12 {
		for order := range 2 {
			a, c := empty(1), empty(2)
			put(t, a, Write{Key: "old", Value: []byte("old")})
			converge(t, start, a, c)
			back := copyOf(a)
			for i := range 5 {
				put(t, a, Write{Key: fmt.Sprintf("a%d", i), Value: []byte("a")})
			}
			put(t, a, Write{Key: "x", Value: []byte("a")}, Write{Key: "y", Value: []byte("a")})
			converge(t, start, a, c)
			for i := range writes {
				put(t, back, Write{Key: fmt.Sprintf("b%d", i), Value: []byte("b")})
			}
			converge(t, start, [][]*Replica{{c, back}, {back, c}}[order]...)
			if back.cfg.Origin == a.cfg.Origin {
				t.Fatalf("%d writes: not noticed", writes)
			}
			for _, r := range []*Replica{back, c} {
				want := map[string]string{"x": "a", "y": "a", "old": "old"}
				for i := range 5 {
					want[fmt.Sprintf("a%d", i)] = "a"
				}
				for i := range writes {
					want[fmt.Sprintf("b%d", i)] = "b"
				}
				for key, value := range want {
					if get(r, key) != value {
						t.Errorf("%d writes, order %d: %s is %s", writes, order, key, get(r, key))
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
// neither one that is late with forgetting, nor one that was away for a month.
func TestRetirement(t *testing.T) {
	a, b, away, gone := empty(1), empty(2), empty(3), empty(4)
	put(t, gone, Write{Key: "x", Value: []byte("deleted later")}, Write{Key: "y", Value: []byte("stays")})
	put(t, away, Write{Key: "z", Value: []byte("seen")})
	converge(t, start, a, b, away, gone)
	last := away.numbers.last
	put(t, away, Write{Key: "w", Value: []byte("never seen")})
	put(t, away, Write{Key: "z", Delete: true})
	put(t, a, Write{Key: "x", Delete: true}, Write{Key: "y", Value: []byte("written again")})
	converge(t, start, a, b)
	for _, r := range []*Replica{a, b} {
		r.Retire(hearsay.NodeID{4}, clock.Origin{})
		r.Retire(hearsay.NodeID{3}, originOf(3)) // it is in again
		r.Forget(start)
	}
	if len(a.Forget(start.Add(23*time.Hour)).Clock) > 0 {
		t.Error("forgotten too early")
	}
	if change := a.Forget(start.Add(24 * time.Hour)); len(change.Clock) != 1 || a.Seen().Of(originOf(4)) != nil {
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

	now := start.Add(30 * 24 * time.Hour)
	updates, _, err := away.Renew(now, originOf(5), last) // it was removed, too
	if err != nil || len(updates) != 1 || string(updates[0].Objects[0].Value) != "never seen" {
		t.Fatalf("put again are %+v: %v", updates, err)
	}
	away.Retire(hearsay.NodeID{4}, clock.Origin{})
	away.Retire(hearsay.NodeID{3}, clock.Origin{})
	away.Return(a.Digest())
	converge(t, now, a, b, away)
	for key, want := range map[string]string{"x": "none", "y": "written again", "w": "never seen", "z": "none"} {
		for i, r := range []*Replica{a, b, away} {
			if len(r.Siblings(now, key, nil)) > 1 || get(r, key) != want {
				t.Errorf("replica %d: %s is %s, want %s", i, key, get(r, key), want)
			}
		}
	}
	if len(a.Retired()) != 1 || !a.Retired()[0].Forgotten {
		t.Errorf("retired are %+v", a.Retired())
	}
	u := &core.Update{Objects: []core.Object{{Dot: clock.Dot{Origin: originOf(4), Counter: 9}, Key: "q", First: 9, Last: 9}}}
	if result := a.Update(now, u); result.Refused != Forgotten {
		t.Errorf("an update of a forgotten origin: refused %d", result.Refused)
	}
}

func TestForgottenOriginsAreBounded(t *testing.T) {
	r := empty(1)
	for i := range maxForgotten + 10 {
		id := clock.Origin{1, byte(i), byte(i >> 8)}
		at, _ := r.retirement(id)
		r.retired = append(r.retired[:at:at], append([]Retirement{{Origin: id, Since: start.Add(time.Duration(i)), Forgotten: i < 20}}, r.retired[at:]...)...)
	}
	r.Forget(start)
	if len(r.retired) != maxForgotten || r.isForgotten(clock.Origin{1, 0}) || !r.isForgotten(clock.Origin{1, 10}) {
		t.Errorf("%d are kept", len(r.retired))
	}
}

func TestOriginsOfANode(t *testing.T) {
	origin := NewOrigin(hearsay.NodeID{7, 15: 9}, Life{1, 2, 3, 4, 5, 6})
	if !isOf(origin, hearsay.NodeID{7}) || isOf(origin, hearsay.NodeID{8}) || origin[15] != 6 {
		t.Errorf("origin %v", origin)
	}
	r := empty(1)
	r.cfg.MaxOrigins = 0
	if _, _, err := r.Renew(start, origin, 0); !errors.Is(err, hearsay.ErrWriters) {
		t.Errorf("one more than are allowed: %v", err)
	}
}
